# shellcheck shell=bash
# People on the chat of the emulated machine: chat-clients of this host that
# speak JSON lines (docs/json.md). Sourced, never run; `chat_client` has to say
# which program that is.
# shellcheck source=scripts/lib/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

# Each person's process and the descriptor that their input is written to.
declare -A visitor_pid=() visitor_input=()

# Brings a person in, and returns when they have been shown what was said
# before. Flags of chat-client may follow the name.
enter() {
  visit "$1" env "$(chat_address)" "${@:2}"
}

# The same from the second machine. They are not told where the server is.
enter_by_wire() {
  visit "$1" at_far_end "${@:2}"
}

# Starts a person's client with `env` or what takes its place, and waits until
# they are in.
visit() {
  local name=$1 input
  rm -f "$machine/$name.in"
  mkfifo "$machine/$name.in"
  : >"$machine/$name.out"
  # The state is what a client comes back with: everybody has their own.
  "$2" XDG_STATE_HOME="$machine/state-$name" XDG_CONFIG_HOME="$machine/none" \
    "${chat_client:?}" "${@:3}" --name "$name" --wait --json \
    <"$machine/$name.in" >"$machine/$name.out" 2>"$machine/$name.err" &
  visitor_pid[$name]=$!
  exec {input}>"$machine/$name.in"
  visitor_input[$name]=$input
  sees "$name" '"type":"history_end"' || die "$name did not come in: $(last_words "$name")"
}

# Lets a person say something plain: no quotation marks, no backslashes.
says() {
  # One who is gone would end this shell by SIGPIPE, without a word: the shell
  # within dies of it instead.
  (printf '{"type":"say","text":"%s"}\n' "$2" >&"${visitor_input[$1]}") || die_of_absence "$1"
}

# Tells that somebody's client has ended, how, and what it said last.
die_of_absence() {
  local status=0
  wait "${visitor_pid[$1]}" || status=$?
  die "the client of $1 has ended with status $status: $(last_words "$1")"
}

# Prints what somebody's client said last.
last_words() {
  tail -n 3 "$machine/$1.out" "$machine/$1.err"
}

# Whether the person's client has told a line, or comes to do so within 30 (or
# $3) seconds.
sees() {
  wait_until "${3:-30}" grep --quiet --fixed-strings -- "$2" "$machine/$1.out"
}

# Whether the person sees the text, said by somebody, within so many seconds.
hears() {
  sees "$1" "\"text\":\"$2\"" "${3:-30}"
}

# How often the person was shown the text.
times_heard() {
  grep '"type":"message"' "$machine/$1.out" | grep --count --fixed-strings "\"text\":\"$2\"" || true
}

# Lets a person leave in order: everything they said has arrived then. They are
# told to, for others may have inherited the end of their input.
leaves() {
  local input=${visitor_input[$1]} pid=${visitor_pid[$1]}
  (echo '{"type":"quit"}' >&"$input") || die_of_absence "$1"
  exec {input}>&-
  unset "visitor_input[$1]" "visitor_pid[$1]"
  wait "$pid" || die "$1 did not leave in order (status $?): $(last_words "$1")"
}

# Ends everybody who is still there.
all_leave() {
  local name
  for name in "${!visitor_pid[@]}"; do
    # The shell would tell that they were killed.
    { kill -KILL "${visitor_pid[$name]}" && wait "${visitor_pid[$name]}"; } 2>/dev/null || true
  done
}
