// The kernel module: block-sized byte work that JavaScript does slowly, in place on the arena.
export function zero(at: usize, length: usize): bool {
  for (let end = at + length; at < end; at += 8) if (load<u64>(at) != 0) return false
  return true
}
