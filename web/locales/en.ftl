# Texts of the page, in English. The catalogues of other languages have the same ids.

app-name = pi-chat

## Coming in

name-title = Come in
name-question = What shall the others call you?
name-label = Your name
name-hint = Letters and digits, also - _ and .
name-go = Start talking
invite-label = Code of your invitation
name-refused-title = That name cannot be used
password-title = This chat has a password
password-label = Password
password-wrong = That was not the password. Try again.
password-go = Come in
elsewhere-title = The chat is open in another tab
elsewhere-text = It can be in one tab of a browser at a time.
elsewhere-take = Use it here
ended-title = You are not in the chat any more
ended-replaced = Your session goes on in another window or on another device.
ended-left = You have left. See you!
ended-protocol = This page does not understand the server. Reload it.
ended-crashed = Something went wrong in this page.
ended-unavailable = You have left, but the server could not be told.
ended-again = Come in again
broken-title = This browser cannot show the chat
broken-text = The page needs a newer browser, or a part of it could not be loaded. Reload it, or open { $address } in another browser.
reload = Reload

## Connection

state-live = Connected
state-connecting = Connecting…
state-silent = The server does not answer
state-waiting = No connection
state-offline-note = What you write is sent as soon as the connection is back.
state-window = If this window has opened by itself, open { $address } in your browser.
state-retry = Try now

## Conversations

menu-open = Open the list of rooms
menu-close = Close the list of rooms
rooms = Rooms
people-written = Direct messages
rooms-add = Find or make a room
unread = { $count ->
    [one] { $count } unread message
   *[other] { $count } unread messages
}
mentions = { $count ->
    [one] { $count } for you
   *[other] { $count } for you
}
members = { $count ->
    [one] { $count } person here
   *[other] { $count } people here
}
members-title = Who is here
members-too-many = Too many to list them all.
members-none = Nobody is listed.
you = you
room-leave = Leave this room
room-leave-note = A draft in it is lost.
direct-close = Close this conversation
direct-close-note = What is written in it is lost.
direct-note = Only the two of you read this.

## Messages

messages = Messages
messages-begin = This is where it begins.
messages-loading = Loading older messages…
messages-empty = Nothing was said here yet. Begin!
messages-gap = Some messages are missing here
person-anew = { $name } has come anew. It may be somebody else.
new-since = New since you looked
to-newest = To the newest
to-newest-unread = { $count ->
    [one] { $count } new message
   *[other] { $count } new messages
}
message-removed = This message was removed
message-sending = Sending…
message-refused = Not sent: { $reason }
message-edit = Edit
message-discard = Discard
message-send-anyway = Send it to them anyway
message-actions = What to do with this message
message-copy = Copy the text
message-remove = Remove this message
action-write = Write to { $name } only
action-mention = Mention { $name }
action-ignore = Hide what { $name } writes
action-unignore = Show what { $name } writes
action-kick = Send { $name } out of this room
action-mute = Silence { $name }
action-ban = Keep { $name } out
action-moderator = Make { $name } a moderator of this room
action-no-moderator = Take { $name }’s role in this room away
ignored-message = Hidden: you do not want to see what { $name } writes

## Writing

compose-label = Message to { $place }
compose-placeholder = Message
compose-send = Send
compose-too-long = Too long by { $bytes } bytes
unknown-command = There is no command /{ $command }. /help lists them.
command-incomplete = Something is missing or wrong after /{ $command }. /help says what belongs there.
room-here = You are in #{ $room }.
topic = Topic: { $topic }
topic-none = This room has no topic.
remove-none = There is no such message here.
ignored-list = { $count ->
    [0] You see what everybody writes.
   *[other] Hidden: { $names }
}

## Finding

search = Search
search-label = Look for words in all your rooms
search-go = Search
search-none = Nothing was found.
search-wrong = What does { $piece } mean? There are from:NAME, in:ROOM, before: and after: with a day such as 2026-11-03. In quotes it is text.
search-more = Older results
search-searching = Searching…
rooms-title = Rooms
rooms-label = Name of a room
rooms-go = Go there
rooms-note = A room that does not exist yet is made.
rooms-loading = Asking for the rooms…
room-members = { $count ->
    [0] empty
    [one] { $count } person
   *[other] { $count } people
}
room-joined = you are here

## Settings and help

settings = You and this page
settings-name = You are { $name } on { $server }.
name-keep = Keep this name
name-keep-note = You can keep this name: then nobody else gets it, even while you are away. The key for it is in this browser only: a private window loses it.
name-kept = The name { $name } is kept for you in this browser.
name-give-up = Give the name up
name-give-up-note = Then anybody gets it while you are away. To keep a name again you may need another invitation.
device-add = Add another device
device-how = Scan this code with the other device. Or open { $address } there, enter the name { $name } and then this code:
device-left = It is good once, for another { $time }.
device-over = This code is over.
device-again = Make another code
device-linked = Another device has come in under your name. If it is not yours, take your name from it: “You and this page”, “Unlink other devices”.
device-unlink = Unlink other devices
device-unlink-note = They are out at once, and each needs a new code to come in under your name again.
settings-sound = Play a sound for what is meant for you
settings-notify = Show notifications
settings-notify-granted = Notifications are on.
settings-notify-denied = This browser is set to show no notifications of this page.
settings-notify-unavailable = Notifications need https, which this server does not have.
settings-leave = Leave the chat
invite = Invite others
invite-how = Others scan this code with their phone, or type the address into a browser:
invite-share = Share the address
invite-copy = Copy the address
invite-copied = Copied
invite-by-hand = To copy the address, select it.
help-title = What you can type
help-join = goes to a room, or makes it
help-leave = leaves the room
help-history = shows older messages
help-topic = sets the topic; - takes it away
help-search = looks for messages
help-rooms = tells which rooms there are
help-who = tells who is here
help-remove = removes what you have said last
help-ignore = hides what somebody writes; /unignore
help-claim = keeps your name for this browser; /unclaim
help-link = gives your name to another device; /unlink takes it back
help-kick = sends somebody out of the room
help-ban = keeps somebody out: 10m, 2h, 7d, or without end
help-remove-of = removes the latest message of somebody that holds TEXT
help-bans = lists bans and mutes
help-slow = a message every 10 seconds only; off
help-moderated = only moderators may talk; off
help-announce = sends a notice to everybody here
help-role = moderator, owner or none
close = Close
dismiss = Dismiss

## Moderation

moderation-open = Moderate this room
moderation-title = Moderation of #{ $room }
moderation-topic = Topic
moderation-set = Set
moderation-slow = Slow mode
slow-mode = Slow mode: a message every { $seconds } seconds
slow-off = No slow mode
sanctions-title = Banned or silenced
sanctions-none = Nobody.
sanction-ban = banned
sanction-mute = silenced
sanction-lift = Lift
sanction-length = For how long?
sanction-reason = Reason, which they read
length = { $seconds ->
    [0] without end
    [600] 10 minutes
    [7200] 2 hours
    [86400] a day
   *[604800] a week
}
ban-counted = { $affected ->
    [one] That would send out one person. With --yes it is done.
   *[other] That would send out { $affected } people. With --yes it is done.
}

## What happened

done = Done.
left-forced = You were sent out of #{ $room }.
sanctioned-unban = You may come again
sanctioned-mute = You are silenced
sanctioned-unmute = You may talk again
whole-server = the whole server
error-unsent = It was not sent.
error-name_claimed = This name belongs to somebody. If you are invited by it, enter the code.
error-proof_invalid = The server does not accept the key of this browser. You may come in without it.
