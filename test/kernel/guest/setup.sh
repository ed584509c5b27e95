#!/usr/bin/env bash
# Prepares what the tests need to judge us by the real dm-vdo: a Debian Linux 6.x kernel with its dm-vdo module,
# the real user tools, and an initramfs that holds both.
#
# Everything lands in $UVDO_KERNEL_HOME (default ~/.cache/uvdo-kernel):
#   kernel/        the unpacked kernel package      version   its version
#   vdo/           the unpacked tools (vdo/usr/bin) initrd.gz what the guest boots
#   accel          kvm or tcg: what boots here      ready     written last
#
# Needs Debian 12, root and its package mirror; takes about a minute the first time and nothing afterwards.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

# Raise this when what is built changes, so that homes of an older recipe are built again.
RECIPE=1

here=$(cd "$(dirname "$0")" && pwd)
home=${UVDO_KERNEL_HOME:-$HOME/.cache/uvdo-kernel}
mkdir -p "$home/lists/partial"
cd "$home"
if [ "$(cat ready 2>/dev/null)" = "$RECIPE" ]; then echo "$home"; exit 0; fi
rm -f ready

install_what_is_missing() {
  local missing=() program package
  while read -r program package; do
    PATH=$PATH:/sbin:/usr/sbin command -v "$program" >/dev/null || missing+=("$package")
  done <<'END'
qemu-system-x86_64 qemu-system-x86
cpio cpio
modprobe kmod
dmsetup dmsetup
xz xz-utils
nbd-client nbd-client
mkfs.ext4 e2fsprogs
END
  # The guest has no libraries for a dynamic busybox to find before its own script runs.
  [ -f /usr/share/doc/busybox-static/copyright ] || missing+=(busybox-static)
  [ ${#missing[@]} -eq 0 ] && return
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1
}

# The backports suite, from the mirror that this machine already uses, with lists of its own: the machine's
# choice of packages stays as it is.
download_packages() {
  local uri kernel
  uri=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
  [ -n "$uri" ] || uri=$(awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list 2>/dev/null || true)
  echo "deb ${uri:-http://deb.debian.org/debian} bookworm-backports main" > backports.list
  local apart=(-o "Dir::Etc::SourceList=$home/backports.list" -o Dir::Etc::SourceParts=/dev/null
               -o "Dir::State::Lists=$home/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
               -o Debug::NoLocking=1 -o APT::Sandbox::User=root)
  apt-get "${apart[@]}" update -qq
  kernel=$(apt-cache "${apart[@]}" depends linux-image-cloud-amd64/bookworm-backports |
           awk '/Depends: linux-image-6/ { print $2; exit }')
  [ -n "$kernel" ] || { echo "setup.sh: the backports suite has no 6.x cloud kernel" >&2; exit 1; }
  version=${kernel#linux-image-}
  version=${version%-unsigned}
  rm -f ./*.deb
  # The unsigned package is the same kernel; either will do.
  apt-get "${apart[@]}" download -qq "linux-image-$version-unsigned" 2>/dev/null ||
    apt-get "${apart[@]}" download -qq "linux-image-$version"
  apt-get "${apart[@]}" download -qq vdo/bookworm-backports
  rm -rf kernel vdo
  mkdir kernel vdo
  dpkg -x linux-image-*.deb kernel
  dpkg -x vdo_*.deb vdo
  rm -f ./*.deb
  depmod -b kernel "$version"
  echo "$version" > version
}

# A program with every library that it loads.
add_program() {
  [ -x "$1" ] || { echo "setup.sh: $1 is missing" >&2; exit 1; }
  cp -L "$1" "$root/usr/bin/"
  local library
  { ldd "$1" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -nL "$library" "$root$library"
  done
}

# A module with those that it needs, in the order in which they load.
add_module() {
  local path name
  modprobe -d "$home/kernel" -S "$version" --show-depends "$1" 2>/dev/null |
    awk '$1 == "insmod" { print $2 }' | while read -r path; do
      name=$(basename "$path" | sed 's/\.ko.*//')
      [ ! -f "$root/lib/modules/$name.ko" ] || continue
      case $path in
        *.xz) xz -dc "$path" > "$root/lib/modules/$name.ko" ;;
        *) cp "$path" "$root/lib/modules/$name.ko" ;;
      esac
      echo "$name" >> "$root/lib/modules/order"
    done
}

build_initramfs() {
  local applet program module
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  mkdir -p "$root"/{bin,dev,etc,lib/modules,mnt,proc,run,sbin,share,sys,tmp,usr/bin}
  cp /bin/busybox "$root/bin/busybox"
  for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
  done
  for program in dmsetup blockdev nbd-client mkfs.ext4 e2fsck; do
    add_program "$(PATH=/usr/sbin:/sbin:$PATH command -v "$program")"
  done
  for program in vdo/usr/bin/vdo*; do add_program "$program"; done
  cp /etc/mke2fs.conf "$root/etc/" 2>/dev/null || true
  for module in virtio_blk virtio_net dm-vdo nbd ext4; do add_module "$module"; done
  cp "$here/init" "$root/init"
  chmod +x "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > initrd.gz
}

# A /dev/kvm that is there may still not run a guest (inside another virtual machine), so try it: the guest
# without a script of its own is up and off again in two or three seconds where it works.
choose_accelerator() {
  echo tcg > accel
  [ -w /dev/kvm ] || return 0
  echo kvm > accel
  local empty
  empty=$(mktemp -d)
  echo true > "$empty/run.sh"
  echo "$RECIPE" > ready
  GUEST_SECONDS=20 "$here/run.sh" "$empty" >/dev/null 2>&1 || echo tcg > accel
  rm -rf "$empty" ready
}

install_what_is_missing
download_packages
build_initramfs
choose_accelerator
echo "$RECIPE" > ready
echo "$home"
