# shellcheck shell=bash
# What packages and archives have in common. Sourced, never run.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/lib/architectures.sh
. "$root/scripts/lib/architectures.sh"

# The project's version.
# shellcheck disable=SC2034  # for the scripts that source this
project_version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml")

# The same source makes the same files: their times are those of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# Has this script make files in target/ alone: the others wait.
lock_target() {
  exec 9>"$target/package.lock"
  flock 9
}

# Writes man pages and completions, which all systems have in common, into
# target/manual. They are made anew each time: nothing old stays.
write_manual() {
  rm -rf "$target/manual"
  cargo run --quiet --locked --example manual -- "$target/manual"
  gzip --best --no-name "$target"/manual/man/*
}

# Writes the licences of what is linked into the chosen architecture's programs
# into a file.
write_notices() {
  local features=client,peer rust
  [[ ${programs[0]} != chat-server ]] || features+=,server
  rust=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
  [[ -e $rust ]] || die "this Rust has no notices of its standard library ($rust); rustup's has"
  python3 "$root/scripts/lib/notices.py" "$triple" "$features" "$rust" >"$1"
}

# Lists all packages and archives that are in a directory, whoever made them,
# in its SHA256SUMS, and shows them.
write_checksums() (
  cd "$1" || exit
  shopt -s nullglob
  set -- *.deb *.tar.gz *.zip *.cdx.json
  sha256sum -- "$@" >SHA256SUMS
  say "in $PWD:"
  du --apparent-size --human-readable -- "$@" >&2
)
