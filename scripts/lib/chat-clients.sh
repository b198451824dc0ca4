# shellcheck shell=bash
# People on the chat of the emulated machine: chat-clients of this host that
# speak JSON lines (docs/json.md). Sourced, never run; `chat_client` has to say
# which program that is.
# shellcheck source=scripts/lib/emulated-machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/emulated-machine.sh"

# Each person's process and the descriptor that their input is written to.
declare -A client_pid=() client_input=()

# Brings a person in, and returns when they have been shown what was said
# before. Flags of chat-client may follow the name.
start_client() {
  launch_client "$1" env "$(chat_address)" "${@:2}"
}

# The same from the second machine. They are not told where the server is.
start_client_on_second_machine() {
  launch_client "$1" on_second_machine "${@:2}"
}

# Starts a person's client with `env` or what takes its place, and waits until
# they are in.
launch_client() {
  local name=$1 input
  rm -f "$machine/$name.in"
  mkfifo "$machine/$name.in"
  : >"$machine/$name.out"
  # The state is what a client comes back with: everybody has their own.
  "$2" XDG_STATE_HOME="$machine/state-$name" XDG_CONFIG_HOME="$machine/none" \
    "${chat_client:?}" "${@:3}" --name "$name" --wait --json \
    <"$machine/$name.in" >"$machine/$name.out" 2>"$machine/$name.err" &
  client_pid[$name]=$!
  exec {input}>"$machine/$name.in"
  client_input[$name]=$input
  wait_for_output "$name" '"type":"history_end"' || die "$name did not come in: $(last_output "$name")"
}

# Lets a person say something plain: no quotation marks, no backslashes.
send_message() {
  # One who is gone would end this shell by SIGPIPE, without a word: the shell
  # within dies of it instead.
  (printf '{"type":"say","text":"%s"}\n' "$2" >&"${client_input[$1]}") || die_client_ended "$1"
}

# Tells that somebody's client has ended, how, and what it said last.
die_client_ended() {
  local status=0
  wait "${client_pid[$1]}" || status=$?
  die "the client of $1 has ended with status $status: $(last_output "$1")"
}

# Prints what somebody's client said last.
last_output() {
  tail -n 3 "$machine/$1.out" "$machine/$1.err"
}

# Whether the person's client has told a line, or comes to do so within 30 (or
# $3) seconds.
wait_for_output() {
  wait_until "${3:-30}" grep --quiet --fixed-strings -- "$2" "$machine/$1.out"
}

# Whether the person sees the text, said by somebody, within so many seconds.
wait_for_message() {
  wait_for_output "$1" "\"text\":\"$2\"" "${3:-30}"
}

# How often the person was shown the text.
count_messages() {
  grep '"type":"message"' "$machine/$1.out" | grep --count --fixed-strings "\"text\":\"$2\"" || true
}

# Lets a person leave in order: everything they said has arrived then. They are
# told to, for others may have inherited the end of their input.
quit_client() {
  local input=${client_input[$1]} pid=${client_pid[$1]}
  (echo '{"type":"quit"}' >&"$input") || die_client_ended "$1"
  exec {input}>&-
  unset "client_input[$1]" "client_pid[$1]"
  wait "$pid" || die "$1 did not leave in order (status $?): $(last_output "$1")"
}

# Ends everybody who is still there.
kill_clients() {
  local name
  for name in "${!client_pid[@]}"; do
    # The shell would tell that they were killed.
    { kill -KILL "${client_pid[$name]}" && wait "${client_pid[$name]}"; } 2>/dev/null || true
  done
}
