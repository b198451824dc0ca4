# shellcheck shell=bash
# A Debian with systemd in a container of its own, without a network, for tests
# that install something. Needs root. Sourced, never run; the script has `dir`,
# a directory that is its own, and lib/common.sh.
# shellcheck disable=SC2154  # target and dir are theirs

# The container's file system, the process that holds it, and its first one.
container_root=
nspawn_pid=
container_init=

# Makes the file system, from an archive that is kept for the next time.
create_container() {
  local suites=([12]=bookworm [13]=trixie) suite archive
  suite=${suites[$1]}
  archive=$target/machines/$suite-$(host_architecture).tar
  if [[ ! -e $archive ]]; then
    say "making a Debian $1 ($suite) with systemd"
    mkdir -p "${archive%/*}"
    # (By itself it would go by the name, and make a directory.)
    mmdebstrap --quiet --format=tar --variant=minbase --include=systemd,systemd-sysv,dbus,init-system-helpers "$suite" "$archive.part"
    mv "$archive.part" "$archive"
  fi
  container_root=$dir/machine
  mkdir "$container_root"
  tar --extract --file "$archive" --directory "$container_root"
}

# Starts it and waits until it is up.
start_container() {
  systemd-nspawn --quiet --directory "$container_root" --boot --register=no --keep-unit --private-network \
    --console=pipe </dev/null >"$dir/console" 2>&1 &
  nspawn_pid=$!
  wait_until "the container's first process" find_container_init
  wait_until "the container" container_is_up
}

# Finds the container's first process, the holder's only child.
find_container_init() {
  read -r container_init _ < <(cat "/proc/$nspawn_pid/task/$nspawn_pid/children")
  [[ -n $container_init ]]
}

# Whether it has come up: a service that failed is not ours.
container_is_up() {
  [[ $(in_container systemctl is-system-running 2>/dev/null) =~ running|degraded ]]
}

# Runs a command in the container, with nothing of this host's environment.
in_container() {
  env --ignore-environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive nsenter --target "$container_init" --mount --pid --ipc --uts --net --wd=/ -- "$@"
}

# Waits for a command to succeed, a minute at the most.
wait_until() {
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || die "waited a minute for $what in vain"
    sleep 0.1
  done
}

# Ends the container, and with it whatever runs in it, and takes the directory
# away, on this file system only.
clean_up() {
  if [[ -n $container_init ]]; then kill -KILL "$container_init" 2>/dev/null || true; fi
  if [[ -n $nspawn_pid ]]; then
    kill -TERM "$nspawn_pid" 2>/dev/null || true
    wait "$nspawn_pid" || true
  fi
  rm --recursive --force --one-file-system "$dir"
}
