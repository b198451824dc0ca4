# Texts about the programs: start, connection, end, and what does not work.

## What the client says about requests

client-no-search = This server cannot search.
client-no-directory = This server does not list its rooms.
client-no-moderation = This server has no moderation.
client-no-claims = Names cannot be claimed here: the server is too old, keeps nothing on disk, or was shown no key.
client-former-log = The server has a new log, so somebody else may have this name now. The message may have arrived before. Send it again if you like.
client-peers-only = Only chat-peer can do that.
client-message-too-long = The message is too long: it has { $bytes } bytes, and this server takes { $limit }.
client-text-invalid = { $error ->
    [empty] Not sent: the message is empty (it has { $bytes } bytes).
    [control] Not sent: the message contains a control character (it has { $bytes } bytes).
   *[long] Not sent: the message is longer than { $limit } bytes (it has { $bytes } bytes).
}
client-queue-full = Not sent: { $count } messages are already waiting for the server.
client-several-rooms = You are in several rooms. Say which one you mean.
client-no-room = You are not in a room. Type /join ROOM.
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
peer-no-direct = There are no direct messages without a server.
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
peer-oneself = That is you.
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
duration = { $unit ->
    [seconds] { $count ->
        [one] { $count } second
       *[other] { $count } seconds
    }
    [minutes] { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
    [hours] { $count ->
        [one] { $count } hour
       *[other] { $count } hours
    }
   *[days] { $count ->
        [one] { $count } day
       *[other] { $count } days
    }
}

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
no-such-host = There is no host called { $host }: { $reason }. Check the spelling.
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
