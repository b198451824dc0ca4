# Texte der Seite auf Deutsch.

app-name = pi-chat

## Coming in

name-title = Komm herein
name-question = Wie sollen dich die anderen nennen?
name-label = Dein Name
name-hint = Buchstaben und Ziffern, auch - _ und .
name-go = Mitreden
invite-label = Code deiner Einladung
name-refused-title = Dieser Name geht nicht
password-title = Dieser Chat hat ein Passwort
password-label = Passwort
password-wrong = Das war nicht das Passwort. Versuch es noch einmal.
password-go = Hereinkommen
elsewhere-title = Der Chat ist in einem anderen Tab offen
elsewhere-text = Er kann nur in einem Tab des Browsers zugleich sein.
elsewhere-take = Hier weitermachen
ended-title = Du bist nicht mehr im Chat
ended-replaced = Deine Sitzung geht in einem anderen Fenster oder auf einem anderen Gerät weiter.
ended-left = Du bist gegangen. Bis bald!
ended-protocol = Diese Seite versteht den Server nicht. Lade sie neu.
ended-crashed = In dieser Seite ging etwas schief.
ended-unavailable = Du bist gegangen, aber der Server hat es nicht erfahren.
ended-again = Wieder hereinkommen
broken-title = Dieser Browser kann den Chat nicht zeigen
broken-text = Die Seite braucht einen neueren Browser, oder ein Teil davon ließ sich nicht laden. Lade sie neu, oder öffne { $address } in einem anderen Browser.
reload = Neu laden

## Connection

state-live = Verbunden
state-connecting = Verbinde …
state-silent = Der Server antwortet nicht
state-waiting = Keine Verbindung
state-offline-note = Was du schreibst, wird gesendet, sobald die Verbindung wieder da ist.
state-window = Hat sich dieses Fenster von selbst geöffnet, dann öffne { $address } in deinem Browser.
state-retry = Jetzt versuchen

## Conversations

menu-open = Liste der Räume öffnen
menu-close = Liste der Räume schließen
rooms = Räume
people-written = Direktnachrichten
rooms-add = Raum finden oder anlegen
unread = { $count ->
    [one] { $count } ungelesene Nachricht
   *[other] { $count } ungelesene Nachrichten
}
mentions = { $count ->
    [one] { $count } für dich
   *[other] { $count } für dich
}
members = { $count ->
    [one] { $count } Person hier
   *[other] { $count } Personen hier
}
members-title = Wer hier ist
members-too-many = Zu viele, um alle aufzuzählen.
members-none = Niemand ist aufgeführt.
you = du
room-leave = Diesen Raum verlassen
room-leave-note = Ein Entwurf darin geht verloren.
direct-close = Dieses Gespräch schließen
direct-close-note = Was darin steht, geht verloren.
direct-note = Das lest nur ihr beide.

## Messages

messages = Nachrichten
messages-begin = Hier fängt es an.
messages-loading = Lade ältere Nachrichten …
messages-empty = Hier wurde noch nichts gesagt. Fang an!
messages-gap = Hier fehlen Nachrichten
person-anew = { $name } ist neu gekommen. Es kann jemand anderes sein.
new-since = Neu, seit du zuletzt da warst
to-newest = Zur neuesten
to-newest-unread = { $count ->
    [one] { $count } neue Nachricht
   *[other] { $count } neue Nachrichten
}
message-removed = Diese Nachricht wurde entfernt
message-sending = Wird gesendet …
message-refused = Nicht gesendet: { $reason }
message-edit = Bearbeiten
message-discard = Verwerfen
message-send-anyway = Trotzdem dorthin senden
message-actions = Was mit dieser Nachricht geschehen soll
message-copy = Text kopieren
message-remove = Diese Nachricht entfernen
action-write = Nur an { $name } schreiben
action-mention = { $name } erwähnen
action-ignore = Nicht zeigen, was { $name } schreibt
action-unignore = Zeigen, was { $name } schreibt
action-kick = { $name } aus diesem Raum weisen
action-mute = { $name } stumm schalten
action-ban = { $name } aussperren
action-moderator = { $name } zum Moderator dieses Raums machen
action-no-moderator = { $name } die Rolle in diesem Raum nehmen
ignored-message = Verborgen: Du willst nicht sehen, was { $name } schreibt

## Writing

compose-label = Nachricht an { $place }
compose-placeholder = Nachricht
compose-send = Senden
compose-too-long = Um { $bytes } Bytes zu lang
unknown-command = Es gibt keinen Befehl /{ $command }. /help zählt sie auf.
command-incomplete = Nach /{ $command } fehlt etwas, oder es stimmt nicht. /help sagt, was dorthin gehört.
room-here = Du bist in #{ $room }.
topic = Thema: { $topic }
topic-none = Dieser Raum hat kein Thema.
remove-none = Eine solche Nachricht ist hier nicht.
ignored-list = { $count ->
    [0] Du siehst, was alle schreiben.
   *[other] Ausgeblendet: { $names }
}

## Finding

search = Suchen
search-label = Suche Wörter in allen deinen Räumen
search-go = Suchen
search-none = Nichts gefunden.
search-wrong = Was bedeutet { $piece }? Es gibt von:NAME, in:RAUM, vor: und nach: mit einem Tag wie 2026-11-03. In Anführungszeichen ist es Text.
search-more = Ältere Treffer
search-searching = Suche …
rooms-title = Räume
rooms-label = Name eines Raums
rooms-go = Hingehen
rooms-note = Einen Raum, den es noch nicht gibt, legst du damit an.
rooms-loading = Frage nach den Räumen …
room-members = { $count ->
    [0] leer
    [one] { $count } Person
   *[other] { $count } Personen
}
room-joined = du bist hier

## Settings and help

settings = Du und diese Seite
settings-name = Du bist { $name } auf { $server }.
name-keep = Diesen Namen behalten
name-keep-note = Du kannst diesen Namen behalten: Dann bekommt ihn sonst niemand, auch wenn du weg bist. Den Schlüssel dafür hat nur dieser Browser: ein privates Fenster verliert ihn.
name-kept = Der Name { $name } wird in diesem Browser für dich aufgehoben.
name-give-up = Den Namen hergeben
name-give-up-note = Dann bekommt ihn jeder, wenn du weg bist. Um wieder einen Namen zu behalten, brauchst du vielleicht eine neue Einladung.
device-add = Weiteres Gerät hinzufügen
device-how = Scanne diesen Code mit dem anderen Gerät. Oder öffne dort { $address }, gib den Namen { $name } ein und dann diesen Code:
device-left = Er gilt einmal, noch { $time }.
device-over = Dieser Code gilt nicht mehr.
device-again = Neuen Code machen
device-linked = Ein weiteres Gerät ist unter deinem Namen da. Gehört es dir nicht, dann nimm ihm den Namen: „Du und diese Seite“, „Andere Geräte trennen“.
device-unlink = Andere Geräte trennen
device-unlink-note = Sie sind sofort draußen und brauchen einen neuen Code, um wieder unter deinem Namen zu kommen.
settings-sound = Ton abspielen, wenn etwas für dich kommt
settings-notify = Benachrichtigungen zeigen
settings-notify-granted = Benachrichtigungen sind an.
settings-notify-denied = Dieser Browser zeigt keine Benachrichtigungen dieser Seite.
settings-notify-unavailable = Benachrichtigungen brauchen https, das dieser Server nicht hat.
settings-leave = Den Chat verlassen
invite = Andere einladen
invite-how = Andere scannen diesen Code mit ihrem Telefon oder tippen die Adresse in einen Browser:
invite-share = Adresse teilen
invite-copy = Adresse kopieren
invite-copied = Kopiert
invite-by-hand = Zum Kopieren markierst du die Adresse.
help-title = Was du tippen kannst
help-join = geht in einen Raum oder legt ihn an
help-leave = verlässt den Raum
help-history = zeigt ältere Nachrichten
help-topic = setzt das Thema; - nimmt es weg
help-search = sucht Nachrichten
help-rooms = sagt, welche Räume es gibt
help-who = sagt, wer hier ist
help-remove = löscht, was du zuletzt gesagt hast
help-ignore = blendet aus, was jemand schreibt; /unignore
help-claim = behält deinen Namen für diesen Browser; /unclaim
help-link = gibt einem weiteren Gerät deinen Namen; /unlink nimmt ihn zurück
help-kick = weist jemanden aus dem Raum
help-ban = sperrt jemanden aus: 10m, 2h, 7d oder ohne Ende
help-remove-of = löscht die letzte Nachricht einer Person, in der TEXT steht
help-bans = listet auf, wer ausgesperrt oder stumm ist
help-slow = nur alle 10 Sekunden eine Nachricht; off
help-moderated = nur Moderatoren dürfen reden; off
help-announce = schickt allen hier eine Durchsage
help-role = moderator, owner oder none
close = Schließen
dismiss = Weg damit

## Moderation

moderation-open = Diesen Raum moderieren
moderation-title = Moderation von #{ $room }
moderation-topic = Thema
moderation-set = Setzen
moderation-slow = Langsam-Modus
slow-mode = Langsam: eine Nachricht alle { $seconds } Sekunden
slow-off = Kein Langsam-Modus
sanctions-title = Ausgesperrt oder stumm
sanctions-none = Niemand.
sanction-ban = ausgesperrt
sanction-mute = stumm
sanction-lift = Aufheben
sanction-length = Wie lange?
sanction-reason = Grund, den die Person liest
length = { $seconds ->
    [0] ohne Ende
    [600] 10 Minuten
    [7200] 2 Stunden
    [86400] einen Tag
   *[604800] eine Woche
}
ban-counted = { $affected ->
    [one] Das würde eine Person hinausschicken. Mit --yes geschieht es.
   *[other] Das würde { $affected } Personen hinausschicken. Mit --yes geschieht es.
}

## What happened

done = Erledigt.
left-forced = Du wurdest aus #{ $room } gewiesen.
sanctioned-unban = Du bist nicht mehr ausgesperrt
sanctioned-mute = Du wurdest stumm geschaltet
sanctioned-unmute = Du darfst wieder reden
whole-server = ganzer Server
error-unsent = Es wurde nicht gesendet.
error-name_claimed = Dieser Name gehört jemandem. Wenn du unter ihm eingeladen bist, gib den Code ein.
error-proof_invalid = Der Server nimmt den Schlüssel dieses Browsers nicht an. Du kannst ohne ihn hereinkommen.
