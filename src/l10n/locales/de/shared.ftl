# Texte, die Programme und Seite gemeinsam haben, auf Deutsch.

## What moderators do

invite-for-name = Diese Einladung ist für den Namen { $name }.
moderated-mode = Hier dürfen nur Moderatoren reden
sanction-until = bis { $time }
sanction-left = noch { $time }
sanction-by = von { $by }
sanctioned-kick = Du wurdest hinausgewiesen
sanctioned-ban = Du wurdest ausgesperrt

## What commands do. Each text stands beside the command.

help-me = sagt, was du tust: * anna winkt
help-msg = sagt es nur einer Person
help-mute = lässt jemanden lesen, aber nicht reden
help-quit = verlässt den Chat
help-moderators = Für Moderatoren

## Whom the user ignores

ignored-person = { $name } (die Person)

## Why something was refused

error-server_full = Der Server hat so viele Gäste, wie er fassen kann.
error-too_many_from_address = Von deiner Adresse kommt zu viel. Warte ein wenig.
error-name_invalid = Ein Name hat Buchstaben und Ziffern, auch - _ und ., und beginnt mit einem Buchstaben oder einer Ziffer.
error-name_taken = Hier hat schon jemand diesen Namen.
error-name_lookalike = Das sieht dem Namen von jemandem hier zu ähnlich.
error-invite_required = Hierher kommt nur, wer eingeladen ist.
error-invite_invalid = Diese Einladung gilt nicht: vertippt, schon benutzt oder abgelaufen.
error-too_many_attempts = Zu viele Versuche. Warte ein wenig.
error-banned = Du bist ausgesperrt
error-text_invalid = Es ist leer, zu lang oder hat Zeichen, die nicht erlaubt sind.
error-not_in_room = Du bist nicht in diesem Raum.
error-room_invalid = Der Name eines Raums hat Buchstaben und Ziffern, auch - _ und .
error-too_many_rooms = Du bist in so vielen Räumen, wie erlaubt ist. Verlass erst einen.
error-rooms_full = Der Server hat so viele Räume, wie er fassen kann.
error-already_in_room = Du bist schon in diesem Raum.
error-recipient_unknown = Niemand hat diesen Namen.
error-recipient_changed = Diesen Namen hat jetzt jemand anderes.
error-not_stored = Der Server konnte diese Nachricht nicht behalten.
error-search_invalid = Eine Suche braucht ein Wort, und nicht zu viele.
error-unavailable = Der Server kann seine Nachrichten gerade nicht lesen.
error-muted = Du darfst hier nicht reden
error-not_permitted = Das darfst du nicht.
error-message_unknown = Diese Nachricht gibt es nicht.
error-too_soon = Dieser Raum ist langsam gestellt: Warte ein wenig.
error-too_many = Mehr davon kann sich der Server nicht merken.
error-follower = Dieser Server folgt nur einem anderen: Schreib dort.
