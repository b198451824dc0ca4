# Texts about what happens in the chat: messages, rooms, people, moderation.

## Numbers, sizes and lengths of time

number-thousands = ,
number-decimal = .
size-bytes = { $count ->
    [one] { $count } byte
   *[other] { $count } bytes
}
time-seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
time-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
time-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
time-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}

## The question for another name

name-impossible = This cannot be a name: { $problem }.
name-empty = it is empty
name-too-long = it is longer than 32 characters or 64 bytes
name-characters = only visible letters and digits, “-”, “_” and “.” are allowed
name-first = it must begin with a letter or a digit
name-question-again = Which name would you like instead? A name has 1 to 32 letters and digits, “-”, “_”, “.”, at most 64 bytes; a letter or digit first. Press Enter to take { $suggestion }.
name-prompt = name [{ $suggestion }]>

## Why something was refused

refused-nobody = Nobody here is called “{ $name }”.
refused-changed = { $name }: Somebody else has this name now. Send it again to write to whoever has it.
error-not_pi_chat = This port speaks pi-chat; that was something else.
error-version_unsupported = Client and server are too far apart in age; update the older one.
error-frame_too_large = The client sent more than the server takes.
error-malformed = The client sent something that cannot be read.
error-unexpected = The client sent something out of turn.
error-handshake_timeout = The server waited too long for the greeting.
error-idle_timeout = The connection was silent for too long.
error-too_slow = The connection could not keep up.
error-replaced = You have connected again from elsewhere.
error-shutting_down = The server is being stopped or restarted.
error-internal = Something went wrong in the server.
error-removed = You have been sent out.
error-password_required = This server wants a password.
error-password_wrong = The password is wrong.
error-name_claimed = This name belongs to somebody. Choose another, or come from the device on which it was claimed, or with the invitation for it.
error-proof_invalid = The proof of your key does not hold.
error-reference_invalid = The client numbered a message wrongly.
error-blocked = Somebody here has blocked you.
error-not_admitted = Somebody here was asked and said no.
reason-name-waits = Somebody here has this name. They have just lost their connection: if they do not come back, the name is free in { $time }.
reason-lookalike-waits = This looks too much like the name of somebody here. They have just lost their connection: if they do not come back, the name is free in { $time }.
reason-looks-claimed = This looks too much like a name that belongs to somebody.
reason-looks-kept = This looks too much like a name that is kept for somebody who was invited.
reason-invitation-ended = This invitation has ended: ask for another one.
reason-invitation-used = This invitation has been used already: ask for another one.
reason-invitation-pause = This invitation does not exist, like too many others from your address. Check the code, and try again in { $time }.
reason-invitation-unspent = The server cannot note that your invitation is used, so it cannot let you in now. Try again later.
reason-link-ended = This code has ended: make another one on your first device.
reason-devices-full = You have { $count } devices already: unlink the others first.
reason-link-without-key = This code links a device, and your client has proved no key.
reason-unlinked = This device may use the name no longer: the name was left to another device, or claimed there.
reason-claim-failed = The name cannot be claimed.
reason-claim-other = You have claimed the name { $name } already: give it up first.
reason-claim-not-permitted = Your invitation does not permit a claim: ask whoever runs the server for one that does.
reason-claim-uninvited = You need an invitation to claim this name: ask whoever runs the server.
reason-claims-many = Your address has claimed many names lately: try again in an hour, or ask whoever runs the server for an invitation.
reason-links-many = Your address has claimed many names or linked many devices lately: try again in an hour.
reason-claim-without-key = Your client has proved no key, and a name is claimed with one.
reason-claim-without-disk = This server keeps nothing on a disk, so no name can be claimed.
reason-claims-off = No name can be claimed on this server.
reason-claim-taken = This name belongs to somebody.
reason-claim-lookalike = This name looks too much like one that belongs to somebody.
reason-claim-kept = This name is kept for somebody who was invited.
reason-claim-looks-kept = This name looks too much like one that is kept for somebody who was invited.
reason-claim-first = Claim this name first: only then can it have several devices.
reason-change-not-stored = The server could not store this, so nothing was done.
reason-slow-mode = This room is in slow mode: your next message can come in { $time }.

## How long a server keeps messages

keeping-none = messages are not kept when the server restarts
keeping-all = messages are kept when the server restarts
keeping-bounds = { $days ->
    [0] messages are kept: { $bounds }
   *[other] messages are kept { $bounds }
}
keeping-days = { $count ->
    [one] for 1 day
   *[other] for { $number } days
}
keeping-messages = { $number } in each room
keeping-bytes = { $size } in all

## Notices of a server

server-says = server: { $text }
notice-slow-down = You are sending too fast, so this server reads what you send more slowly.
notice-slow-down-address = Too much comes from your network address, so this server reads it more slowly.
notice-clock-changed = The server's clock was set: times before and after do not compare.
notice-storage-memory = The server cannot write to its disk: what is said now is kept in memory only, and is lost if the server stops.
notice-storage-refusing = The server cannot write to its disk: new messages are refused until it can.
notice-storage-stalled = The server's disk does not answer: what is said now appears when it does.
notice-storage-taken-again = The server can write to its disk again; messages are taken again.
notice-storage-kept = The server can write to its disk again; everything said is kept.
notice-storage-answers = The server's disk answers again; nothing is lost.
notice-device-linked = Another device has come in under your name. If it is not yours, take the name from it: /unlink --yes.

## Moderation

room-modes = { $who ->
    [moderators] only moderators may talk here, without slow mode
   *[all] everybody may talk here, without slow mode
}
room-modes-slow = { $who ->
    [moderators] only moderators may talk here, slow mode: { $time } between two messages
   *[all] everybody may talk here, slow mode: { $time } between two messages
}
