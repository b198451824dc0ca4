# shellcheck shell=bash
# What scripts/test-appliance tests, a function for each of its names. They run
# in the order of its table, on one machine; each finds the server installed
# and serving, and leaves it so. Sourced, never run; `packages` has to be the
# directory with the package for the machine's architecture.
# shellcheck source=scripts/lib/chat-clients.sh
. "$(dirname "${BASH_SOURCE[0]}")/chat-clients.sh"

# Keeps a measured figure for the test's line.
note() {
  echo "$*" >>"$machine/notes"
}

# Ends a test that this host can't do, and says why.
skip() {
  [[ -z ${PI_CHAT_NEED_NETNS-} ]] || die "$*"
  note "$*"
  exit "$exit_skipped"
}

# Runs apt-get in the machine as somebody would who is not asked anything:
# files that were edited are kept.
apt_get() {
  in_machine DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$machine/apt.log" 2>&1 ||
    die "apt-get $* failed: $(cat "$machine/apt.log")"
}

# Installs a package of this host in the machine.
install_package() {
  write_file /root/chat-server.deb <"$1"
  apt_get install --allow-downgrades /root/chat-server.deb
}

# Prints what systemd says of the server.
property() {
  in_machine systemctl show chat-server --property="$1" --value
}

# Whether the server serves.
is_serving() {
  in_machine systemctl is-active --quiet chat-server
}

# Whether the server serves as another process than the given one.
serves_as_new_process() {
  local pid
  pid=$(property MainPID)
  [[ $pid != 0 && $pid != "$1" ]] && is_serving
}

# Notes the beginning of a status line.
note_status() {
  note "it says: ${1:0:120}"
}

# Whether the status line, that of the program itself, has the words in it.
status_text_contains() {
  [[ $(property StatusText) == *"$1"* ]]
}

# Prints the files that a package could leave behind. What the system itself
# writes down for having had a package is not among them.
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
  send_message anna 'before it hangs'
  wait_for_message anna 'before it hangs' || die "anna is not answered"
  pid=$(property MainPID)
  stopped=$SECONDS
  in_machine kill -STOP "$pid"
  wait_until 120 serves_as_new_process "$pid" || die "nobody has noticed that it hangs"
  note "back after $((SECONDS - stopped)) s"
  send_message anna 'after it hung'
  wait_for_message anna 'after it hung' 60 || die "anna is not back"
  [[ $(count_messages anna 'before it hangs') == 1 ]] || die "anna is shown again what she had seen"
  quit_client anna
  in_machine "rm -r $dropin && systemctl daemon-reload && systemctl restart chat-server"
}

test_killed() {
  local pid killed
  start_client anna
  send_message anna 'before the kill'
  wait_for_message anna 'before the kill' || die "anna is not answered"
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
  local config=/etc/chat-server/config.toml said=no
  in_machine "cp --preserve $config /root/config.toml && echo 'nonsense = 1' >>$config"
  in_machine systemctl restart chat-server 2>/dev/null && die "it starts with a configuration that makes no sense"
  wait_until 30 status_text_contains nonsense && said=yes
  note_status "$(property StatusText)"
  # It is tried again and again, so nobody need start it.
  in_machine "cat /root/config.toml >$config"
  wait_until 60 is_serving || die "it does not come back when the configuration is right again"
  [[ $said == yes ]] || die "the status line does not say what is wrong"
}

test_reload() {
  local config=/etc/chat-server/config.toml pid
  pid=$(property MainPID)
  start_client anna
  in_machine "cp --preserve $config /root/config.toml && echo 'name = \"attic\"' >>$config && systemctl reload chat-server"
  # Each entering shows the name once more.
  wait_until 20 is_called attic || die "a new name is not taken over"
  in_machine "echo 'nonsense = 1' >>$config && systemctl reload chat-server"
  wait_until 20 status_text_contains nonsense || die "the status line does not say that the new configuration is wrong"
  is_called attic || die "the old configuration is not kept"
  in_machine "cat /root/config.toml >$config && systemctl reload chat-server"
  send_message anna 'still here'
  wait_for_message anna 'still here' || die "anna does not get through"
  grep --quiet '"state":"disconnected"' "$machine/anna.out" && die "anna was thrown out"
  quit_client anna
  [[ $(property MainPID) == "$pid" ]] || die "it was restarted"
}

# Whether the server calls itself so.
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

# From a second machine, on a network of the two: the server has that one
# beside QEMU's own.
test_discovery() {
  local config=/etc/chat-server/config.toml link looking began status=0
  [[ -e $machine/tap-network ]] || skip "without root or sudo there is no second machine"
  link=$(in_machine ip -oneline link | sed -n "s/^[0-9]*: \([^:]*\):.*$tap_guest_mac.*/\1/p")
  # It is there before its network is.
  began=$SECONDS
  in_machine "ip link set $link up && ip address add 192.0.2.2/24 dev $link"
  wait_until 60 is_found_at 192.0.2.2 || die "it is not found: $(discover)"
  note "found after $((SECONDS - began)) s"
  start_client_on_second_machine anna
  send_message anna 'found you'
  wait_for_message anna 'found you' || die "anna is not answered"

  began=$SECONDS
  in_machine "ip address delete 192.0.2.2/24 dev $link && ip address add 192.0.2.3/24 dev $link"
  wait_until 30 is_found_at 192.0.2.3 || die "it has moved and is not found again: $(discover)"
  [[ $(discover) != *192.0.2.2* ]] || die "it tells of the address that it had"
  note "found at another address after $((SECONDS - began)) s"
  start_client_on_second_machine bob
  send_message bob 'you have moved'
  # Anna asks after 30 s of silence whether somebody is there, and looks for
  # the server again when nobody was for another 30 s.
  wait_for_message anna 'you have moved' 120 || die "anna has not found it again: $(last_output anna)"
  note "who was in is back after $((SECONDS - began)) s"
  quit_client anna
  quit_client bob

  # Who looks on is told of the end: what is not taken back stays in the list.
  discover --wait 30 >"$machine/discovered" &
  looking=$!
  is_found_at 192.0.2.3 || die "it is not found: $(discover)"
  in_machine systemctl stop chat-server
  wait "$looking" || status=$?
  ((status == nothing_found)) || die "it went without a goodbye: $(cat "$machine/discovered")"
  in_machine systemctl start chat-server
  wait_until 30 is_found_at 192.0.2.3 || die "started again, it is not found"

  in_machine "cp --preserve $config /root/config.toml && echo 'announce = false' >>$config && systemctl reload chat-server"
  wait_until 30 is_hidden || die "it shall not be found and is: $(discover)"
  in_machine "cat /root/config.toml >$config && systemctl reload chat-server"
  wait_until 30 is_found_at 192.0.2.3 || die "it shall be found again and is not"
  in_machine "ip address flush dev $link && ip link set $link down"
}

# Prints the servers that the second machine finds; flags may be given.
discover() {
  on_second_machine "${chat_client:?}" discover --json "$@" 2>"$machine/discover.err"
}

# Whether the second machine finds the server, with its name and its port, at
# the address.
is_found_at() {
  local found
  found=$(discover) || return 1
  [[ $found == *'"name":"pi-chat"'* && $found == *'"port":2428'* && $found == *"\"$1:2428\""* ]]
}

# What chat-client says where there is no server.
nothing_found=69

# Whether the second machine finds nothing.
is_hidden() {
  local status=0
  discover >"$machine/discovered" || status=$?
  ((status == nothing_found))
}

# An older package, with another configuration, is made of the one at hand:
# scripts/package --version would build, and its configuration is the same.
test_upgrade() {
  local older=$machine/older config=/etc/chat-server/config.toml before
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
  # They talk on while it is upgraded.
  for number in {1..20}; do
    send_message bob "while upgrading $number"
    sleep 1
  done
  wait $!
  serves_as_new_process "$before" || die "the new version does not run"
  send_message bob 'after the upgrade'
  wait_for_message anna 'after the upgrade' 60 || die "anna does not come back"
  for number in {1..20}; do
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

# As a version would find it that has been replaced by a newer one: the number
# of the format, which SQLite keeps in the bytes from 60 on, is higher.
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
  # It is tried again and again, so nobody need start it.
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

# Lets somebody visit the peers' room: a chat-peer in the machine itself, for
# nothing but ssh and the chat's port leads in. Prints what they are told.
run_visiting_peer() {
  in_machine "printf '%s\n' '$2' | XDG_STATE_HOME=/tmp/$1 chat-peer --name $1 --json"
}

test_peer() {
  local seen
  in_machine systemctl --quiet enable --now chat-peer
  run_visiting_peer anna '{"type":"say","text":"to whoever comes later"}' >/dev/null
  # anna has gone: what bob is shown, the service has kept.
  seen=$(run_visiting_peer bob '{"type":"members"}')
  [[ $seen == *'"text":"to whoever comes later"'* ]] || die "the peer has not kept what was said: $seen"
}

# Whether chat-peer.service runs.
peer_runs() {
  in_machine systemctl is-active --quiet chat-peer
}

test_backup() {
  local data=/var/lib/chat-server
  start_client anna
  send_message anna 'before the backup'
  wait_for_message anna 'before the backup' || die "anna is not answered"
  in_machine "rm -f /tmp/chat-backup.db && runuser -u chat-server -- chat-server backup --data $data /tmp/chat-backup.db" >/dev/null
  send_message anna 'after the backup'
  quit_client anna
  # As docs/appliance.md has it.
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
  send_message anna 'before the reboot'
  wait_for_message anna 'before the reboot' || die "anna is not answered"
  started=$SECONDS
  reboot_machine
  wait_until 60 peer_runs || die "the peer is not back"
  note "up after $((SECONDS - started)) s, serving $(serving_since) s after the kernel began"
  send_message anna 'after the reboot'
  wait_for_message anna 'after the reboot' 60 || die "anna is not back"
  start_client bob
  [[ $(count_messages bob 'before the reboot') == 1 ]] || die "the history is gone"
  in_machine systemctl --quiet disable --now chat-peer
  quit_client anna
  quit_client bob
}

# Prints when, in seconds since the kernel began, the server was ready.
serving_since() {
  echo "$(($(property ActiveEnterTimestampMonotonic) / 1000000))"
}

# docs/durability.md, b: what is older than a second is there; of what is not,
# a beginning.
test_power_cut() {
  local number last=0
  start_client anna
  send_message anna 'before the power cut'
  wait_for_message anna 'before the power cut' || die "anna is not answered"
  # The second after which a message is safe, and as much for a slow machine.
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
  send_message bob 'after the power cut'
  wait_for_message bob 'after the power cut' || die "nobody can talk"
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
