# shellcheck shell=bash
# An emulated machine: starting it, reaching it, taking its power away. Sourced,
# never run. One machine at a time; all about it is in files of a directory,
# for a subshell may cut its power and start it again.
# shellcheck source=scripts/lib/tap-network.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap-network.sh"

# The machine's memory, in MB: that of the smallest board that is promised.
machine_memory=512

# Seconds that a machine may take from its start until it is reached by ssh.
# It takes 60 to 150 where nothing else runs.
boot_limit=420

# Gives the machine that lives in directory $1 a fresh disk, of the image in
# directory $2.
create_machine() {
  machine=$1 machine_image=$2
  mkdir -p "$machine"
  cp --sparse=always "$machine_image/disk" "$machine/disk"
}

# Whether a process runs. A dead one that its parent has not asked after has
# still a number, and does not.
is_running() {
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
  [[ -n $state && $state != [ZX] ]]
}

# Calls the command each half a second until it succeeds; fails when the
# seconds are over.
wait_until() {
  local deadline=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

# Switches the machine on, and returns when it is up. The disk is cached as a
# real one is: what the machine has flushed survives a power cut, and what it
# has only in its own memory does not. No way leads out of its network; ssh and
# the chat's port lead in, by ports of the host that happen to be free. Its
# other interface is at the wire.
start_machine() {
  local qemu pipe=$machine/monitor tap_arguments=()
  case $(basename "$machine_image") in
  arm64-*) qemu=(qemu-system-aarch64 -M virt -cpu cortex-a72) ;;
  armhf-*) qemu=(qemu-system-arm -M virt -cpu cortex-a15) ;;
  esac
  create_tap_network
  [[ ! -e $machine/tap-network ]] ||
    tap_arguments=(-netdev "tap,id=tap,ifname=$tap_device,script=no,downscript=no"
      -device "virtio-net-pci,netdev=tap,mac=$tap_guest_mac,romfile=")
  rm -f "$pipe".{in,out}
  mkfifo "$pipe".{in,out}
  # In a session of its own: a Ctrl-C is for us, and we end it.
  setsid "${qemu[@]}" -accel tcg,thread=multi -smp 2 -m "$machine_memory" -display none -nodefaults \
    -kernel "$machine_image/vmlinuz" -initrd "$machine_image/initrd" -append 'rw console=ttyAMA0 quiet' \
    -drive "if=none,id=disk,format=raw,cache=writeback,file=$machine/disk" -device virtio-blk-pci,drive=disk \
    -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:0-:2428 \
    -device virtio-net-pci,netdev=net,mac=52:54:00:12:34:56,romfile= "${tap_arguments[@]}" -device virtio-rng-pci \
    -chardev "file,id=console,path=$machine/console,append=on" -serial chardev:console \
    -chardev "pipe,id=monitor,path=$pipe" -monitor chardev:monitor \
    </dev/null >"$machine/qemu.log" 2>&1 &
  echo $! >"$machine/pid"
  # The shell need not tell that it was killed.
  disown
  wait_until 20 read_forwarded_ports || die "QEMU does not say its ports: $(cat "$machine/qemu.log")"
  connect_tap_network
  wait_for_boot
}

# Asks QEMU which ports of this host lead in, and keeps them.
read_forwarded_ports() {
  local line words monitor
  exec {monitor}<>"$machine/monitor.out"
  echo 'info usernet' >"$machine/monitor.in"
  while read -r -t 2 line <&"$monitor"; do
    read -ra words <<<"$line"
    case "${words[0]-} ${words[5]-}" in
    'TCP[HOST_FORWARD] 22') echo "${words[3]}" >"$machine/ssh_port" ;;
    'TCP[HOST_FORWARD] 2428') echo "${words[3]}" >"$machine/chat_port" ;;
    esac
  done
  exec {monitor}>&-
  [[ -s $machine/ssh_port && -s $machine/chat_port ]]
}

# Prints where the chat of the machine is reached from here.
chat_address() {
  echo "127.0.0.1:$(cat "$machine/chat_port")"
}

# Calls ssh for the machine. One connection is kept for all calls.
run_ssh() {
  timeout --foreground "${ssh_timeout:-240}" ssh -q -i "$machine_image/key" -p "$(cat "$machine/ssh_port")" \
    -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o ControlMaster=auto -o ControlPath="$machine/ssh" -o ControlPersist=600 \
    -o ServerAliveInterval=10 -o ServerAliveCountMax=6 "$@"
}

# Runs a command in the machine, as root.
in_machine() {
  run_ssh -n root@127.0.0.1 "$@"
}

# Writes the standard input into a file of the machine.
write_file() {
  run_ssh root@127.0.0.1 "cat >$1"
}

# Forgets the connection, which a boot has made worthless.
close_ssh() {
  ssh -q -o ControlPath="$machine/ssh" -O exit root@127.0.0.1 2>/dev/null || true
}

# Whether the machine lets us in. QEMU accepts connections before it does, so
# this is asked with a short limit, and again.
is_reachable() {
  is_running "$(cat "$machine/pid")" || die "QEMU has ended: $(cat "$machine/qemu.log")"
  ssh_timeout=15 in_machine true 2>/dev/null
}

# Returns when the machine has done all that it does at boot.
wait_for_boot() {
  local failed
  wait_until "$boot_limit" is_reachable || die "the machine was not up after $boot_limit s"
  if ! in_machine systemctl is-system-running --wait >/dev/null; then
    failed=$(in_machine systemctl list-units --failed --no-legend --plain)
    [[ -z $failed ]] || die "the machine has booted, but: $failed"
  fi
}

# Prints what is another one after each boot.
boot_id() {
  ssh_timeout=15 in_machine cat /proc/sys/kernel/random/boot_id
}

# Boots the machine again, in order.
reboot_machine() {
  local before
  before=$(boot_id)
  in_machine systemctl reboot || true
  close_ssh
  wait_until "$boot_limit" has_booted_since "$before" || die "the machine has not booted again"
  wait_for_boot
}

# Whether the machine is up in another boot than the given one.
has_booted_since() {
  local now
  if ! now=$(boot_id 2>/dev/null) || [[ $now == "$1" ]]; then
    close_ssh
    return 1
  fi
}

# Takes the machine's power away at once. What its system has not given to the
# disk is gone.
cut_power() {
  local pid
  pid=$(cat "$machine/pid")
  kill -KILL "$pid"
  wait_until 20 has_ended "$pid"
  remove_tap_network
  close_ssh
}

# Whether a process has ended.
has_ended() {
  ! is_running "$1"
}

# Ends the machine, if there is one.
end_machine() {
  remove_tap_network
  [[ -s $machine/pid ]] || return 0
  close_ssh
  kill -KILL "$(cat "$machine/pid")" 2>/dev/null || true
}
