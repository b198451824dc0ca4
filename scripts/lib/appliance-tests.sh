# shellcheck shell=bash
# The tests of scripts/test-appliance: test_NAME for each line of its table. They
# run in that order on one machine; each starts with the server installed and
# serving, and leaves it so. Sourced, never run; `packages` has to be the directory
# with the package for the machine's architecture, and `chat_client` a chat-client
# of this host.
# shellcheck source=scripts/lib/chat-clients.sh
. "$(dirname "${BASH_SOURCE[0]}")/chat-clients.sh"
# shellcheck source=scripts/lib/emulated-machine.sh
. "$root/scripts/lib/emulated-machine.sh"

# The server's configuration, in the machine.
config=/etc/chat-server/config.toml

# The exit status of `chat-client discover` if there is no server.
nothing_found=69

# Adds a measurement to the test's line of output.
note() {
  echo "$*" >>"$machine/notes"
}

# Skips the current test, with the reason; fails if namespaces are required.
skip() {
  [[ -z ${PI_CHAT_NEED_NETNS-} ]] || die "$*"
  note "$*"
  exit "$exit_skipped"
}

# Runs apt-get in the machine without questions; edited configuration files are kept.
apt_get() {
  in_machine DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$machine/apt.log" 2>&1 ||
    die "apt-get $* failed: $(cat "$machine/apt.log")"
}

# Copies package $1 into the machine and installs it.
install_package() {
  write_file /root/chat-server.deb <"$1"
  apt_get install --allow-downgrades /root/chat-server.deb
}

# Prints a systemd property of the server.
property() {
  in_machine systemctl show chat-server --property="$1" --value
}

# Returns true if the server is active.
is_serving() {
  in_machine systemctl is-active --quiet chat-server
}

# Returns true if the server is active with another process id than $1.
serves_as_new_process() {
  local pid
  pid=$(property MainPID)
  [[ $pid != 0 && $pid != "$1" ]] && is_serving
}

# Notes the beginning of a status text.
note_status() {
  note "it says: ${1:0:120}"
}

# Returns true if the status text, which the server itself has set, contains $1.
status_text_contains() {
  [[ $(property StatusText) == *"$1"* ]]
}

# Starts client $1 on this host, with the given flags of chat-client. It has a state
# directory of its own.
start_client() {
  launch_client "$1" env XDG_STATE_HOME="$machine/state-$1" XDG_CONFIG_HOME="$machine/none" \
    "${chat_client:?}" "$(chat_address)" --wait "${@:2}"
}

# Starts client $1 on the second machine, without the server's address.
start_client_on_second_machine() {
  launch_client "$1" on_second_machine XDG_STATE_HOME="$machine/state-$1" XDG_CONFIG_HOME="$machine/none" \
    "${chat_client:?}" --wait "${@:2}"
}

# Has client $1 send message $2, and waits $3 seconds for its echo.
send_and_confirm() {
  send_message "$1" "$2"
  wait_for_message "$1" "$2" "${3-}" || die "$1 is not answered: $2"
}

# Adds line $1 to the server's configuration, of which it keeps a copy, and runs
# `systemctl $2` for the server.
change_config() {
  in_machine "{ test -e /root/config.toml || cp --preserve $config /root/config.toml; } && echo '$1' >>$config"
  in_machine systemctl "$2" chat-server
}

# Restores the server's configuration from the copy.
restore_config() {
  in_machine "cat /root/config.toml >$config && rm /root/config.toml"
}

# Prints the machine's files, to find those that a package leaves behind. Logs,
# caches and the records of apt, dpkg and systemd are left out.
files_in_machine() {
  in_machine 'find / -xdev \( -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \
    -o -path /var/lib/systemd -o -path /var/backups -o -path /root -o -path /tmp -o -path /var/tmp \) -prune -o -print' |
    sort
}

test_install() {
  files_in_machine >"$machine/files-before"
  install_package "${packages:?}/chat-server.deb"
  is_serving || die "it was installed and does not serve"
  [[ $(in_machine systemctl is-enabled chat-server) == enabled ]] || die "it does not start with the machine"
  note "$(in_machine dpkg-query --show chat-server | tr '\t' ' ')"
}

test_talk() {
  start_client anna
  start_client bob
  send_message anna 'is the oven still on?'
  wait_for_message bob 'is the oven still on?' || die "bob does not hear anna"
  send_message bob 'no, I have turned it off'
  wait_for_message anna 'no, I have turned it off' || die "anna does not hear bob"
  wait_for_message anna 'is the oven still on?' || die "anna does not see what she said"
  quit_client anna
  quit_client bob
}

# The page's files, and a conversation over a WebSocket with a client of the other kind.
test_page() {
  local seen
  [[ $(in_machine chat-server status) == *:2480/* ]] || die "the status does not tell where to point a browser"
  start_client anna
  send_and_confirm anna 'hello browser'
  seen=$(python3 "$root/tests/browser_client.py" 127.0.0.1 "$(cat "$machine/web_port")" emil 'hello terminal') ||
    die "no page, or no talk: $seen"
  [[ $seen == *'heard anna: hello browser'* ]] || die "emil gets no history: $seen"
  wait_for_message anna 'hello terminal' || die "anna does not hear the browser"
  note "$(head -n 1 <<<"$seen")"
  quit_client anna
}

test_history() {
  local number
  start_client anna
  for number in {1..12}; do send_message anna "history $number"; done
  quit_client anna
  start_client carol
  for number in {3..12}; do
    [[ $(count_messages carol "history $number") == 1 ]] || die "carol does not see message $number once"
  done
  [[ $(count_messages carol 'history 2') == 0 ]] || die "carol sees more than the 10 most recent"
  quit_client carol
}

test_memory() {
  local pid resident
  in_machine systemctl restart chat-server
  pid=$(property MainPID)
  resident=$(in_machine cat "/proc/$pid/status" | awk '$1 == "VmRSS:" { print $2 }')
  note "$resident kB resident"
  ((resident < 10240)) || die "idle, it has $resident kB of memory: over 10 MB"
}

test_watchdog() {
  local pid dropin=/run/systemd/system/chat-server.service.d stopped
  in_machine "mkdir -p $dropin && printf '[Service]\nWatchdogSec=5\n' >$dropin/test.conf && systemctl daemon-reload && systemctl restart chat-server"
  start_client anna
  send_and_confirm anna 'before it hangs'
  pid=$(property MainPID)
  stopped=$SECONDS
  in_machine kill -STOP "$pid"
  wait_until 120 serves_as_new_process "$pid" || die "nobody has noticed that it hangs"
  note "back after $((SECONDS - stopped)) s"
  send_and_confirm anna 'after it hung' 60
  [[ $(count_messages anna 'before it hangs') == 1 ]] || die "anna is shown again what she had seen"
  quit_client anna
  in_machine "rm -r $dropin && systemctl daemon-reload && systemctl restart chat-server"
}

test_killed() {
  local pid killed
  start_client anna
  send_and_confirm anna 'before the kill'
  pid=$(property MainPID)
  killed=$SECONDS
  in_machine kill -KILL "$pid"
  send_message anna 'said to nobody'
  wait_until 60 serves_as_new_process "$pid" || die "it stays dead"
  note "back after $((SECONDS - killed)) s"
  wait_for_message anna 'said to nobody' 60 || die "what anna said meanwhile is lost"
  [[ $(count_messages anna 'before the kill') == 1 && $(count_messages anna 'said to nobody') == 1 ]] ||
    die "anna is shown a message twice"
  start_client bob
  [[ $(count_messages bob 'before the kill') == 1 ]] || die "what was said before is lost"
  quit_client anna
  quit_client bob
}

test_wrong_config() {
  local said=no
  change_config 'nonsense = 1' restart 2>/dev/null && die "it starts with a configuration that makes no sense"
  wait_until 30 status_text_contains nonsense && said=yes
  note_status "$(property StatusText)"
  # systemd restarts it again and again, so it need not be started.
  restore_config
  wait_until 60 is_serving || die "it does not come back when the configuration is right again"
  [[ $said == yes ]] || die "the status line does not say what is wrong"
}

test_reload() {
  local pid
  pid=$(property MainPID)
  start_client anna
  change_config 'name = "attic"' reload
  # Each new client is told the name.
  wait_until 20 is_called attic || die "a new name is not taken over"
  change_config 'nonsense = 1' reload
  wait_until 20 status_text_contains nonsense || die "the status line does not say that the new configuration is wrong"
  is_called attic || die "the old configuration is not kept"
  restore_config
  in_machine systemctl reload chat-server
  send_and_confirm anna 'still here'
  grep --quiet '"state":"disconnected"' "$machine/anna.out" && die "anna was thrown out"
  quit_client anna
  [[ $(property MainPID) == "$pid" ]] || die "it was restarted"
}

# Returns true if the server tells clients that its name is $1.
is_called() {
  local status=0
  start_client zoe
  grep --quiet --fixed-strings "\"server\":\"$1\"" "$machine/zoe.out" || status=1
  quit_client zoe
  return "$status"
}

test_status() {
  local told
  told=$(in_machine chat-server status) || die "it does not tell that it is healthy: $told"
  note "$(sed -n 's/^memory  *\(.*\)/\1 of memory/p' <<<"$told")"
  [[ $told == *"kept in /var/lib/chat-server"* ]] || die "it does not keep messages: $told"
}

# The second machine is on the tap network, the server's second network.
test_discovery() {
  local link looking began status=0
  [[ -e $machine/tap-network ]] || skip "without root or sudo there is no second machine"
  link=$(in_machine ip -oneline link | sed -n "s/^[0-9]*: \([^:]*\):.*$tap_guest_mac.*/\1/p")
  # The server runs before its network is up.
  began=$SECONDS
  in_machine "ip link set $link up && ip address add 192.0.2.2/24 dev $link"
  wait_until 60 is_found_at 192.0.2.2 || die "it is not found: $(discover)"
  note "found after $((SECONDS - began)) s"
  start_client_on_second_machine anna
  send_and_confirm anna 'found you'

  began=$SECONDS
  in_machine "ip address delete 192.0.2.2/24 dev $link && ip address add 192.0.2.3/24 dev $link"
  wait_until 30 is_found_at 192.0.2.3 || die "it has moved and is not found again: $(discover)"
  [[ $(discover) != *192.0.2.2* ]] || die "it tells of the address that it had"
  note "found at another address after $((SECONDS - began)) s"
  start_client_on_second_machine bob
  send_message bob 'you have moved'
  # Anna's client sends a ping after 30 s of silence, and looks for the server again
  # after another 30 s without an answer.
  wait_for_message anna 'you have moved' 120 || die "anna has not found it again: $(last_output anna)"
  note "who was in is back after $((SECONDS - began)) s"
  quit_client anna
  quit_client bob

  # A goodbye is seen at once; without it the server would stay in the list.
  discover --wait 30 >"$machine/discovered" &
  looking=$!
  is_found_at 192.0.2.3 || die "it is not found: $(discover)"
  in_machine systemctl stop chat-server
  wait "$looking" || status=$?
  ((status == nothing_found)) || die "it went without a goodbye: $(cat "$machine/discovered")"
  in_machine systemctl start chat-server
  wait_until 30 is_found_at 192.0.2.3 || die "started again, it is not found"

  change_config 'announce = false' reload
  wait_until 30 is_hidden || die "it shall not be found and is: $(discover)"
  restore_config
  in_machine systemctl reload chat-server
  wait_until 30 is_found_at 192.0.2.3 || die "it shall be found again and is not"
  in_machine "ip address flush dev $link && ip link set $link down"
}

# Prints the servers that the second machine discovers; flags may be given.
discover() {
  on_second_machine "${chat_client:?}" discover --json "$@" 2>"$machine/discover.err"
}

# Returns true if the second machine discovers the server by its name and port, at
# address $1.
is_found_at() {
  local found
  found=$(discover) || return 1
  [[ $found == *'"name":"pi-chat"'* && $found == *'"port":2428'* && $found == *"\"$1:2428\""* ]]
}

# Returns true if the second machine discovers no server.
is_hidden() {
  local status=0
  discover >"$machine/discovered" || status=$?
  ((status == nothing_found))
}

# Makes an older package, with another configuration file, from the current one:
# scripts/package --version would build, and have the same configuration.
test_upgrade() {
  local older=$machine/older before installing number sent=0
  rm -rf "$older"
  dpkg-deb --raw-extract "${packages:?}/chat-server.deb" "$older"
  sed -i 's/^Version: .*/Version: 0.0.1/' "$older/DEBIAN/control"
  echo '# As it was in version 0.0.1.' >>"$older$config"
  dpkg-deb --root-owner-group --build "$older" "$older.deb" >/dev/null
  rm -rf "$older"
  install_package "$older.deb"
  in_machine "sed -i 's/^# name = .*/name = \"cellar\"/' $config && systemctl restart chat-server"

  start_client anna
  start_client bob
  send_message bob 'before the upgrade'
  wait_for_message anna 'before the upgrade' || die "anna does not hear bob"
  before=$(property MainPID)
  install_package "${packages:?}/chat-server.deb" &
  installing=$!
  # Messages are sent for as long as the upgrade takes, at the pace of a user.
  while kill -0 "$installing" 2>/dev/null; do
    sent=$((sent + 1))
    send_message bob "while upgrading $sent"
    sleep 0.5
  done
  wait "$installing"
  serves_as_new_process "$before" || die "the new version does not run"
  send_message bob 'after the upgrade'
  wait_for_message anna 'after the upgrade' 60 || die "anna does not come back"
  for ((number = 1; number <= sent; number++)); do
    [[ $(count_messages anna "while upgrading $number") == 1 ]] || die "anna has not got message $number once"
  done
  grep '"type":"welcome"' "$machine/anna.out" | tail -n 1 | grep --quiet '"session_kept":true,"position_kept":true' ||
    die "anna did not come back as who she was"
  quit_client anna
  quit_client bob
  in_machine grep --quiet "'^name = \"cellar\"'" "$config" || die "the edited configuration is gone"
  in_machine "rm $config"
  apt_get install --reinstall -o Dpkg::Options::=--force-confmiss /root/chat-server.deb
}

# Simulates a database of a newer version: sets its format number (SQLite's
# user_version, the 4 bytes from offset 60) to a higher one.
test_downgrade() {
  local database=/var/lib/chat-server/chat.db before after told
  start_client anna
  send_message anna 'before the downgrade'
  quit_client anna
  in_machine "systemctl stop chat-server && test ! -s $database-wal && cp --archive $database /root/older.db"
  in_machine "printf '\\0\\0\\3\\347' | dd of=$database bs=1 seek=60 conv=notrunc status=none"
  before=$(in_machine sha256sum "$database")
  in_machine systemctl start chat-server 2>/dev/null && die "it starts with messages of a newer version"
  wait_until 30 status_text_contains 'was written by a newer version' || true
  told=$(property StatusText)
  after=$(in_machine sha256sum "$database")
  # systemd restarts it again and again, so it need not be started.
  in_machine "mv /root/older.db $database"
  wait_until 60 is_serving || die "it does not come back with messages of its own"
  note_status "$told"
  [[ $told == *'was written by a newer version'* ]] || die "the status line does not say why it does not start"
  [[ $after == "$before" ]] || die "it has changed the newer version's messages"
  start_client bob
  [[ $(count_messages bob 'before the downgrade') == 1 ]] || die "the history is gone"
  quit_client bob
}

test_readable() {
  local database=/var/lib/chat-server/chat.db
  in_machine "systemctl stop chat-server && chmod 644 $database && systemctl start chat-server"
  [[ $(in_machine journalctl --no-pager --unit=chat-server --lines=20) == *"others could read $database"* ]] ||
    die "the journal does not tell"
  [[ $(in_machine stat --format=%a "$database") == 600 ]] || die "everybody can still read it"
}

# Runs a chat-peer named $1 in the machine, where the service's room is reachable,
# with input line $2, and prints its output.
run_visiting_peer() {
  in_machine "printf '%s\n' '$2' | XDG_STATE_HOME=/tmp/$1 chat-peer --name $1 --json"
}

test_peer() {
  local seen
  in_machine systemctl --quiet enable --now chat-peer
  run_visiting_peer anna '{"type":"say","text":"to whoever comes later"}' >/dev/null
  # Anna has left, so what bob receives comes from the service.
  seen=$(run_visiting_peer bob '{"type":"members"}')
  [[ $seen == *'"text":"to whoever comes later"'* ]] || die "the peer has not kept what was said: $seen"
}

# Returns true if chat-peer.service is active.
peer_runs() {
  in_machine systemctl is-active --quiet chat-peer
}

test_backup() {
  local data=/var/lib/chat-server
  start_client anna
  send_and_confirm anna 'before the backup'
  in_machine "rm -f /tmp/chat-backup.db && runuser -u chat-server -- chat-server backup --data $data /tmp/chat-backup.db" >/dev/null
  send_message anna 'after the backup'
  quit_client anna
  # The commands of docs/appliance.md.
  in_machine "systemctl stop chat-server && rm -f $data/chat.db $data/chat.db-wal $data/chat.db-shm &&
    install -o chat-server -g chat-server -m 600 /tmp/chat-backup.db $data/chat.db && systemctl start chat-server"
  start_client bob
  [[ $(count_messages bob 'before the backup') == 1 && $(count_messages bob 'after the backup') == 0 ]] ||
    die "what is there is not what was backed up"
  quit_client bob
  in_machine chat-server check --data "$data" >/dev/null || die "the database has faults"
}

test_reboot() {
  local started
  in_machine systemctl --quiet enable --now chat-peer
  start_client anna
  send_and_confirm anna 'before the reboot'
  started=$SECONDS
  reboot_machine
  wait_until 60 peer_runs || die "the peer is not back"
  note "up after $((SECONDS - started)) s, serving $(serving_since) s after the kernel began"
  send_and_confirm anna 'after the reboot' 60
  start_client bob
  [[ $(count_messages bob 'before the reboot') == 1 ]] || die "the history is gone"
  in_machine systemctl --quiet disable --now chat-peer
  quit_client anna
  quit_client bob
}

# Prints when the server was ready, in seconds since the kernel started.
serving_since() {
  echo "$(($(property ActiveEnterTimestampMonotonic) / 1000000))"
}

# docs/durability.md, b: messages older than a second survive, and of the newer ones
# a prefix.
test_power_cut() {
  local number last=0
  start_client anna
  send_and_confirm anna 'before the power cut'
  # The promise is about time: a message is safe after one second. The rest is for a
  # slow machine.
  sleep 3
  for number in {1..8}; do send_message anna "at the last moment $number"; done
  wait_for_message anna 'at the last moment 1' || die "anna is not answered"
  cut_power
  kill_clients
  start_machine
  wait_until 60 is_serving || die "it does not come back"
  note "serving $(serving_since) s after the kernel began"
  start_client bob
  [[ $(count_messages bob 'before the power cut') == 1 ]] || die "what was said 3 s before is lost"
  for number in {1..8}; do
    [[ $(count_messages bob "at the last moment $number") == 1 ]] || break
    last=$number
  done
  while ((++number <= 8)); do
    [[ $(count_messages bob "at the last moment $number") == 0 ]] || die "message $((last + 1)) is lost, and $number is not"
  done
  note "$last of the last 8 messages are there"
  send_and_confirm bob 'after the power cut'
  quit_client bob
}

test_remove() {
  start_client anna
  send_message anna 'before it was removed'
  quit_client anna
  apt_get remove chat-server
  is_serving && die "it is removed and serves"
  in_machine 'test -e /var/lib/chat-server/chat.db && test -e /etc/chat-server/config.toml' ||
    die "its messages or its configuration are gone"
  install_package "${packages:?}/chat-server.deb"
  start_client bob
  [[ $(count_messages bob 'before it was removed') == 1 ]] || die "the history is gone"
  quit_client bob
}

test_purge() {
  local left
  apt_get purge chat-server
  left=$(files_in_machine | comm -13 "$machine/files-before" -)
  [[ -z $left ]] || die "left behind: $left"
  in_machine getent passwd chat-server && die "its user is left behind"
  install_package "${packages:?}/chat-server.deb"
  start_client bob
  grep --quiet '"type":"message"' "$machine/bob.out" && die "it remembers what was said before it was purged"
  quit_client bob
}
