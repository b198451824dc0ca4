# Texts about what happens in the chat: messages, rooms, people, moderation.

## Numbers, sizes and lengths of time

number-thousands = ,
number-decimal = .
size-bytes = { $count ->
    [one] { $count } byte
   *[other] { $count } bytes
}
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

## Dates

date-day = { $year }-{ $month }-{ $day }
date-line = { $weekday ->
    [1] Monday
    [2] Tuesday
    [3] Wednesday
    [4] Thursday
    [5] Friday
    [6] Saturday
   *[7] Sunday
}, { $date }

## The connection

connection-joined = { $server }: you are { $name } in { $rooms }
connection-joined-again = connected again to { $server } as { $name }
connection-log-lost = the server has lost part of its log: messages may be missing from what follows, or shown twice
connection-again-in = trying again in { $seconds } s
connection-silent = { $count ->
    [one] the server does not answer; 1 message is waiting
   *[other] the server does not answer; { $count } messages are waiting
}
connection-answers = the server answers again
connection-waiting = { $count ->
    [one] 1 message is waiting for the server; press Enter to try at once
   *[other] { $count } messages are waiting for the server; press Enter to try at once
}
connection-plain = not encrypted
connection-plain-anyway = not encrypted, although the server offers TLS
connection-verified = encrypted (TLS), and the key is verified
connection-known = encrypted (TLS), with the same key as before
connection-first = encrypted (TLS); this key is new here and will be remembered. Compare its fingerprint with the owner's: { $fingerprint }
connection-new-key = encrypted (TLS); this key is new here. Compare its fingerprint with the owner's: { $fingerprint }
connection-looking = looking for others

## Rooms and people

room-entered = { $others ->
    [0] you are in #{ $room } now; nobody else is here
    [one] you are in #{ $room } now; 1 other person is here
   *[other] you are in #{ $room } now; { $others } other people are here
}
room-left = you have left #{ $room }
room-left-forced = you are no longer in #{ $room }
room-gap = some older messages of #{ $room } are missing here
room-all = that is all of #{ $room }
room-new-since = new since you looked:
room-here = here: { $names } ({ $count })
room-count = { $count ->
    [one] 1 person is here
   *[other] { $count } people are here
}
room-joined = { $count ->
   *[other] { $names } joined
}
room-gone = { $count ->
   *[other] { $names } left
}
people-and-others = { $count ->
    [one] { $names } and 1 other
   *[other] { $names } and { $count } others
}
people-ignored = ignored
people-heard-through = heard through { $name }
people-heard-through-others = heard through others
people-deaf = does not hear you
people-changed = { $name }, who writes now, is not the one with whom you have exchanged direct messages, as far as the server can tell
ignored-names = you ignore { $names }, so what they write is not shown
ignored-messages = { $count ->
    [one] 1 message is not shown, because you ignore its author
   *[other] { $count } messages are not shown, because you ignore their authors
}

## Messages

message-late = (late)
message-direct-to = (direct) you -> { $name }
message-direct-from = (direct) { $name } -> you
message-direct-self = (direct) you -> you
message-unsent = not sent: { $text }
message-unsent-to = not sent to { $name }: { $text }
message-perhaps-unsent = perhaps not sent: { $text }
message-perhaps-unsent-to = perhaps not sent to { $name }: { $text }
message-arrived-before = this message had already arrived: { $text }

## Finding

found-messages = { $count ->
    [0] nothing found{ $about }
    [one] 1 message{ $about }:
   *[other] { $count } messages{ $about }:
}
found-older = { $count ->
    [0] nothing older found{ $about }
    [one] 1 older message{ $about }:
   *[other] { $count } older messages{ $about }:
}
found-more = there are older ones: type /search to see them
found-with = with { $text }
found-from = from { $name }
found-in = in #{ $room }
found-since = since { $time }
found-before = before { $time }

## Several devices, and invitations

link-code = { $code } is the code for another device of yours: it is good once, and for { $minutes } minutes. There it makes you { $name } as well.
link-command = On the other device type: { $command }
link-page = Or open in a browser there: { $address }
link-page-unknown = In a browser there, open the server's page with { $ending } behind its address.
link-no-random = There are no random numbers, so no code can be made.
link-unlink-question = /unlink --yes takes your name from all your other devices: they are out at once, and each needs a new link code to come in under it again
invitation-name-hint = To use it, /quit and start again with --name { $name }.

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
error-superseded = This server was replaced by another one.
error-diverged = This server does not have what its follower has.
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
moderation-topic-removed = the topic was removed
moderation-removed = what { $name } said at { $time } was removed
moderation-removed-older = an older message was removed
moderation-your-role = { $place ->
    [server] { $role ->
        [moderator] you are a moderator of the server
        [owner] you are an owner of the server
       *[none] you are no moderator or owner of the server
    }
   *[room] { $role ->
        [moderator] you are a moderator of { $place }
        [owner] you are an owner of { $place }
       *[none] you are no moderator or owner of { $place }
    }
}
moderation-role = { $place ->
    [server] { $role ->
        [moderator] { $name } is a moderator of the server
        [owner] { $name } is an owner of the server
       *[none] { $name } is no moderator or owner of the server
    }
   *[room] { $role ->
        [moderator] { $name } is a moderator of { $place }
        [owner] { $name } is an owner of { $place }
       *[none] { $name } is no moderator or owner of { $place }
    }
}
moderation-you-kicked = { $place ->
    [server] you have been sent out of the server
   *[room] you have been sent out of { $place }
}
moderation-you-banned = { $place ->
    [server] you are banned from the server
   *[room] you are banned from { $place }
}
moderation-you-unbanned = { $place ->
    [server] you are no longer banned from the server
   *[room] you are no longer banned from { $place }
}
moderation-you-muted = { $place ->
    [server] you are muted on the server
   *[room] you are muted in { $place }
}
moderation-you-unmuted = { $place ->
    [server] you are no longer muted on the server
   *[room] you are no longer muted in { $place }
}
moderation-nobody = { $place ->
    [server] nobody is banned or muted on the server
   *[room] nobody is banned or muted in { $place }
}
moderation-list-ban = { $name }: banned
moderation-list-ban-address = { $name }: banned with the address
moderation-list-mute = { $name }: muted

## What a moderator has done

done-forgotten = { $text }; the server forgets it when it restarts
done-topic-set = the topic of { $room } is set
done-topic-removed = the topic of { $room } is taken away
done-removed = the message was removed
done-removed-before = that message was already removed
done-slow = slow mode of { $room }: { $time } between two messages
done-slow-off = slow mode of { $room }: off
done-moderated = only moderators may talk in { $room } now
done-moderated-off = everybody may talk in { $room } now
done-announced = { $count ->
    [0] announced to nobody
    [one] announced to 1 person
   *[other] announced to { $count } people
}
done-kick = { $place ->
    [server] { $name } is sent out of the server
   *[room] { $name } is sent out of { $place }
}
done-kick-nobody = { $place ->
    [server] nobody is sent out of the server: { $name } is not there
   *[room] nobody is sent out of { $place }: { $name } is not there
}
done-ban-counted = { $count ->
    [0] nothing was done yet: this ban would send out nobody. To do it, add --yes
    [one] nothing was done yet: this ban would send out 1 person. To do it, add --yes
   *[other] nothing was done yet: this ban would send out { $count } people. To do it, add --yes
}
done-ban = { $place ->
    [server] { $name } is banned from the server
   *[room] { $name } is banned from { $place }
}
done-mute = { $place ->
    [server] { $name } is muted on the server
   *[room] { $name } is muted in { $place }
}
done-with-address = with their address
done-for = for { $time }
done-without-end = without end
done-sent-out = { $count ->
    [0] { $text }; nobody was sent out
    [one] { $text }; 1 person was sent out
   *[other] { $text }; { $count } people were sent out
}
done-unban = { $place ->
    [server] { $name } is no longer banned from the server
   *[room] { $name } is no longer banned from { $place }
}
done-unban-none = { $place ->
    [server] nothing was done: { $name } is not banned from the server
   *[room] nothing was done: { $name } is not banned from { $place }
}
done-unmute = { $place ->
    [server] { $name } is no longer muted on the server
   *[room] { $name } is no longer muted in { $place }
}
done-unmute-none = { $place ->
    [server] nothing was done: { $name } is not muted on the server
   *[room] nothing was done: { $name } is not muted in { $place }
}
done-listed = done

## Chat without a server

mesh-closed-room = #{ $room } (closed)
mesh-joined = { $count ->
    [0] you are in { $place } as { $name }; you are the first
    [one] you are in { $place } as { $name }; { $names } is here
   *[other] you are in { $place } as { $name }; { $names } are here
}
mesh-joined-many = you are in { $place } as { $name }; { $count } others are here
mesh-admission = { $name } wants to come in. Type /yes { $name } or /no { $name }; without an answer, it is a yes in 10 s.
mesh-renamed = Somebody has been called { $from } for longer than you, so you are called { $to } now.
peers-name = name
peers-present = here for
peers-route = reached by
peers-heard = heard
peers-loss = loss
peers-clock = clock
peers-you = { $name } (you)
peers-others-only = others only
peers-not-reached = not reached
peers-group-v4 = IPv4 group
peers-group-v6 = IPv6 group
peers-broadcast = broadcast
peers-unicast = unicast
peers-now = now
peers-ago = { $time } ago
peers-right = right
peers-fast = { $time } fast
peers-slow = { $time } slow
peers-seconds = { $seconds } s
peers-minutes = { $minutes } min { $seconds } s
peers-hours = { $hours } h { $minutes } min
peers-days = { $days } d { $hours } h
