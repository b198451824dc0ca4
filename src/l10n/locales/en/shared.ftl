# Texts that the programs and the page share, in English. The catalogues of other languages have the
# same ids.

## What moderators do

invite-for-name = This invitation is for the name { $name }.
moderated-mode = Only moderators may talk here
sanction-until = until { $time }
sanction-left = for another { $time }
sanction-by = by { $by }
sanctioned-kick = You were sent out
sanctioned-ban = You are kept out

## What commands do. Each text stands beside the command.

help-me = says what you do: * anna waves
help-msg = says it to one person only
help-mute = lets somebody read but not talk
help-quit = leaves the chat
help-moderators = For moderators

## Whom the user ignores

ignored-person = { $name } (the person)

## Why something was refused

error-server_full = The server has as many guests as it can take.
error-too_many_from_address = Too much comes from your address. Wait a little.
error-name_invalid = A name has letters and digits, also - _ and ., and begins with a letter or a digit.
error-name_taken = Somebody here has this name.
error-name_lookalike = This looks too much like the name of somebody here.
error-invite_required = Only invited people may come in.
error-invite_invalid = This invitation is not valid: mistyped, used already, or over.
error-too_many_attempts = Too many attempts. Wait a little.
error-banned = You are banned
error-text_invalid = It is empty, too long, or has characters that are not allowed.
error-not_in_room = You are not in this room.
error-room_invalid = A room's name has letters and digits, also - _ and .
error-too_many_rooms = You are in as many rooms as is allowed. Leave one first.
error-rooms_full = The server has as many rooms as it can take.
error-already_in_room = You are in this room already.
error-recipient_unknown = Nobody has this name.
error-recipient_changed = Somebody else has this name now.
error-not_stored = The server could not keep this message.
error-search_invalid = There must be a word in a search, and not too many.
error-unavailable = The server cannot read its messages just now.
error-muted = You may not talk here
error-not_permitted = You may not do this.
error-message_unknown = There is no such message.
error-too_soon = This room is in slow mode: wait a little.
error-too_many = There are as many of these as the server keeps.
error-follower = This server only follows another one: write there.
