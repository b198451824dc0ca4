# shellcheck shell=bash
# A container with Debian and systemd, without a network, for tests that install
# packages. Needs root. Sourced, never run; the script has `dir`, a directory of its
# own, and has sourced lib/common.sh.
# shellcheck disable=SC2154  # target and dir are the script's

# The directory of the container's root file system, the process id of
# systemd-nspawn, and that of the container's init, as this host sees it.
container_root=
nspawn_pid=
container_init=

# Creates the container's root file system for Debian release $1 (12 or 13), from an
# archive that is made once.
create_container() {
  local suites=([12]=bookworm [13]=trixie) suite archive
  suite=${suites[$1]}
  archive=$target/machines/$suite-$(host_architecture).tar
  if [[ ! -e $archive ]]; then
    say "making a Debian $1 ($suite) with systemd"
    mkdir -p "${archive%/*}"
    # (Without --format it would make a directory, as the file's name ends in .part.)
    mmdebstrap --quiet --format=tar --variant=minbase --include=systemd,systemd-sysv,dbus,init-system-helpers "$suite" "$archive.part"
    mv "$archive.part" "$archive"
  fi
  container_root=$dir/machine
  mkdir "$container_root"
  tar --extract --file "$archive" --directory "$container_root"
}

# Starts the container and waits until it has booted.
start_container() {
  systemd-nspawn --quiet --directory "$container_root" --boot --register=no --keep-unit --private-network \
    --console=pipe </dev/null >"$dir/console" 2>&1 &
  nspawn_pid=$!
  wait_until 60 find_container_init || die "the container did not start: $(cat "$dir/console")"
  wait_until 60 container_is_up || die "the container did not boot: $(cat "$dir/console")"
}

# Sets container_init to the only child of systemd-nspawn; fails if there is none yet.
find_container_init() {
  read -r container_init _ < <(cat "/proc/$nspawn_pid/task/$nspawn_pid/children")
  [[ -n $container_init ]]
}

# Returns true if the container has booted, even if a service of Debian has failed.
container_is_up() {
  [[ $(in_container systemctl is-system-running 2>/dev/null) =~ running|degraded ]]
}

# Runs a command in the container, without this host's environment.
in_container() {
  env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive nsenter --target "$container_init" --mount --pid --ipc --uts --net --wd=/ -- "$@"
}

# Kills the container and all its processes, and removes the directory, on this
# file system only.
clean_up() {
  if [[ -n $container_init ]]; then kill -KILL "$container_init" 2>/dev/null || true; fi
  if [[ -n $nspawn_pid ]]; then
    kill -TERM "$nspawn_pid" 2>/dev/null || true
    wait "$nspawn_pid" || true
  fi
  rm --recursive --force --one-file-system "$dir"
}
