# shellcheck shell=bash
# Functions that packages, archives and the SBOM share. Sourced, never run.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=scripts/lib/architectures.sh
. "$root/scripts/lib/architectures.sh"

# The architectures that `all` stands for: see parse_release_arguments.
all=()

# The project's version.
# shellcheck disable=SC2034  # for the scripts that source this
project_version=$(manifest_value version)

# The time stamp of all files in packages and archives, in Unix seconds: the
# commit's, so that the same source makes the same files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# Reads the arguments of a release script. Sets `to` to the output directory,
# which it creates, and `selected` to the architectures: this machine's if none
# is given. The script has set `all` to what `all` stands for (without it no
# architecture is accepted), and `version` if it accepts --version.
# shellcheck disable=SC2034  # for the scripts that source this
parse_release_arguments() {
  help_if_asked "$@"
  to=$root/dist selected=()
  while (($#)); do
    case $1/${version-none}/${#all[@]} in
    --to/*) to=${2:?} && shift ;;
    --version//*) version=${2:?} && shift ;;
    -* | */0) die "unknown argument: $1 (see --help)" ;;
    all/*) selected+=("${all[@]}") ;;
    macos/*) selected+=(macos-aarch64 macos-x86_64) ;;
    *) selected+=("$1") ;;
    esac
    shift
  done
  ((${#selected[@]})) || selected=("$(host_architecture)")
  mkdir -p "$to"
  to=$(cd "$to" && pwd)
}

# Takes the lock on the files in target/ that release scripts write, and keeps
# it until the script ends.
lock_target() {
  exec 9>"$target/package.lock"
  flock 9
}

# Writes man pages and shell completions, which are the same for all systems,
# into target/manual. Files of an earlier run are removed.
write_manual() {
  rm -rf "$target/manual"
  cargo run --quiet --locked --example manual -- "$target/manual"
  gzip --best --no-name "$target"/manual/man/*
}

# Writes the licences of the crates in the current architecture's programs, of
# Rust's standard library, and with --page as $2 those of the page for browsers, into
# file $1.
write_notices() {
  local features=client,peer rust
  [[ ${programs[0]} != chat-server ]] || features+=,server
  rust=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
  [[ -e $rust ]] || die "this Rust has no notices of its standard library ($rust); rustup's has"
  (cd "$root" && python3 scripts/lib/notices.py "$triple" "$features" "$rust" "${@:2}") >"$1"
}

# Writes the checksums of all packages, archives and SBOMs in directory $1 into
# its SHA256SUMS, and lists them with their sizes.
write_checksums() (
  cd "$1" || exit
  shopt -s nullglob
  set -- *.deb *.tar.gz *.zip *.cdx.json
  sha256sum -- "$@" >SHA256SUMS
  say "in $PWD:"
  du --apparent-size --human-readable -- "$@" >&2
)
