# shellcheck shell=bash
# An emulated machine: starting it, running commands in it, cutting its power.
# Sourced, never run. One machine at a time. Its state is in files of the directory
# `machine`, not in variables: a subshell may cut its power and start it again.
# shellcheck source=scripts/lib/tap-network.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap-network.sh"

# The machine's memory, in MB: that of the smallest supported board.
machine_memory=512

# Seconds that a machine may take to boot until ssh works. It takes 60 to 150 on
# an idle host.
boot_limit=420

# Creates a machine in directory $1 with a copy of the disk of the image in
# directory $2.
create_machine() {
  machine=$1 machine_image=$2
  mkdir -p "$machine"
  cp --sparse=always "$machine_image/disk" "$machine/disk"
}

# Returns true if process $1 is running, and not a zombie.
is_running() {
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
  [[ -n $state && $state != [ZX] ]]
}

# Starts the machine and returns when it has booted. As with a real disk, what the
# machine has flushed survives a power cut, and what is only in its memory does not.
# Its first network is QEMU's user network: it cannot reach anything, and free ports
# of the host are forwarded to its ports for ssh, chat clients and browsers. Its second one is the tap
# network.
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
  # In a session of its own, so that a Ctrl-C ends this script, which ends QEMU.
  setsid "${qemu[@]}" -accel tcg,thread=multi -smp 2 -m "$machine_memory" -display none -nodefaults \
    -kernel "$machine_image/vmlinuz" -initrd "$machine_image/initrd" -append 'rw console=ttyAMA0 quiet' \
    -drive "if=none,id=disk,format=raw,cache=writeback,file=$machine/disk" -device virtio-blk-pci,drive=disk \
    -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:0-:2428,hostfwd=tcp:127.0.0.1:0-:2480 \
    -device virtio-net-pci,netdev=net,mac=52:54:00:12:34:56,romfile= "${tap_arguments[@]}" -device virtio-rng-pci \
    -chardev "file,id=console,path=$machine/console,append=on" -serial chardev:console \
    -chardev "pipe,id=monitor,path=$pipe" -monitor chardev:monitor \
    </dev/null >"$machine/qemu.log" 2>&1 &
  echo $! >"$machine/pid"
  # Without this the shell would report the kill.
  disown
  wait_until 20 read_forwarded_ports || die "QEMU does not say its ports: $(cat "$machine/qemu.log")"
  connect_tap_network
  wait_for_boot
}

# Asks QEMU's monitor which ports of this host are forwarded, and writes them into
# the files ssh_port, chat_port and web_port; fails if it does not answer yet.
read_forwarded_ports() {
  local line words monitor
  exec {monitor}<>"$machine/monitor.out"
  echo 'info usernet' >"$machine/monitor.in"
  while read -r -t 2 line <&"$monitor"; do
    read -ra words <<<"$line"
    case "${words[0]-} ${words[5]-}" in
    'TCP[HOST_FORWARD] 22') echo "${words[3]}" >"$machine/ssh_port" ;;
    'TCP[HOST_FORWARD] 2428') echo "${words[3]}" >"$machine/chat_port" ;;
    'TCP[HOST_FORWARD] 2480') echo "${words[3]}" >"$machine/web_port" ;;
    esac
  done
  exec {monitor}>&-
  [[ -s $machine/ssh_port && -s $machine/chat_port && -s $machine/web_port ]]
}

# Prints the address of this host that is forwarded to the machine's chat port.
chat_address() {
  echo "127.0.0.1:$(cat "$machine/chat_port")"
}

# Runs ssh to the machine, within ssh_timeout seconds. All calls share one connection.
run_ssh() {
  timeout --foreground "${ssh_timeout:-240}" ssh -q -i "$machine_image/key" -p "$(cat "$machine/ssh_port")" \
    -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o ControlMaster=auto -o ControlPath="$machine/ssh" -o ControlPersist=600 \
    -o ServerAliveInterval=10 -o ServerAliveCountMax=6 "$@"
}

# Runs a command in the machine as root, without input.
in_machine() {
  run_ssh -n root@127.0.0.1 "$@"
}

# Writes stdin into file $1 of the machine.
write_file() {
  run_ssh root@127.0.0.1 "cat >$1"
}

# Closes the shared ssh connection, which does not survive a boot.
close_ssh() {
  ssh -q -o ControlPath="$machine/ssh" -O exit root@127.0.0.1 2>/dev/null || true
}

# Returns true if ssh works. The timeout is short, because QEMU accepts connections
# before the machine does.
is_reachable() {
  is_running "$(cat "$machine/pid")" || die "QEMU has ended: $(cat "$machine/qemu.log")"
  ssh_timeout=15 in_machine true 2>/dev/null
}

# Waits until the machine has booted, and checks that no service has failed.
wait_for_boot() {
  local failed
  wait_until "$boot_limit" is_reachable || die "the machine was not up after $boot_limit s"
  if ! in_machine systemctl is-system-running --wait >/dev/null; then
    failed=$(in_machine systemctl list-units --failed --no-legend --plain)
    [[ -z $failed ]] || die "the machine has booted, but: $failed"
  fi
}

# Prints the id of the current boot.
boot_id() {
  ssh_timeout=15 in_machine cat /proc/sys/kernel/random/boot_id
}

# Reboots the machine in order, and waits until it has booted.
reboot_machine() {
  local before
  before=$(boot_id)
  in_machine systemctl reboot || true
  close_ssh
  wait_until "$boot_limit" has_booted_since "$before" || die "the machine has not booted again"
  wait_for_boot
}

# Returns true if the machine is reachable in another boot than $1.
has_booted_since() {
  local now
  if ! now=$(boot_id 2>/dev/null) || [[ $now == "$1" ]]; then
    close_ssh
    return 1
  fi
}

# Cuts the machine's power: what it has not flushed to the disk is lost.
cut_power() {
  local pid
  pid=$(cat "$machine/pid")
  kill -KILL "$pid"
  wait_until 20 has_ended "$pid"
  remove_tap_network
  close_ssh
}

# Returns true if process $1 has ended.
has_ended() {
  ! is_running "$1"
}

# Kills the machine, if it runs, and removes its network.
end_machine() {
  remove_tap_network
  [[ -s $machine/pid ]] || return 0
  close_ssh
  kill -KILL "$(cat "$machine/pid")" 2>/dev/null || true
}
