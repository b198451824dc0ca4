# Texts about the full screen: its lines, questions and help.

## Title, and lists beside the messages. These have little room.

title-chat = chat
title-direct = direct messages
place-start = start
people-count = { $count ->
    [one] 1 person
   *[other] { $count } people
}
people-more = … { $count } more

## Status line. All of it is to fit into 80 columns: see the test german::status_line_fits.

status-connecting = connecting …
status-connecting-peers = looking for others …
status-connected = connected
status-connected-peers = in the room
status-reconnecting = reconnecting in { $seconds } s
status-silent = not answering for { $seconds } s
status-disconnected = not connected
status-leaving = leaving (Ctrl-C: at once)
status-waiting = { $count ->
    [one] 1 message waiting
   *[other] { $count } messages waiting
}
status-reading-back = { $unread ->
    [0] reading back (Esc: to the end)
   *[other] reading back, { $unread } new below (Esc: to the end)
}
status-elsewhere = { $count } unread elsewhere (Alt-A)
status-peers = { $count ->
    [one] nobody else
   *[other] { $count } peers
}
status-latency = { $milliseconds } ms
status-encrypted = encrypted
status-verified = encrypted, verified
status-plain = not encrypted
status-closed = closed room
status-help = F1 help

## Questions. The letter of key-yes is what a user presses for yes; Y is taken, too.

key-yes = y
prompt-password = password
prompt-invite = invitation
prompt-server = server
ask-password = The server has a password. What is it?
ask-password-again = That was not the password. What is it?
ask-invite = Only invited people come in. What is the code of your invitation?
ask-leave = Leave the chat? Press y to leave.
ask-paste = { $lines ->
    [one] Paste 1 line? Press y to insert, any other key not to. Enter sends.
   *[other] Paste { $lines } lines? Press y to insert, any other key not to. Enter sends.
}
ask-paste-cut = That is too much. Paste its beginning? Press y, or any other key not to.
ask-admission = { $others ->
    [0] Let { $name } in? Press Alt-Y or Alt-N; in { $seconds } s the answer is yes.
    [one] Let { $name } in? Press Alt-Y or Alt-N; in { $seconds } s the answer is yes. 1 more asks.
   *[other] Let { $name } in? Press Alt-Y or Alt-N; in { $seconds } s the answer is yes. { $others } more ask.
}

## What stands above the line that is typed

hint-opening = fetching the messages around it …
hint-older = fetching older messages …
hint-full = Older messages are not kept here: /search finds them.
hint-too-long = { $bytes ->
    [one] The message is 1 byte too long.
   *[other] The message is { $bytes } bytes too long.
}
typed-search = search
typed-not-found = search: not found

## Lines among the messages

row-new = new
row-late = late
row-removed = removed
row-refused = not sent: { $reason } (press Up to edit it again)
row-passed = { $count ->
   *[other] { $names } came and went
}
row-names-more = { $count ->
    [one] { $names } and 1 other
   *[other] { $names } and { $count } others
}
row-context-end = newer ones are not shown: Page Down fetches them, Esc goes to the newest

## What the program answers

note-not-in-room = You are not in #{ $room }. Type /join { $room } first.
note-no-history = There are no older messages here: only rooms have a history.
note-message-gone = That message is no longer there.
note-search-what = Type /search WORDS to find messages.
note-not-in-chat = You are not in the chat yet, so this was not sent.
note-not-connected = You are not connected yet. Try again when you are.
note-no-name = { $name } cannot be a name. For a room, type /join ROOM.
note-nothing-to-close = There is nothing to close.
notify-all = Here every message calls you now.
notify-mentions = Here messages that name you call you now.
notify-nothing = Here nothing calls you now.
setting-not-kept = This lasts only until you leave: { $reason }

## Notifications of the desktop

notice-in-room = { $name } in #{ $room }
notice-admission = wants to come in

## The user's own editor

editor-kept = What you wrote in the editor is kept: Up brings it back.
editor-failed = The text is as it was: { $reason }.
editor-missing = there is no program { $program }
editor-error = { $program } ended with error { $code }
editor-stopped = { $program } was stopped
editor-not-text = what it has written is not UTF-8
editor-too-late = The chat has ended meanwhile. Not sent:

## Commands about the window

window-query = shows the direct messages with one person
window-query-whom = With whom? Type /query NAME.
window-close = leaves this room, or closes the direct messages with this person
window-clear = empties this part of the screen
window-set = tells what can be set: what calls you, and the colours
window-set-what = /set notify all, mentions or nothing: what calls you in this room. /set theme terminal, dark, light or none: the colours.

## Results of a search. { $about } is what was searched for, as " with tea from bob in #attic", or nothing.

hits-enter = Enter shows it there
hits-close = Esc closes
hits-refused = not found: { $reason }
hits-searching = searching{ $about } …
hits-nothing = nothing found{ $about }
hits-all = { $count ->
    [one] 1 message{ $about }
   *[other] { $count } messages{ $about }
}
hits-latest = { $count ->
    [one] latest message{ $about }
   *[other] latest { $count } messages{ $about }
}
hits-searching-older = searching for older ones …
hits-older = older results: Enter or Page Down
hits-no-older = no older ones
hits-too-many = more are not shown: search for more words
hits-only-hidden = nothing to show
hits-hidden = { $count ->
    [one] 1 is not shown: you ignore its author
   *[other] { $count } are not shown: you ignore their authors
}

## First questions

start-leave = Ctrl-C leaves
start-which-server = Which server?
start-how = Up and Down select, Enter takes it; or type a number, or an address such as pi.local or chats://pi.local:2429
start-how-briefly = Enter takes it; or type its number, or an address
start-last-time = as the last time
start-known-key = encrypted, known key
start-looking = Looking for servers on this network …
start-none = No server was found on this network yet. Is chat-server running, and are both machines on the same network (a guest Wi-Fi often keeps them apart)? If it runs somewhere else, type its address.
start-none-yet = No server was found yet. Wait, or type the address of one.
start-last-silent = The server of the last time has not answered yet. Choose another one, or wait for it.
start-no-search = Servers cannot be looked for: { $reason }
start-no-number = There is no number { $number } in the list.
start-several = Several servers are called “{ $name }”. Type the number of one.
start-name = What do you want to be called?
start-name-default = Press Enter to take { $name }.
name-rule = A name has 1 to 32 letters and digits, “-”, “_”, “.”, at most 64 bytes; a letter or digit first.

## Help: keys, and what they do. Keys are to be narrower than 17 columns.

help-keys = Keys
help-commands = Commands
help-window = Commands about the window
help-closes = Any other key closes this.
key-enter = Enter
key-enter-does = sends what you have typed; Alt-Enter begins a new line
key-up = Up, Down
key-up-does = bring back what you have sent, as Ctrl-P and Ctrl-N; Ctrl-R searches it
key-tab = Tab
key-tab-does = completes names, commands and rooms
key-page-up = PageUp, PageDown
key-page-up-does = scroll, as does the mouse wheel; Alt-Home goes to the oldest message here, Alt-End or Esc to the newest
key-alt-digit = Alt-1 to Alt-9
key-alt-digit-does = show a room or a person; also Alt with an arrow, F5 and F6, or a click
key-control-f = Ctrl-F
key-control-f-does = on an empty line begins a search; Enter shows what was found where it was said
key-alt-a = Alt-A
key-alt-a-does = shows where something is unread
key-editor = Ctrl-X Ctrl-E
key-editor-does = opens your editor ($EDITOR) for a long message
key-control-c = Ctrl-C
key-control-c-does = clears the line; on an empty line it asks whether you want to leave
key-control-l = Ctrl-L
key-control-l-does = draws the screen again
key-control-z = Ctrl-Z
key-control-z-does = stops the program until you type fg
key-shift-mouse = Shift with mouse
key-shift-mouse-does = selects text
