# shellcheck shell=bash
# Chat clients of this host that tests control: chat-client or chat-peer with
# JSON lines on stdin and stdout (docs/json.md). Sourced, never run; `machine` has
# to be the test's directory. Client NAME has the files NAME.in, NAME.out and
# NAME.err there.
# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Each client's process id, and the descriptor of its input.
declare -A client_pid=() client_input=()

# Seconds that a client may take to show a line, unless a call gives another limit.
client_timeout=30

# Starts client $1, by the given command without its last arguments --name and
# --json, and waits until it has shown the history.
launch_client() {
  local name=$1 input
  rm -f "${machine:?}/$name.in"
  mkfifo "$machine/$name.in"
  : >"$machine/$name.out"
  "${@:2}" --name "$name" --json <"$machine/$name.in" >"$machine/$name.out" 2>"$machine/$name.err" &
  client_pid[$name]=$!
  exec {input}>"$machine/$name.in"
  client_input[$name]=$input
  wait_for_output "$name" '"type":"history_end"' || die "$name did not come in: $(last_output "$name")"
}

# Has a client send a message. The text must not contain quotation marks or
# backslashes.
send_message() {
  # A subshell, for SIGPIPE would end this shell without a message if the client
  # has ended.
  (printf '{"type":"say","text":"%s"}\n' "$2" >&"${client_input[$1]}") || die_client_ended "$1"
}

# Exits because a client has ended, with its status and its last output.
die_client_ended() {
  local status=0
  wait "${client_pid[$1]}" || status=$?
  die "the client of $1 has ended with status $status: $(last_output "$1")"
}

# Prints the last lines of a client's output.
last_output() {
  tail -n 3 "$machine/$1.out" "$machine/$1.err"
}

# Waits until client $1 has printed a line that contains $2; fails after $3
# seconds.
wait_for_output() {
  wait_until "${3:-$client_timeout}" grep --quiet --fixed-strings -- "$2" "$machine/$1.out"
}

# Waits until client $1 has received a message with text $2; fails after $3
# seconds.
wait_for_message() {
  wait_for_output "$1" "\"text\":\"$2\"" "${3-}"
}

# Prints how many messages with text $2 client $1 has received.
count_messages() {
  grep '"type":"message"' "$machine/$1.out" | grep --count --fixed-strings "\"text\":\"$2\"" || true
}

# Quits a client in order, so that everything it has sent has arrived, and checks
# its exit status. (Closing its input is not enough: processes that were started
# later may have inherited the descriptor.)
quit_client() {
  local input=${client_input[$1]} pid=${client_pid[$1]}
  (echo '{"type":"quit"}' >&"$input") || die_client_ended "$1"
  exec {input}>&-
  unset "client_input[$1]" "client_pid[$1]"
  wait "$pid" || die "$1 did not leave in order (status $?): $(last_output "$1")"
}

# Kills all clients that still run.
kill_clients() {
  local name
  for name in "${!client_pid[@]}"; do
    # Without this redirection the shell would report the kill.
    { kill -KILL "${client_pid[$name]}" && wait "${client_pid[$name]}"; } 2>/dev/null || true
  done
}
