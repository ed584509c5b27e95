#!/usr/bin/env bash
# Runs a script in a guest that has the real dm-vdo.
#
#   run.sh DIR [IMAGE...]
#
# DIR/run.sh runs there as root, with a copy of the whole of DIR as /share, lib.sh beside it. The raw images are
# /dev/vda, /dev/vdb and so on, and keep what the guest writes. A server on this machine's loopback address is
# at 10.0.2.2 for the guest. Prints what the guest prints; exits 0 when its script did, 1 when the script failed,
# 3 when the guest ended in any other way (a power cut, the time limit). A guest that does not even begin is started
# again, twice at most.
#
# GUEST_SECONDS (300) bounds the run, GUEST_MIB (2048) is the guest's memory. An emulated processor can say
# whether things are right, never how fast they are.
set -euo pipefail
home=${UVDO_KERNEL_HOME:-$HOME/.cache/uvdo-kernel}
[ -f "$home/ready" ] || { echo "run.sh: $home is not ready; run setup.sh first" >&2; exit 2; }
dir=$1
shift
version=$(cat "$home/version")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/share"
cp "$(dirname "$0")/lib.sh" "$work/share/"
cp -r "$dir"/. "$work/share/"
# The kernel unpacks archives that follow one another over one another.
{ cat "$home/initrd.gz"; (cd "$work" && find share | cpio -o -H newc --quiet | gzip -1); } > "$work/initrd"

case $(cat "$home/accel" 2>/dev/null || echo tcg) in
  kvm) processor=(-accel kvm -cpu host) ;;
  # The emulator gets cmpxchg16b wrong, which the allocator of the guest's kernel would use.
  *) processor=(-accel tcg,thread=multi -cpu Haswell-v4,-cx16) ;;
esac
drives=()
for image in "$@"; do drives+=(-drive "file=$image,format=raw,if=virtio,cache=unsafe"); done

# No guest takes longer to start, on the busiest of machines.
START_SECONDS=90

# The whole console is kept beside what is printed: it is all there is when the guest does not come up.
boot() {
  : > "$work/output"
  (sleep "$START_SECONDS"; grep -q '^=== guest ready' "$work/output" || kill "$(cat "$work/pid")") 2>/dev/null &
  local watch=$!
  timeout "${GUEST_SECONDS:-300}" qemu-system-x86_64 "${processor[@]}" -m "${GUEST_MIB:-2048}" -smp 2 \
    -nographic -no-reboot -nic user,model=virtio-net-pci -pidfile "$work/pid" \
    -kernel "$home/kernel/boot/vmlinuz-$version" -initrd "$work/initrd" \
    -append "console=ttyS0 panic=-1 quiet" "${drives[@]}" </dev/null 2>"$work/qemu-says" |
    tee "$work/console" | tr -d '\r' |
    sed -un 's/.*\(=== guest ready\)/\1/; /^=== guest ready/,$p' | tee "$work/output" || true
  pkill -P $watch 2>/dev/null || true
  kill $watch 2>/dev/null || true
}

# An emulated machine now and then dies or hangs while its kernel starts. Nothing has run by then and no image was touched,
# so it may start again.
for attempt in 1 2 3; do
  boot
  grep -q '^=== guest ready' "$work/output" && break
  echo "run.sh: start $attempt of the guest ended before its script began; its last words:" >&2
  tail -n 20 "$work/console" >&2
  grep -v 'requested feature' "$work/qemu-says" >&2 || true
done
if grep -q '^=== guest exit 0$' "$work/output"; then exit 0; fi
if grep -q '^=== guest exit ' "$work/output"; then exit 1; fi
exit 3
