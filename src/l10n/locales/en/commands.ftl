# Texts about what is typed: commands, their help and their errors.

## How commands are typed: words in capitals stand for what the user types, brackets for what may be
## left out. /commands, --options and words in small letters stay as they are.

usage-message = any text
usage-slash = //text
usage-me = /me TEXT
usage-msg = /msg NAME TEXT
usage-join = /join ROOM
usage-leave = /leave [ROOM]
usage-room = /room [NAME]
usage-who = /who [ROOM]
usage-history = /history [N]
usage-search = /search WORDS
usage-ignore = /ignore NAME
usage-unignore = /unignore NAME
usage-topic = /topic [TEXT]
usage-other-names = other names
usage-block = /block NAME
usage-unblock = /unblock NAME
usage-yes = /yes NAME
usage-no = /no NAME
usage-remove-of = /remove NAME [TEXT]
usage-kick = /kick NAME [REASON]
usage-ban = /ban NAME [LENGTH] [REASON]
usage-ban-address = /ban --address NAME
usage-unban = /unban NAME
usage-mute = /mute NAME [LENGTH] [REASON]
usage-unmute = /unmute NAME
usage-announce = /announce TEXT
usage-role = /role NAME moderator

## What commands do. Each text stands beside the command.

command-message = is a message to the room
command-slash = sends “/text” as a message
command-join = enters another room; what you type goes there
command-leave = leaves a room
command-room = switches to a room that you are in, or says which one you talk in
command-who = lists who is there
command-history = shows N older messages (20 without N)
command-search = finds messages with all of these words, in all rooms that you are in; also BEGIN*, "A PHRASE", from:NAME, in:ROOM, before:DATE, after:DATE (2026-11-03, 2026-11-03T14:30, today, yesterday)
command-search-again = shows older results of the last search, or on the full screen the last search again
command-ignore = hides what comes from this name, for you only, until /unignore; if it is claimed, it hides the person, and shows anybody else who takes this name later
command-ignore-list = lists whom you ignore
command-unignore = stops ignoring a name
command-claim = makes the name that you have here yours: nobody without the key of this device gets it any more (docs/using.md)
command-unclaim = gives your claim up
command-link = makes a code with which another device of yours can use your name too
command-unlink = takes the name from all your other devices, for example when you have lost one
command-rooms = lists the rooms
command-topic = shows the topic of the room, or sets it; /topic - removes it
command-remove = removes your last message in this room
command-moderation = lists the commands for moderators
command-reconnect = connects again at once; so does Enter while the server does not answer
command-help = shows this list
command-other-names = /list is /rooms, /names is /who, /part is /leave, /exit is /quit

## What only the commands of chat-peer do

command-peers = lists who is there, for how long, and how each one is reached
command-ignore-peer = hides what comes from this name, for you only, until /unignore; the same person under another name is shown, anybody else who takes this name is hidden
command-block = hides what somebody writes, also under another name, because it goes by their key, and objects when they join again; until you quit
command-block-list = lists who is blocked
command-unblock = ends a block
command-yes = lets somebody in who wants to come in (--ask)
command-no = keeps them out
command-room-peer = says which room this is
command-other-names-peer = /names is /who, /exit is /quit

## What the commands of moderators do

command-remove-of = removes the latest message of NAME in this room (with TEXT in it)
command-kick = sends somebody out of this room; they may come back
command-ban = sends somebody out and keeps them out, for 90s, 10m, 2h, 7d, or without LENGTH for ever
command-ban-address = keeps out everybody with the same address: says how many people that would send out, and does it only with --yes
command-unban = lifts a ban
command-bans = lists the bans and mutes of this room
command-unmute = lifts a mute
command-slow = lets everybody send one message in 10 seconds; /slow off ends that
command-moderated = lets only moderators talk here; /moderated off ends that
command-announce = announces something to everybody in this room
command-role = makes somebody a moderator of this room; also owner, or none
command-server = before the NAME: kick, ban, unban, bans, mute, unmute, announce and role apply to the whole server

## Lines that are not understood

wrong-command = There is no command { $command }. Type /help to see the commands. (To send it as a message, write /{ $command }.)
wrong-command-near = There is no command { $command }. Did you mean { $near }? (To send it as a message, write /{ $command }.)
wrong-name = Whom do you mean? Type { $command } NAME.
wrong-me = What do you do? Type /me TEXT.
wrong-msg = To whom, and what? Type /msg NAME TEXT.
wrong-join = Which room? Type /join ROOM.
wrong-history = Type /history N with a number from 1 to { $most }.
wrong-claim = { $command } is about the name that you have here. Type it without anything after it.
wrong-option = There is no option { $option } here. Type /moderation to see the commands.
wrong-address = Only /ban takes --address.
wrong-slow = Type /slow off, or /slow with a time of at most an hour, such as /slow 10s.
wrong-moderated = Type /moderated on or /moderated off.
wrong-topic = { $problem ->
    [long] This topic is too long: it can have { $bytes } bytes.
   *[other] A topic is a line without control characters.
}
wrong-reason = { $problem ->
    [long] This reason is too long: it can have { $bytes } bytes.
   *[other] A reason is a line without control characters.
}
wrong-announcement = { $problem ->
    [long] Not sent: this is too long. An announcement can have { $bytes } bytes.
   *[other] Not sent: an announcement is a line without control characters.
}
wrong-length = { $typed } is not a length: write 90s, 10m, 2h, 7d (up to 3650d) or forever. If your reason begins with a digit, write the length before it.
wrong-bans = “{ $typed }” is not understood. Type /bans for this room, or /bans --server for the server.
wrong-announce = What do you want to announce? Type /announce TEXT.
wrong-role = Which role? Type /role NAME moderator, /role NAME owner or /role NAME none.

## Commands that are not there, and what to do in place of them

absent-direct = There are no direct messages without a server.
absent-other-room = chat-peer stays in one room. To be in another one too, start chat-peer again with --room.
absent-history = There is nothing older: chat-peer gets only the 10 most recent messages when you come in.
absent-search = There is nothing to search: without a server, nobody keeps the messages.
absent-moderation = There are no moderators without a server. To hide what somebody writes, type /block NAME.
absent-claim = Names cannot be claimed without a server.
absent-reconnect = There is no server to reconnect to: chat-peer finds the others by itself.
absent-block = Only chat-peer can do that. To hide what comes from a name, type /ignore NAME.
absent-unblock = Only chat-peer can do that. To stop ignoring a name, type /unignore NAME.
absent-peers = Only chat-peer can do that.
absent-nick = Your name cannot change while you are in the chat. Type /quit, and start again with --name NAME.
absent-away = Nobody is told that you are away. What is said meanwhile is on your screen when you are back; to be gone for the others, type /quit.
absent-whois = To see who is there, type /who.
absent-whois-peer = To see who is there and from which address, type /peers.
absent-query = /query belongs to the full screen. Type /msg NAME TEXT.
absent-close = /close belongs to the full screen. To leave a room, type /leave [ROOM].
absent-close-peer = /close belongs to the full screen. To leave the chat, type /quit.
absent-clear = /clear belongs to the full screen. Lines that are printed belong to the terminal, which can clear them.
absent-set = /set belongs to the full screen. There is nothing to set for lines that are printed.

## The room that the user talks in. Lines that begin with a small letter are notes without a full stop.

here-none = you are not in a room: type /join ROOM
here-room = you are talking in #{ $room }
here-switched = you are talking in #{ $room } now
here-topic = topic: { $topic }
here-no-topic = this room has no topic
here-not-in = You are not in #{ $room }. Type /join { $room } to enter it.
here-nowhere = You are not in a room. Type /join ROOM.
here-no-message = No such message was shown here recently.

## Searches. The names of the filters, from: and so on, can be typed in the user's language.

query-blank = Write { $filter }:{ $kind ->
    [name] NAME
    [room] ROOM
   *[date] DATE
} without a space.
query-filter = You cannot search by { $filter }: but by from:NAME, in:ROOM, before:DATE and after:DATE. To search for it as text, put it in quotes: "{ $piece }".
query-twice = A search can have { $filter }: only once.
query-date = { $value } is not a date. Write 2026-11-03, 2026-11-03T14:30, today or yesterday.
query-no-older = There are no older results. To search, type /search WORDS.

## Whom the user ignores

ignore-none = You ignore nobody. Type /ignore NAME to hide what comes from a name.
ignore-list = You ignore { $names }. Type /unignore NAME to stop.
ignore-list-unsaved = You ignore { $names } (until you quit). Type /unignore NAME to stop.
ignore-already = You already ignore { $name }.
ignore-no-answer = you ignore { $name }, so you will not see an answer
# What /ignore NAME says consists of several of the following sentences.
ignore-added = You ignore { $name } now: what comes from this name is not shown here (messages, direct messages, joining and leaving). Nobody is told, and { $name } can still read what you write.
ignore-added-peer = You ignore { $name } now: what comes from this name is not shown here (messages, joining and leaving). Nobody is told, and { $name } can still read what you write.
ignore-added-person = { $name } has claimed the name, so the person counts: they are hidden under another name, too, where the server knows that it is them, and whoever has the name { $name } after them is shown.
ignore-added-name = Only the name counts: the same person under another name is shown, and anybody else who takes this name is hidden.
ignore-added-block = { $name } can still join; /block { $name } objects to that.
ignore-until-unignored = /unignore { $name } ends it, quitting does not.
ignore-until-quit = /unignore { $name } ends it, and so does quitting, because the list is not saved.
ignore-removed = You no longer ignore { $name }. To see what was hidden, type /search from:{ $name }.
ignore-removed-peer = You no longer ignore { $name }. What was hidden stays hidden.
ignore-wrong-name = “{ $name }” cannot be a name.
that-is-you = That is you.
ignore-full = You already ignore { $count } names, which is the most. Type /unignore NAME to make room.
ignore-unknown = You do not ignore { $name }. Type /ignore to see whom you ignore.

## The file of the ignore list

ignore-file-failed = { $path } cannot be used ({ $reason }).
ignore-file-long = { $path } cannot be used (it has more than { $bytes } bytes).
ignore-file-damaged = { $path } cannot be used (it has an error in line { $line }, column { $column }).
ignore-file-other = { $path } cannot be used (it belongs to another server).
ignore-file-name = { $path } cannot be used (“{ $name }” in it cannot be a name).
ignore-file-log = { $path } cannot be used (“{ $log }” in it cannot be the id of a log).
ignore-file-full = { $path } cannot be used (it has more than { $count } names).
ignore-file-kept = Whom you ignore from now on is forgotten when you quit. The file was not changed: repair or remove it, and start again.

## Lines that cannot be read

input-long = Not sent: the line has { $bytes } bytes, and a message can have { $most }.
input-encoding = Not sent: the line is not UTF-8.
input-failed = The input cannot be read: { $reason }.
