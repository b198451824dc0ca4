# shellcheck shell=bash
# A network between the emulated machine and a second machine: a tap device whose
# host end is in a network namespace of its own, which is the second machine. It
# carries multicast, which QEMU's user network does not. Sourced, never run;
# `machine` has to be the machine's directory. The file `tap-network` is there while
# the network exists.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Names that no other run of the script uses.
tap_device=pichat$$
tap_namespace=pi-chat-$$

# The MAC address of the emulated machine's interface on this network.
# shellcheck disable=SC2034  # for emulated-machine.sh and the tests
tap_guest_mac=52:54:00:12:34:57
# The second machine's address on this network.
second_machine_address=192.0.2.1/24

# Creates the network; to be called before the emulated machine starts. Without
# root or sudo, or if namespaces or tap devices are not available, there is none.
create_tap_network() {
  ((EUID == 0)) || sudo -n true 2>/dev/null || return 0
  as_root ip netns add "$tap_namespace" 2>"${machine:?}/tap-network.log" || return 0
  echo yes >"$machine/tap-network"
  as_root ip tuntap add dev "$tap_device" mode tap user "$(id -u)" 2>>"$machine/tap-network.log" || remove_tap_network
}

# Moves the device into the namespace and gives it an address; to be called when
# QEMU has opened it.
connect_tap_network() {
  [[ -e $machine/tap-network ]] || return 0
  as_root ip link set "$tap_device" netns "$tap_namespace"
  as_root ip -n "$tap_namespace" address add "$second_machine_address" dev "$tap_device"
  as_root ip -n "$tap_namespace" link set "$tap_device" up
}

# Runs a command on the second machine as this user; like `env` it takes variables
# first.
on_second_machine() {
  as_root ip netns exec "$tap_namespace" setpriv --reuid "$(id -u)" --regid "$(id -g)" --clear-groups env "$@"
}

# Removes the network and kills the processes on the second machine.
remove_tap_network() {
  local pids
  [[ -e $machine/tap-network ]] || return 0
  mapfile -t pids < <(as_root ip netns pids "$tap_namespace")
  ((${#pids[@]} == 0)) || as_root kill -KILL "${pids[@]}" 2>/dev/null || true
  # The device goes with the namespace, unless it was never moved there.
  as_root ip netns delete "$tap_namespace"
  as_root ip link delete "$tap_device" 2>/dev/null || true
  rm "$machine/tap-network"
}
