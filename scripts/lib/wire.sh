# shellcheck shell=bash
# A wire from the emulated machine to a second one: a tap device whose other end
# is a network namespace of this host, with nobody else in it. Multicast goes
# through, which QEMU's own network does not let in. Sourced, never run;
# `machine` has to be the machine's directory. The file `wire` is in there while
# there is a wire.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Names that no other run of the script has.
wire_tap=pichat$$
wire_far=pi-chat-$$

# The machine's interface at the wire has this address.
# shellcheck disable=SC2034  # for machine.sh and the tests
wire_mac=52:54:00:12:34:57
# The second machine's on the wire.
wire_far_address=192.0.2.1/24

# Makes the wire before the machine is switched on. Without root or sudo, or
# where no such thing can be made, there is none.
lay_wire() {
  ((EUID == 0)) || sudo -n true 2>/dev/null || return 0
  as_root ip netns add "$wire_far" 2>"${machine:?}/wire.log" || return 0
  echo yes >"$machine/wire"
  as_root ip tuntap add dev "$wire_tap" mode tap user "$(id -u)" 2>>"$machine/wire.log" || take_up_wire
}

# Takes the second machine's end out of this host's own networks. It stays
# down until then, and QEMU has to have the other end already.
join_wire() {
  [[ -e $machine/wire ]] || return 0
  as_root ip link set "$wire_tap" netns "$wire_far"
  as_root ip -n "$wire_far" address add "$wire_far_address" dev "$wire_tap"
  as_root ip -n "$wire_far" link set "$wire_tap" up
}

# Runs a program on the second machine, as env does, and as this user.
at_far_end() {
  as_root ip netns exec "$wire_far" setpriv --reuid "$(id -u)" --regid "$(id -g)" --clear-groups env "$@"
}

# Takes the wire away and ends what still runs on the second machine.
take_up_wire() {
  local pids
  [[ -e $machine/wire ]] || return 0
  mapfile -t pids < <(as_root ip netns pids "$wire_far")
  ((${#pids[@]} == 0)) || as_root kill -KILL "${pids[@]}" 2>/dev/null || true
  # The device goes with the namespace, unless it never came in there.
  as_root ip netns delete "$wire_far"
  as_root ip link delete "$wire_tap" 2>/dev/null || true
  rm "$machine/wire"
}
