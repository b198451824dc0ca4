# shellcheck shell=bash
# A wire from the emulated machine to a second one: a tap device whose other end
# is a network namespace of this host, with nobody else in it. Multicast goes
# through, which QEMU's own network does not let in. Sourced, never run;
# `machine` has to be the machine's directory. The file `wire` is in there while
# there is a wire.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Names that no other run of the script has.
tap_device=pichat$$
tap_namespace=pi-chat-$$

# The machine's interface at the wire has this address.
# shellcheck disable=SC2034  # for emulated-machine.sh and the tests
tap_guest_mac=52:54:00:12:34:57
# The second machine's on the wire.
second_machine_address=192.0.2.1/24

# Makes the wire before the machine is switched on. Without root or sudo, or
# where no such thing can be made, there is none.
create_tap_network() {
  ((EUID == 0)) || sudo -n true 2>/dev/null || return 0
  as_root ip netns add "$tap_namespace" 2>"${machine:?}/tap-network.log" || return 0
  echo yes >"$machine/tap-network"
  as_root ip tuntap add dev "$tap_device" mode tap user "$(id -u)" 2>>"$machine/tap-network.log" || remove_tap_network
}

# Takes the second machine's end out of this host's own networks. It stays
# down until then, and QEMU has to have the other end already.
connect_tap_network() {
  [[ -e $machine/tap-network ]] || return 0
  as_root ip link set "$tap_device" netns "$tap_namespace"
  as_root ip -n "$tap_namespace" address add "$second_machine_address" dev "$tap_device"
  as_root ip -n "$tap_namespace" link set "$tap_device" up
}

# Runs a program on the second machine, as env does, and as this user.
on_second_machine() {
  as_root ip netns exec "$tap_namespace" setpriv --reuid "$(id -u)" --regid "$(id -g)" --clear-groups env "$@"
}

# Takes the wire away and ends what still runs on the second machine.
remove_tap_network() {
  local pids
  [[ -e $machine/tap-network ]] || return 0
  mapfile -t pids < <(as_root ip netns pids "$tap_namespace")
  ((${#pids[@]} == 0)) || as_root kill -KILL "${pids[@]}" 2>/dev/null || true
  # The device goes with the namespace, unless it never came in there.
  as_root ip netns delete "$tap_namespace"
  as_root ip link delete "$tap_device" 2>/dev/null || true
  rm "$machine/tap-network"
}
