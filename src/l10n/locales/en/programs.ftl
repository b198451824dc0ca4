# Texts about the programs: start, connection, end, and what does not work.

## What the client says about requests

client-no-search = This server cannot search.
client-no-directory = This server does not list its rooms.
client-no-moderation = This server has no moderation.
client-no-claims = Names cannot be claimed here: the server is too old, keeps nothing on disk, or was shown no key.
client-former-log = The server has a new log, so somebody else may have this name now. The message may have arrived before. Send it again if you like.
client-message-too-long = The message is too long: it has { $bytes } bytes, and this server takes { $limit }.
client-text-invalid = { $error ->
    [empty] Not sent: the message is empty (it has { $bytes } bytes).
    [control] Not sent: the message contains a control character (it has { $bytes } bytes).
   *[long] Not sent: the message is longer than { $limit } bytes (it has { $bytes } bytes).
}
client-queue-full = Not sent: { $count } messages are already waiting for the server.
client-several-rooms = You are in several rooms. Say which one you mean.
client-search-too-long = This is too long to search for: it has { $bytes } bytes, and { $limit } is the most.
client-name-too-long = That name is too long.
client-perhaps-done = The connection was lost before the answer. This may have been done or not.
client-claimed = { $name } is your name now: nobody gets it without the key of this device
client-no-claim = you have claimed no name here
client-claim-given-up = you have given up your claim: whoever comes first may have the name when you are away, and a new claim may need a new invitation
client-others-unlinked = { $name } is the name of this device alone now: your other devices are out, and each needs a new link code to come in under it

## What the client says about the connection

client-connecting-again = Connecting again.
client-nothing-answered = Nothing answered there.
client-fell-silent = The server fell silent.
client-no-answer = The server does not answer.
client-not-reached-in-time = The server could not be reached in time.
client-not-pi-chat = The other side does not speak pi-chat.
client-frame-unreadable = The server sent a frame of kind { $kind } that cannot be read.
client-version-unknown = The server chose version { $version } of the protocol, which this client does not speak.
client-server-too-old = The server speaks versions { $min } to { $max } of the protocol, this client speaks { $own }. Update the server.
client-too-old = The server speaks versions { $min } to { $max } of the protocol, this client speaks { $own }. Update this client.

## What a peer says about requests

peer-too-many-requests = Too many requests are already waiting.
peer-too-many-messages = Not sent: too many messages are already waiting.
peer-admitted = { $name } may come in.
peer-not-admitted = { $name } may not come in.
peer-not-waiting = { $name } is not waiting to come in.
peer-one-room = Without a server there is one room only.
peer-stays-in-room = chat-peer stays in one room. To be in another one too, start chat-peer again.
peer-no-history = There is nothing older than what was shown.
peer-no-search = There is nothing to search without a server.
peer-no-moderators = There are no moderators without a server.
peer-no-claims = Names cannot be claimed without a server.
peer-message-too-long = The message is too long: it has { $bytes } bytes, and without a server { $limit } is the most.
peer-text-invalid = { $error ->
    [empty] Not sent: the message is empty.
    [control] Not sent: the message contains a control character.
   *[long] Not sent: the message is longer than { $limit } bytes.
}
peer-sequences-used-up = This program has sent as many messages as it can number. Start it again.
peer-counter-at-end = The room's counter is at its end.
peer-name-invalid = That cannot be a name.
peer-blocked = { $keys ->
    [0] The name { $name } is blocked. No { $name } is here whose key is known, so nothing is hidden: block again to hide what a { $name } who is here writes. Your peer objects to anybody who joins as { $name }. To end it: /unblock { $name }, or quit.
    [1] You block { $name } now. What { $name } writes is hidden from you, also under another name, because it goes by the key; the others can still read it, and { $name } can still read what you write. Your peer objects to anybody who joins with this key or as { $name }. But { $name } is not recognised with a new key and another name. To end it, type /unblock { $name }, or quit.
   *[other] { $name } is blocked. { $keys } who are here hold this name: what each of them writes with the present key is hidden from you, also under another name; the others still read it, and they still read what you write. Your peer objects to anybody who joins with one of these keys or as { $name }. To end it: /unblock { $name }, or quit.
}
peer-unblocked = { $name } is not blocked any more. What was hidden stays hidden; what { $name } writes from now on is shown. Your peer does not object any more; others may have blocked { $name } as well.
peer-not-blocked = { $name } is not blocked. Type /block to see who is.
peer-block-list-name = { $name } (only the name)
peer-block-list = { $count ->
    [0] Nobody is blocked.
   *[other] Blocked: { $names }.
}

## What a peer says about the others

peer-group-full = Too many peers come from { $group }. Nobody else from there can come in.
peer-room-full = This room is full. Nobody else can come in.
peer-own-name-shared = Somebody else here is called { $name } too. One of the two will get another name.
peer-name-shared = Two people here are called { $name }. One of the two will get another name.
peer-unknown-objector = Somebody unknown has objected to you. Nobody here knows them, so it does not count.
peer-not-heard = Nobody seems to hear you, though you hear { $names }. Something blocks one direction, here or there: run "chat-peer doctor" on both machines.
peer-not-heard-more = Nobody seems to hear you, though you hear { $names } and others. Something blocks one direction, here or there: run "chat-peer doctor" on both machines.
peer-clock-ahead = The clock of { $name } is { $time } ahead of yours: the times of those messages differ by that.
peer-clock-behind = The clock of { $name } is { $time } behind yours: the times of those messages differ by that.

## Errors of the operating system, within a sentence

io-connection-refused = connection refused
io-connection-reset = connection reset by peer
io-connection-aborted = software caused connection abort
io-host-unreachable = no route to host
io-network-unreachable = network is unreachable
io-network-down = network is down
io-timed-out = connection timed out
io-broken-pipe = broken pipe
io-address-in-use = address already in use
io-address-not-available = cannot assign requested address
io-permission-denied = permission denied
io-not-found = no such file or directory
io-storage-full = no space left on device
io-read-only = read-only file system
io-not-a-directory = not a directory
io-is-a-directory = is a directory
disk-unusable = cannot use { $path }: { $reason }
no-key-in-file = { $path } does not contain a key: remove it to get a new one
no-random-source = the system's random source does not work

## Start

program-error = error: { $text }
cannot-start = cannot start
terminal-unusable = cannot use this terminal (try --plain)
input-unreadable = cannot read the input
answer-unreadable = cannot read the answer
cannot-ask = cannot ask
plain-because-terminal = plain lines: this terminal cannot show a full screen
plain-because-output = plain lines: the output is not a terminal
plain-because-input = plain lines: the input is not a terminal
send-server-twice = the server is given twice: leave out --server, or the server before the text
fingerprints-differ = the fingerprint after --fingerprint and the one in the link differ: ask the server's owner which is right
key-unusable = { $reason }. (Names that were claimed with the old key need that key; to go on without a key, use --no-key.)

## Which server

discover-not-found = no server was found on this network. Is chat-server running, and are both machines on the same network (a guest Wi-Fi often keeps them apart)? If it runs somewhere else, say where, as in “chat-client raspberrypi.local”, or set PI_CHAT_SERVER, or 'server' in client.toml
discover-failed = cannot look for servers
mdns-fails = multicast DNS does not work on this computer
mdns-fails-because = multicast DNS does not work on this computer: { $reason }
mdns-port-unavailable = UDP port 5353 cannot be had: { $reason }
discover-not-written = cannot write the list
discover-still-looking = no server was found on this network yet; still looking
discover-found = found { $server }
discover-several = several servers were found on this network. Name the one that you want:
discover-list = Servers on this network:
discover-which = Which one? Type its name, or 1 to { $count }:
discover-none-chosen = no server was chosen
discover-server = { $name } at { $addresses } ({ $host })
discover-server-version = { $name } at { $addresses } ({ $host }, version { $version })
chosen-server-gone = the server is no longer there
no-such-server = “{ $text }” is no server in the list, nor an address: { $reason }.
forget-no-address = “{ $text }” is not the address of a server: { $reason }
forget-no-port = the port is missing: write chats://HOST:PORT, as the message about the key does
forget-done = The key is forgotten.
forget-none = There was no key of this server to forget.
address-no-host = the host is missing
address-port = “{ $port }” is not a port (1 to 65535)
address-plain-only = chats:// (TLS) is for servers only
address-scheme = an address begins with chat:// or chats:// (TLS), or with the host
address-character = a host cannot have “{ $character }” in it
address-fingerprint-needs-tls = only an address with chats:// before it has a fingerprint behind it
address-fingerprint-damaged = the link is damaged: #fingerprint= and 64 hexadecimal digits belong at its end
address-invite-damaged = the link is damaged: #invite= and an invitation of 16 letters and digits belong at its end

## Connection

connection-broke = The connection broke: { $reason }.
connection-closed = The server closed the connection.
cannot-connect = Cannot connect to { $server }: { $reason }.
no-such-host = No host called { $host } was found. Check the spelling.
lookup-fails = The address of { $host } cannot be looked up for now. Is this computer on the network?
lookup-too-long = Looking up the name { $host } took too long.
server-replaced = { $server } is no longer on this network, and another server has its name now. To connect to that one, start again.
server-not-found = { $server } was not found on this network.
rediscovery-failed = Cannot look for { $server }: { $reason }.
attempt-no-greeting = connected, but nothing answered
attempt-closed = the server closed the connection
attempt-wrong-key = its key is not the expected one
attempt-no-tls = no TLS there ({ $reason })
attempt-no-answer = no answer
attempt-no-address = its name has no address
attempt-at-address = { $reason } at { $address }
attempts-failed = { $count ->
    [0] { $reason }
    [1] { $reason }; another address failed as well
   *[other] { $reason }; { $count } other addresses failed as well
}
tls-missing = Cannot connect to { $server }: the connection must be encrypted (TLS), but the server offers no encryption now. Somebody may be in between. To connect without encryption all the same, write chat:// before the address.
wrong-key-kept = THE KEY OF { $server } IS NOT THE ONE THAT IT HAD. Somebody may be in between; nothing was sent. Its fingerprint is { $found }, and it had { $expected }. If its owner reads this new fingerprint out to you, start with --fingerprint "{ $found }".
wrong-key-said = THE KEY OF { $server } IS NOT THE ONE THAT IT SHOULD HAVE. Somebody may be in between; nothing was sent. Its fingerprint is { $found }, and it should have { $expected }.
no-own-key = { $reason }. You go on without a key of your own.
server-key-not-kept = { $reason }. The server's key will not be recognised next time.
session-not-kept = { $reason }. When you come back later, messages may be missing or shown twice.

## End

end-undelivered = { $count ->
    [one] { $count } message was not delivered to { $server }.
   *[other] { $count } messages were not delivered to { $server }.
}
end-unavailable = { $reason } Is chat-server running at { $server }? (With --wait, the client keeps trying.)
end-name-claimed = { $name }: This name belongs to somebody. Choose another, or come from the device on which it was claimed, or with the invitation for it. To ask for another name, use --name.
end-name-claimed-no-key = { $name }: This name belongs to somebody. Choose another, or come from the device on which it was claimed, or with the invitation for it. To ask for another name, use --name. If you have claimed it yourself, come without --no-key.
end-proof-invalid = { $reason } If a proxy that you trust ends the encryption on the way, start with --no-key; if you know of none, somebody may be reading along.
end-invite-required = { $reason } Give the code of your invitation with --invite CODE.
end-invite-for-name = { $reason } To use it, start with --name { $name }.
end-invite-invalid = { $reason } To use another one, start with --invite CODE.
end-name-refused = { $reason } You asked for “{ $name }”. To ask for another name, use --name.
end-password = { $reason } Give it with --password-file or PI_CHAT_PASSWORD.

## What a peer says about itself and the network

program-warning = warning: { $text }
path-group-v4 = the IPv4 group
path-group-v6 = the IPv6 group
path-broadcast = broadcast
path-unicast = unicast
socket-port-v4 = the IPv4 port
socket-port-v6 = the IPv6 port
no-name-chosen = no name was chosen
peer-new-key = { $reason }. This run uses a new key
peer-no-network = this computer is not on a network: { $reason }
peer-used-up = this peer has sent as many messages as it can. Start it again
peer-nothing-sent = Nothing can be sent by { $path }: { $reason }.
peer-path-fails = Nothing goes out by { $path }: { $reason }. Other paths work.
peer-other-room = Others on this network are in another room, with another name or passphrase.
peer-no-networks = The networks cannot be listed: { $reason }.
peer-interface-missing = The interface { $interface } does not exist or is down. Waiting for it.
peer-interface-up = the interface { $interface } is up
peer-offline = This computer is not on a network. Waiting for one.
peer-online = this computer is on a network again
peer-not-joined = { $count ->
    [0] This peer does not hear what is sent to { $path } on { $interfaces }: { $reason }.
    [one] This peer does not hear what is sent to { $path } on { $interfaces } and { $count } other: { $reason }.
   *[other] This peer does not hear what is sent to { $path } on { $interfaces } and { $count } others: { $reason }.
}
peer-port-taken = Another program uses port { $port } ({ $reason }). Over { $family }, this peer hears only those that it talks to. Use another --port for everybody.
peer-port-unusable = Port { $port } cannot be used ({ $reason }). Over { $family }, this peer hears only those that it talks to.
peer-socket-unusable = { $family } cannot be used ({ $reason }). This peer goes on without it.
peer-unsent = { $count ->
    [one] { $count } message was not sent.
   *[other] { $count } messages were not sent.
}
peer-rejected = { $by } says no: { $reason }
peer-rejected-name = { $by } says no: { $reason } You asked for “{ $name }”. To ask for another name, use --name.
peer-somebody = somebody unknown
peer-no-reason = no reason is given.
peer-has-been-here = { $unit ->
    [seconds] { $count ->
        [one] { $name } has been here for { $count } second.
       *[other] { $name } has been here for { $count } seconds.
    }
    [minutes] { $count ->
        [one] { $name } has been here for { $count } minute.
       *[other] { $name } has been here for { $count } minutes.
    }
    [hours] { $count ->
        [one] { $name } has been here for { $count } hour.
       *[other] { $name } has been here for { $count } hours.
    }
   *[days] { $count ->
        [one] { $name } has been here for { $count } day.
       *[other] { $name } has been here for { $count } days.
    }
}
peer-was-here = { $name } was here { $seconds } s ago; try again.

## What chat-peer doctor finds

-repair = where the network can be changed, turn off its multicast filter (“IGMP snooping”, “multicast enhancement”)
doctor-no-sockets = this computer can use neither IPv4 nor IPv6: { $reason }
doctor-do-no-sockets = turn on IPv4 or IPv6 on this computer
doctor-no-list = the networks cannot be listed: { $reason }
doctor-do-no-list = make sure that this user and this sandbox may list network interfaces
doctor-do-no-random = restart this computer
doctor-interface-missing = interface { $interface }: not there, or down; chat-peer waits for it
doctor-not-joined = interface { $interface }: { $path } cannot be joined: { $reason }
doctor-socket-unusable = { $what } cannot be used: { $reason }
doctor-port-usable = UDP port { $port } can be used
doctor-port-unusable = UDP port { $port } cannot be used: chat-peer hears nobody but those named with --peer; is it taken by another program?
doctor-addresses-both = there are IPv4 and IPv6 addresses
doctor-addresses-v4 = there is no IPv6 address: IPv4 only
doctor-addresses-v6 = there is no IPv4 address: IPv6 only
doctor-lookup-too-long = looking it up takes too long
doctor-no-such-name = there is no such name
doctor-lookup-fails = it cannot be looked up for now
doctor-loopback-unusable = interface { $interface }: { $path } cannot be used: { $reason }
doctor-loopback-works = interface { $interface }: { $path } works inside this machine
doctor-loopback-silent = interface { $interface }: what is sent by { $path } does not come back inside this machine; a firewall?
doctor-path-reaches = { $place ->
    [elsewhere] interface { $interface }: { $path } reaches { $names }, on another machine
   *[here] interface { $interface }: { $path } reaches { $names }, on this machine
}
doctor-path-reaches-nobody = { $place ->
    [elsewhere] interface { $interface }: nobody on another machine answers what is sent by { $path }
   *[here] interface { $interface }: nobody on this machine answers what is sent by { $path }
}
doctor-path-brings = { $place ->
    [elsewhere] interface { $interface }: { $path } brings what is sent by { $names }, on another machine
   *[here] interface { $interface }: { $path } brings what is sent by { $names }, on this machine
}
doctor-path-brings-nothing = interface { $interface }: in { $seconds } seconds { $path } has brought nothing from there
doctor-nobody-heard = nobody was heard in #{ $room } in { $seconds } seconds
doctor-peers-found = { $count ->
    [one] { $count } peer found in #{ $room }: { $here } on this machine, { $elsewhere } on other machines
   *[other] { $count } peers found in #{ $room }: { $here } on this machine, { $elsewhere } on other machines
}
doctor-peers-more = and { $count } more, { $answering } of whom answer
doctor-peer-silent = { $name } at { $address } is heard, and does not answer
doctor-peer-answers = { $name } at { $address } answers what is sent by { $means }
doctor-peer-answers-many = { $name } at { $address } answers what is sent by { $means }; not what is sent to it alone
doctor-name-unknown = somebody whose name was not heard
doctor-names-more = { $names } and { $count } more
doctor-pings-lost = { $lost } of { $sent } pings to them had no answer: { $percent } % lost
doctor-host-answers = peer { $host }: { $names } answers
doctor-other-room = { $kind ->
    [open] { $count ->
        [one] { $count } peer in another room, which is open
       *[other] { $count } peers in another room, which is open
    }
   *[closed] { $count ->
        [one] { $count } peer in another room, which is closed
       *[other] { $count } peers in another room, which is closed
    }
}
doctor-room-without-passphrase = #{ $room } without a passphrase

## What chat-peer doctor concludes, and what to do

doctor-works = one datagram by { $path } reaches everybody who answers
doctor-do-works = nothing: chat-peer works here
doctor-broadcast-blocked = one datagram by { $path } reaches everybody who answers; broadcast reaches nobody
doctor-do-broadcast-blocked = nothing: chat-peer needs broadcast only where no group works
doctor-multicast-blocked = no group reaches everybody who answers, only broadcast does: the network drops multicast
doctor-do-multicast-blocked = nothing needs to be done, chat-peer falls back to broadcast; { -repair }
doctor-no-common-path = no way reaches everybody who answers: a part of the network drops multicast and broadcast
doctor-do-no-common-path = nothing needs to be done, chat-peer falls back to a copy for each peer that the others do not reach; { -repair }
doctor-only-unicast = no way to many reaches anybody: multicast and broadcast are dropped, or the peers are in another network
doctor-do-only-unicast = name one peer with --peer HOST at each start, chat-peer falls back to a copy for each peer; { -repair }
doctor-unicast-blocked = peers answer what is sent to many, and not what is sent to them alone
doctor-do-unicast-blocked = on the other device, let in UDP from this network to chat-peer on every port: it receives on a port of its own too, not only on { $port }
doctor-one-way-out = one way only: multicast and broadcast from here arrive there, those from there do not arrive here
doctor-do-one-way-out = nothing needs to be done, the others send a copy to each; allow incoming multicast to UDP port { $port } on this computer, or { -repair }
doctor-one-way-in = one way only: multicast or broadcast from there arrives here, that from here does not arrive there
doctor-do-one-way-in = nothing needs to be done, chat-peer falls back to a copy for each peer; allow incoming multicast to UDP port { $port } on the other devices, or { -repair }
doctor-no-answers = peers are heard, and no answer of theirs comes back: what is sent from here does not arrive there, or answers to one device alone do not arrive here
doctor-do-no-answers = allow incoming UDP (port { $port } and answers) in the firewalls of the other devices and of this one; if that does not help, run chat-peer here and the doctor there: if it hears this device, the network drops what is sent to one device alone (turn off “client isolation”), else what this device sends
doctor-loss = the network loses datagrams: { $lost } of { $sent } pings had no answer, { $percent } % ({ $means }); if both ways are alike, each loses { $oneway } %
doctor-do-loss-by-paths = nothing needs to be done, chat-peer repairs losses, but late; on Wi-Fi turn on “multicast to unicast” or raise the multicast rate of the access point, or use a cable
doctor-do-loss = nothing needs to be done, chat-peer repairs losses, but late; move nearer to the access point, change its channel, or use a cable
doctor-answers-only = this computer's firewall lets in only answers, and nothing that others send first
doctor-do-answers-only = allow incoming UDP to port { $port } in this computer's firewall (with ufw: sudo ufw allow { $port }/udp; on Windows: allow chat-peer in private networks); without that, only those named with --peer HOST are reached
doctor-port-only = this computer's firewall lets in what comes to UDP port { $port }, and no answers
doctor-do-port-only = in this computer's firewall, allow incoming UDP that answers what this computer has sent (“established”)
doctor-receiving-blocked = this computer's firewall lets no UDP in: not even what it sends to everybody comes back to it
doctor-do-receiving-blocked = allow incoming UDP to port { $port } in this computer's firewall (with ufw: sudo ufw allow { $port }/udp; on Windows: allow chat-peer in private networks), and answers to what this computer has sent
doctor-sending-forbidden = this computer's firewall lets no UDP out: { $reason }
doctor-do-sending-forbidden = allow outgoing UDP to port { $port }, and to any port of this network, in this computer's firewall
doctor-sending-fails = there is no network: nothing can be sent: { $reason }
doctor-no-network = there is no network: no interface is up and has an address
doctor-do-no-network = connect a cable or Wi-Fi and run the doctor again; peers on this machine alone need --interface lo
doctor-interface-wrong = { $count ->
    [0] wrong interface: nobody is on the interfaces in use; peers of #{ $room } are heard on { $others }
   *[other] wrong interface: nobody is on { $interfaces }; peers of #{ $room } are heard on { $others }
}
doctor-interface-unusable = { $count ->
    [0] wrong interface: the interfaces in use are not there, or down, or have no address
   *[other] wrong interface: { $interfaces } is not there, or down, or has no address
}
doctor-do-interface = use --interface { $interface }
doctor-do-interface-up = use --interface { $interface }, which is up
doctor-do-interfaces-up = use --interface with one of those that are up: { $interfaces }
doctor-port-taken = UDP port { $port } cannot be used: another program uses it
doctor-port-taken-v4 = UDP port { $port } cannot be used by IPv4: another program uses it
doctor-do-port-taken = stop the program that uses the port (on Linux, sudo ss -ulpn 'sport = :{ $port }' shows it), or give all peers another --port
doctor-other-port = { $count ->
    [one] nobody is on UDP port { $port }; { $count } peer is in this room on port { $default }
   *[other] nobody is on UDP port { $port }; { $count } peers are in this room on port { $default }
}
doctor-do-other-port = leave out --port { $port } (and port in peer.toml), or give it to all peers
doctor-nobody-in-room = nobody is in #{ $room }; { $others }
doctor-nobody-in-closed-room = nobody is in #{ $room } with this passphrase; { $others }
doctor-peers-in-room = { $count ->
    [one] { $count } peer is in { $room }
   *[other] { $count } peers are in { $room }
}
doctor-peers-in-other-room = { $kind ->
    [open] { $count ->
        [one] { $count } peer is in another open room
       *[other] { $count } peers are in another open room
    }
   *[closed] { $count ->
        [one] { $count } peer is in another closed room
       *[other] { $count } peers are in another closed room
    }
}
doctor-do-other-room = give the --room and, for a closed room, the --passphrase-file that the others have
doctor-nobody-but-devices = nobody on another machine is in #{ $room }; { $count } other devices answer a ping, so the network probably does not keep devices apart
doctor-nobody-or-isolated = { $count ->
    [0] nobody on another machine is in #{ $room }, or an access point keeps devices apart (isolation): no other device answers a ping
    [one] nobody on another machine is in #{ $room }, or an access point keeps devices apart (isolation): { $count } other device answers a ping, perhaps the router
   *[other] nobody on another machine is in #{ $room }, or an access point keeps devices apart (isolation): { $count } other devices answer a ping, perhaps router and access point
}
doctor-nobody-or-unknown = nobody on another machine is in #{ $room }, or an access point keeps devices apart (isolation); this device alone cannot tell them apart
doctor-do-nobody = run chat-peer on a second device, with the same room and port { $port }, and here the doctor with --peer and its address: if that does not answer either, turn off “client isolation” (guest network) of the access point or use a cable
doctor-do-nobody-here = run chat-peer on a second device, with the same room and port { $port }, and here the doctor with --peer and its address: if that does not answer either, turn off “client isolation” (guest network) of the access point or use a cable; also try without --interface, for { $interfaces } is up
doctor-host-not-found = peer { $host }: not found: { $reason }
doctor-do-host-not-found = check the spelling, or give the IP address instead of the name
doctor-host-this-machine = peer { $host }: this is this machine, and what is sent there comes back
doctor-do-host-this-machine = name another device
doctor-host-refuses = peer { $host }: the host is there, and refuses UDP port { $port }: no chat-peer is on it
doctor-do-host-refuses = start chat-peer there, or give the port that it uses: --peer HOST:PORT
doctor-host-no-device = peer { $host }: no device has this address: it is off, has another address, or is kept apart
doctor-do-host-no-device = turn it on, and check its address on it (ip address, ipconfig); if it is right, turn off “client isolation” of the access point
doctor-host-unsendable = peer { $host }: it cannot be sent to: { $reason }
doctor-do-host-forbidden = allow outgoing UDP to port { $port } in this computer's firewall
doctor-do-host-unsendable = connect this computer to the network of the host, or check the address
doctor-host-silent = peer { $host }: no answer from { $addresses }
doctor-do-host-silent = make sure that it is on and runs chat-peer in this room, and allow incoming UDP to port { $port } in its firewall and in the router between
