# What scripts in the guest share; each begins with `. /share/lib.sh`. The shell is busybox's.

# volume_start BACKING LOGICAL_BYTES [KEY VALUE...]: lets the kernel's dm-vdo load the volume on BACKING. It is
# /dev/dm-0 afterwards. Waits until the index has settled, in whatever state, and prints the status.
volume_start() {
  local backing=$1 sectors=$(( $2 / 512 ))
  shift 2
  local blocks=$(( $(blockdev --getsize64 "$backing") / 4096 ))
  if ! dmsetup create judged --table "0 $sectors vdo V4 $backing $blocks 4096 32768 16380 $*"; then
    dmesg | grep -i vdo | tail -20
    return 1
  fi
  [ -b /dev/dm-0 ] || mknod /dev/dm-0 b "$(cut -d: -f1 /sys/block/dm-0/dev)" "$(cut -d: -f2 /sys/block/dm-0/dev)"
  local second=0
  while [ $second -lt 60 ] && [ "$(dmsetup status judged | cut -d' ' -f7)" = opening ]; do
    sleep 1
    second=$(( second + 1 ))
  done
  echo "STATUS $(dmsetup status judged)"
}

# Waits until a volume that was not closed well has recovered and knows its free space again.
volume_recovered() {
  local second=0
  while [ $second -lt 120 ] && [ "$(dmsetup status judged | cut -d' ' -f5)" != normal ]; do
    sleep 1
    second=$(( second + 1 ))
  done
  echo "STATUS $(dmsetup status judged)"
}

volume_stop() { dmsetup remove judged; }
volume_stats() { echo "STATS $(dmsetup message judged 0 stats)"; }

# write_at FILE MIB: a file from /share, written past the page cache at an offset in MiB, and flushed (sync alone
# sends a bare device no flush).
write_at() { dd if="$1" of=/dev/dm-0 bs=64k seek=$(( $2 * 16 )) oflag=direct conv=fsync 2>/dev/null; }

# sums FIRST COUNT [MIB]: SHA-256 of COUNT runs of MIB (1) mebibytes each, one line a run, from run FIRST.
sums() {
  local run=$1 end=$(( $1 + $2 )) mib=${3:-1}
  while [ $run -lt $end ]; do
    echo "SUM $run $(dd if=/dev/dm-0 bs=1M count=$mib skip=$(( run * mib )) iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)"
    run=$(( run + 1 ))
  done
}

# nbd_attach PORT [NAME]: the kernel's own NBD client, on the host's server, as /dev/nbd0.
nbd_attach() { nbd-client 10.0.2.2 "$1" /dev/nbd0 -N "${2:-}" -b 4096 -persist 2>&1 && sleep 1; }
nbd_detach() { nbd-client -d /dev/nbd0; }

# The machine stops here and now: nothing is flushed, nothing is closed.
power_cut() {
  echo b > /proc/sysrq-trigger
  sleep 5
}
