# Texte: was getippt wird: Befehle, ihre Hilfe und ihre Fehler.

## How commands are typed: words in capitals stand for what the user types, brackets for what may be
## left out. /commands, --options and words in small letters stay as they are.

usage-message = beliebiger Text
usage-slash = //text
usage-me = /me TEXT
usage-msg = /msg NAME TEXT
usage-join = /join RAUM
usage-leave = /leave [RAUM]
usage-room = /room [NAME]
usage-who = /who [RAUM]
usage-history = /history [N]
usage-search = /search WÖRTER
usage-ignore = /ignore NAME
usage-unignore = /unignore NAME
usage-topic = /topic [TEXT]
usage-other-names = andere Namen
usage-block = /block NAME
usage-unblock = /unblock NAME
usage-yes = /yes NAME
usage-no = /no NAME
usage-remove-of = /remove NAME [TEXT]
usage-kick = /kick NAME [GRUND]
usage-ban = /ban NAME [DAUER] [GRUND]
usage-ban-address = /ban --address NAME
usage-unban = /unban NAME
usage-mute = /mute NAME [DAUER] [GRUND]
usage-unmute = /unmute NAME
usage-announce = /announce TEXT
usage-role = /role NAME moderator

## What commands do. Each text stands beside the command.

command-message = ist eine Nachricht an den Raum
command-slash = sendet „/text“ als Nachricht
command-join = geht in einen weiteren Raum; was du tippst, geht dorthin
command-leave = verlässt einen Raum
command-room = wechselt in einen Raum, in dem du bist, oder sagt, in welchem du redest
command-who = sagt, wer da ist
command-history = zeigt N ältere Nachrichten (20 ohne N)
command-search = findet Nachrichten mit allen diesen Wörtern in allen deinen Räumen; auch ANFANG*, "MEHRERE WÖRTER", von:NAME, in:RAUM, vor:DATUM, nach:DATUM (2026-11-03, 2026-11-03T14:30, heute, gestern)
command-search-again = zeigt ältere Treffer der letzten Suche, auf dem ganzen Bildschirm die letzte Suche noch einmal
command-ignore = blendet nur für dich aus, was von diesem Namen kommt, bis /unignore; gehört der Name jemandem, gilt es der Person, und wer später diesen Namen hat, ist zu sehen
command-ignore-list = sagt, wen du ausblendest
command-unignore = blendet einen Namen nicht mehr aus
command-claim = behält deinen Namen für dich: Ohne den Schlüssel dieses Geräts bekommt ihn niemand mehr (docs/using.md)
command-unclaim = gibt deinen Namen her
command-link = macht einen Code, mit dem ein weiteres Gerät von dir deinen Namen benutzen kann
command-unlink = nimmt allen deinen anderen Geräten den Namen, zum Beispiel wenn du eins verloren hast
command-rooms = sagt, welche Räume es gibt
command-topic = zeigt das Thema des Raums oder setzt es; /topic - nimmt es weg
command-remove = löscht deine letzte Nachricht in diesem Raum
command-moderation = zeigt die Befehle für Moderatoren
command-reconnect = verbindet sofort neu; das tut auch Enter, solange der Server nicht antwortet
command-help = zeigt diese Liste
command-other-names = /list ist /rooms, /names ist /who, /part ist /leave, /exit ist /quit

## What only the commands of chat-peer do

command-peers = sagt, wer da ist, wie lange schon, und auf welchem Weg
command-ignore-peer = blendet nur für dich aus, was von diesem Namen kommt, bis /unignore; dieselbe Person unter einem anderen Namen ist zu sehen, jemand anderes unter diesem Namen nicht
command-block = blendet aus, was jemand schreibt, auch unter einem anderen Namen, denn es gilt dem Schlüssel, und widerspricht, wenn diese Person wiederkommt; bis du gehst
command-block-list = sagt, wen du blockierst
command-unblock = blockiert jemanden nicht mehr
command-yes = lässt jemanden herein, der hereinmöchte (--ask)
command-no = lässt jemanden nicht herein
command-room-peer = sagt, welcher Raum das ist
command-other-names-peer = /names ist /who, /exit ist /quit

## What the commands of moderators do

command-remove-of = löscht die letzte Nachricht von NAME in diesem Raum (in der TEXT steht)
command-kick = weist jemanden aus diesem Raum hinaus; wiederkommen ist erlaubt
command-ban = sperrt jemanden aus, für 90s, 10m, 2h, 7d oder ohne DAUER für immer
command-ban-address = sperrt alle mit derselben Adresse aus: sagt, wie viele das hinausschicken würde, und tut es nur mit --yes
command-unban = lässt jemanden wieder herein
command-bans = sagt, wer in diesem Raum ausgesperrt oder stumm geschaltet ist
command-unmute = lässt jemanden wieder reden
command-slow = lässt jeden nur alle 10 Sekunden eine Nachricht senden; /slow off beendet das
command-moderated = lässt hier nur Moderatoren reden; /moderated off beendet das
command-announce = schickt allen in diesem Raum eine Durchsage
command-role = macht jemanden zum Moderator dieses Raums; auch owner oder none
command-server = vor dem NAMEN: kick, ban, unban, bans, mute, unmute, announce und role gelten für den ganzen Server

## Lines that are not understood

wrong-command = Es gibt keinen Befehl { $command }. /help zählt die Befehle auf. (Um es als Nachricht zu senden, tippe /{ $command }.)
wrong-command-near = Es gibt keinen Befehl { $command }. Meinst du { $near }? (Um es als Nachricht zu senden, tippe /{ $command }.)
wrong-name = Wen meinst du? Tippe { $command } NAME.
wrong-me = Was tust du? Tippe /me TEXT.
wrong-msg = Wem willst du was schreiben? Tippe /msg NAME TEXT.
wrong-join = In welchen Raum? Tippe /join RAUM.
wrong-history = Tippe /history N mit einer Zahl von 1 bis { $most }.
wrong-claim = { $command } gilt dem Namen, den du hier hast. Tippe nichts dahinter.
wrong-option = Die Option { $option } gibt es hier nicht. /moderation zeigt die Befehle.
wrong-address = Nur /ban kennt --address.
wrong-slow = Tippe /slow off oder /slow mit einer Zeit bis zu einer Stunde, zum Beispiel /slow 10s.
wrong-moderated = Tippe /moderated on oder /moderated off.
wrong-topic = { $problem ->
    [long] Dieses Thema ist zu lang: Es darf { $bytes } Bytes haben.
   *[other] Ein Thema ist eine Zeile ohne Steuerzeichen.
}
wrong-reason = { $problem ->
    [long] Dieser Grund ist zu lang: Er darf { $bytes } Bytes haben.
   *[other] Ein Grund ist eine Zeile ohne Steuerzeichen.
}
wrong-announcement = { $problem ->
    [long] Nicht gesendet: Das ist zu lang. Eine Durchsage darf { $bytes } Bytes haben.
   *[other] Nicht gesendet: Eine Durchsage ist eine Zeile ohne Steuerzeichen.
}
wrong-length = { $typed } ist keine Dauer: Tippe 90s, 10m, 2h, 7d (bis 3650d) oder forever. Wenn dein Grund mit einer Ziffer beginnt, tippe die Dauer davor.
wrong-bans = „{ $typed }“ gehört hier nicht hin. Tippe /bans für diesen Raum oder /bans --server für den Server.
wrong-announce = Was willst du durchsagen? Tippe /announce TEXT.
wrong-role = Welche Rolle? Tippe /role NAME moderator, /role NAME owner oder /role NAME none.

## Commands that are not there, and what to do in place of them

absent-direct = Ohne Server gibt es keine Direktnachrichten.
absent-other-room = chat-peer bleibt in einem Raum. Um auch in einem anderen zu sein, starte chat-peer noch einmal mit --room.
absent-history = Älteres gibt es nicht: chat-peer bekommt nur die letzten 10 Nachrichten, wenn du hereinkommst.
absent-search = Es gibt nichts zu durchsuchen: Ohne Server bewahrt niemand die Nachrichten auf.
absent-moderation = Ohne Server gibt es keine Moderatoren. /block NAME blendet aus, was jemand schreibt.
absent-claim = Ohne Server kannst du einen Namen nicht für dich behalten.
absent-reconnect = Es gibt keinen Server, mit dem du dich neu verbinden kannst: chat-peer findet die anderen von selbst.
absent-block = Das kann nur chat-peer. /ignore NAME blendet aus, was von einem Namen kommt.
absent-unblock = Das kann nur chat-peer. /unignore NAME blendet einen Namen nicht mehr aus.
absent-peers = Das kann nur chat-peer.
absent-nick = Solange du im Chat bist, bleibt dein Name, wie er ist. Tippe /quit und starte neu mit --name NAME.
absent-away = Niemand erfährt, dass du weg bist. Was inzwischen gesagt wird, siehst du, wenn du zurück bist; um für die anderen weg zu sein, tippe /quit.
absent-whois = /who sagt, wer da ist.
absent-whois-peer = /peers sagt, wer da ist und von welcher Adresse.
absent-query = /query gehört zum ganzen Bildschirm. Tippe /msg NAME TEXT.
absent-close = /close gehört zum ganzen Bildschirm. Um einen Raum zu verlassen, tippe /leave [RAUM].
absent-close-peer = /close gehört zum ganzen Bildschirm. Um den Chat zu verlassen, tippe /quit.
absent-clear = /clear gehört zum ganzen Bildschirm. Zeilen, die schon ausgegeben sind, kann nur das Terminal löschen.
absent-set = /set gehört zum ganzen Bildschirm. Bei einfachen Zeilen gibt es nichts einzustellen.

## The room that the user talks in. Lines that begin with a small letter are notes without a full stop.

here-none = du bist in keinem Raum: tippe /join RAUM
here-room = du redest in #{ $room }
here-switched = du redest jetzt in #{ $room }
here-topic = Thema: { $topic }
here-no-topic = dieser Raum hat kein Thema
here-not-in = Du bist nicht in #{ $room }. Tippe /join { $room }, um hineinzugehen.
here-nowhere = Du bist in keinem Raum. Tippe /join RAUM.
here-no-message = Eine solche Nachricht war hier in letzter Zeit nicht zu sehen.

## Searches. The names of the filters, from: and so on, can be typed in the user's language.

query-blank = Schreib { $filter }:{ $kind ->
    [name] NAME
    [room] RAUM
   *[date] DATUM
} ohne Leerzeichen.
query-filter = Nach { $filter }: kannst du nicht suchen, aber mit von:NAME, in:RAUM, vor:DATUM und nach:DATUM. Um es als Text zu suchen, setz es in Anführungszeichen: "{ $piece }".
query-twice = { $filter }: darf in einer Suche nur einmal stehen.
query-date = { $value } ist kein Datum. Schreib 2026-11-03, 2026-11-03T14:30, heute oder gestern.
query-no-older = Es gibt keine älteren Treffer. Um zu suchen, tippe /search WÖRTER.

## Whom the user ignores

ignore-none = Du blendest niemanden aus. /ignore NAME blendet aus, was von einem Namen kommt.
ignore-list = Ausgeblendet: { $names }. /unignore NAME beendet das.
ignore-list-unsaved = Ausgeblendet, bis du gehst: { $names }. /unignore NAME beendet das.
ignore-already = { $name } ist schon ausgeblendet.
ignore-no-answer = du hast { $name } ausgeblendet, eine Antwort siehst du also nicht
# What /ignore NAME says consists of several of the following sentences.
ignore-added = Ab jetzt ist { $name } ausgeblendet: Was von diesem Namen kommt, siehst du hier nicht (Nachrichten, Direktnachrichten, Kommen und Gehen). Niemand erfährt davon, und { $name } kann weiter lesen, was du schreibst.
ignore-added-peer = Ab jetzt ist { $name } ausgeblendet: Was von diesem Namen kommt, siehst du hier nicht (Nachrichten, Kommen und Gehen). Niemand erfährt davon, und { $name } kann weiter lesen, was du schreibst.
ignore-added-person = Der Name gehört dieser Person, deshalb gilt es ihr: Sie ist auch unter einem anderen Namen ausgeblendet, wenn der Server weiß, dass sie es ist, und wer nach ihr { $name } heißt, ist zu sehen.
ignore-added-name = Es gilt nur dem Namen: Dieselbe Person unter einem anderen Namen ist zu sehen, und jemand anderes unter diesem Namen nicht.
ignore-added-block = { $name } kann weiterhin hereinkommen; /block { $name } widerspricht dem.
ignore-until-unignored = Das gilt auch nach einem Neustart, bis du /unignore { $name } tippst.
ignore-until-quit = Das gilt, bis du /unignore { $name } tippst oder gehst, denn die Liste wird nicht gespeichert.
ignore-removed = { $name } ist nicht mehr ausgeblendet. /search von:{ $name } zeigt, was verborgen war.
ignore-removed-peer = { $name } ist nicht mehr ausgeblendet. Was verborgen war, bleibt verborgen.
ignore-wrong-name = „{ $name }“ kann kein Name sein.
that-is-you = Das bist du.
ignore-full = Du hast schon { $count } Namen ausgeblendet, mehr geht nicht. /unignore NAME macht Platz.
ignore-unknown = { $name } ist nicht ausgeblendet. /ignore zeigt, wen du ausblendest.

## The file of the ignore list

ignore-file-failed = { $path } lässt sich nicht benutzen ({ $reason }).
ignore-file-long = { $path } lässt sich nicht benutzen (mehr als { $bytes } Bytes).
ignore-file-damaged = { $path } lässt sich nicht benutzen (ein Fehler in Zeile { $line }, Spalte { $column }).
ignore-file-other = { $path } lässt sich nicht benutzen (die Datei gehört zu einem anderen Server).
ignore-file-name = { $path } lässt sich nicht benutzen („{ $name }“ darin kann kein Name sein).
ignore-file-log = { $path } lässt sich nicht benutzen („{ $log }“ darin kann keine Kennung eines Protokolls sein).
ignore-file-full = { $path } lässt sich nicht benutzen (mehr als { $count } Namen).
ignore-file-kept = Wen du ab jetzt ausblendest, ist vergessen, wenn du gehst. Die Datei wurde nicht geändert: Repariere oder lösche sie und starte neu.

## Lines that cannot be read

input-long = Nicht gesendet: Die Zeile hat { $bytes } Bytes, eine Nachricht darf { $most } haben.
input-encoding = Nicht gesendet: Die Zeile ist kein UTF-8.
input-failed = Die Eingabe lässt sich nicht lesen: { $reason }.
