# shellcheck shell=bash
# The images of emulated Debian machines, which are made once and kept. Sourced,
# never run.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The maximum disk space of an image, in MB: it is kept as long as target/.
maximum_image_mb=300

# Makes the image of architecture $1 and Debian release $2 unless it exists, and
# prints its directory. The directory has disk, vmlinuz and initrd (see make-image)
# and root's ssh key. The image is made again when make-image has changed; to get
# newer packages, remove the directory.
ensure_image() {
  local arch=$1 release=$2 dir=$target/appliance/$1-$2 recipe started=$SECONDS size
  recipe=$(sha256sum <"$root/scripts/lib/make-image")
  if [[ $(cat "$dir/recipe" 2>/dev/null) == "$recipe" ]]; then
    printf '%s\n' "$dir"
    return
  fi

  say "making an image: Debian $release for $arch"
  rm -rf "$dir"
  mkdir -p "$dir"
  ssh-keygen -q -t ed25519 -N '' -C 'emulated appliance' -f "$dir/key"
  if ! as_root "$root/scripts/lib/make-image" "$arch" "$release" "$dir" >"$dir/log" 2>&1; then
    tail -n 30 "$dir/log" >&2
    die "the image could not be made; what was said last is above"
  fi
  as_root chown "$(id -u):$(id -g)" "$dir"/*
  size=$(du --summarize --block-size=1M "$dir" | cut -f 1)
  ((size <= maximum_image_mb)) || die "the image takes $size MB of the disk, over $maximum_image_mb"
  # Written last: an image without it is incomplete.
  echo "$recipe" >"$dir/recipe"
  say "made in $((SECONDS - started)) s; it takes $size MB of the disk"
  printf '%s\n' "$dir"
}
