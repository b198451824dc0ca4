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
  local name=$1 input
  rm -f "$machine/$name.in"
  mkfifo "$machine/$name.in"
  : >"$machine/$name.out"
  # The state is what a client comes back with: everybody has their own.
  XDG_STATE_HOME=$machine/state-$name XDG_CONFIG_HOME=$machine/none \
    "${chat_client:?}" "$(chat_address)" --name "$name" --wait --json "${@:2}" \
    <"$machine/$name.in" >"$machine/$name.out" 2>"$machine/$name.err" &
  visitor_pid[$name]=$!
  exec {input}>"$machine/$name.in"
  visitor_input[$name]=$input
  sees "$name" '"type":"history_end"' || die "$name did not come in: $(tail -n 3 "$machine/$name.out" "$machine/$name.err")"
}

# Lets a person say something plain: no quotation marks, no backslashes.
says() {
  runs "${visitor_pid[$1]}" || die "$1 is gone: $(tail -n 3 "$machine/$1.out" "$machine/$1.err")"
  printf '{"type":"say","text":"%s"}\n' "$2" >&"${visitor_input[$1]}"
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
  echo '{"type":"quit"}' >&"$input"
  exec {input}>&-
  unset "visitor_input[$1]" "visitor_pid[$1]"
  wait "$pid" || die "$1 did not leave in order: $(tail -n 2 "$machine/$1.out")"
}

# Ends everybody who is still there.
all_leave() {
  local name
  for name in "${!visitor_pid[@]}"; do
    kill -KILL "${visitor_pid[$name]}" 2>/dev/null || true
  done
}
