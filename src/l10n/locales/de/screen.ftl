# Texte: der ganze Bildschirm: seine Zeilen, Fragen und Hilfe.

## Title, and lists beside the messages. These have little room.

title-chat = Chat
title-direct = Direktnachrichten
place-start = Start
people-count = { $count ->
    [one] 1 Person
   *[other] { $count } Leute
}
people-more = … { $count } weitere

## Status line. All of it is to fit into 80 columns: see the test german::status_line_fits.

status-connecting = verbinde …
status-connecting-peers = suche andere …
status-connected = verbunden
status-connected-peers = im Raum
status-reconnecting = verbinde neu in { $seconds } s
status-silent = seit { $seconds } s ohne Antwort
status-disconnected = getrennt
status-leaving = du gehst (Strg-C: sofort)
status-waiting = { $count } ungesendet
status-reading-back = { $unread ->
    [0] weiter oben (Esc: ans Ende)
   *[other] weiter oben, { $unread } neue (Esc: ans Ende)
}
status-elsewhere = { $count } neu anderswo (Alt-A)
status-peers = { $count ->
    [one] niemand sonst
   *[other] { $count } Leute
}
status-latency = { $milliseconds } ms
status-encrypted = verschlüsselt
status-verified = verschlüsselt, geprüft
status-plain = unverschlüsselt
status-closed = geschlossen
status-help = F1 Hilfe

## Questions. The letter of key-yes is what a user presses for yes; Y is taken, too.

key-yes = j
prompt-password = Passwort
prompt-invite = Einladung
prompt-server = Server
ask-password = Wie lautet das Passwort des Servers?
ask-password-again = Falsches Passwort. Wie lautet es?
ask-invite = Hierher kommt nur, wer eingeladen ist. Wie lautet dein Code?
ask-leave = Den Chat verlassen? j heißt ja.
ask-paste = { $lines ->
    [one] 1 Zeile einfügen? j fügt sie ein, jede andere Taste nicht. Enter sendet.
   *[other] { $lines } Zeilen einfügen? j fügt sie ein, jede andere Taste nicht. Enter sendet.
}
ask-paste-cut = Das ist zu viel. Den Anfang einfügen? Drück j, oder etwas anderes für nein.
ask-admission = { $others ->
    [0] { $name } hereinlassen? Drück Alt-J oder Alt-N; in { $seconds } s heißt es ja.
    [one] { $name } hereinlassen? Drück Alt-J oder Alt-N; in { $seconds } s heißt es ja. 1 weitere Person fragt.
   *[other] { $name } hereinlassen? Drück Alt-J oder Alt-N; in { $seconds } s heißt es ja. { $others } weitere fragen.
}

## What stands above the line that is typed

hint-opening = hole die Nachrichten darum herum …
hint-older = hole ältere Nachrichten …
hint-full = Ältere Nachrichten werden hier nicht aufgehoben: /search findet sie.
hint-too-long = { $bytes ->
    [one] Die Nachricht ist 1 Byte zu lang.
   *[other] Die Nachricht ist { $bytes } Bytes zu lang.
}
typed-search = Suche
typed-not-found = Suche: nichts gefunden

## Lines among the messages

row-new = neu
row-late = verspätet
row-removed = entfernt
row-refused = nicht gesendet: { $reason } (Pfeil auf holt es zurück)
row-passed = { $count ->
    [one] { $names } kam und ging
   *[other] { $names } kamen und gingen
}
row-names-more = { $count ->
    [one] { $names } und 1 weitere Person
   *[other] { $names } und { $count } weitere
}
row-context-end = neuere sind nicht zu sehen: Bild ab holt sie, Esc geht zur neuesten

## What the program answers

note-not-in-room = Du bist nicht in #{ $room }. Tippe erst /join { $room }.
note-no-history = Hier gibt es keine älteren Nachrichten: die haben nur Räume.
note-message-gone = Diese Nachricht ist nicht mehr da.
note-search-what = Tippe /search WÖRTER, um Nachrichten zu finden.
note-not-in-chat = Du bist noch nicht im Chat, darum wurde das nicht gesendet.
note-not-connected = Du bist noch nicht verbunden. Versuch es danach noch einmal.
note-no-name = { $name } kann kein Name sein. In einen Raum kommst du mit /join RAUM.
note-nothing-to-close = Hier gibt es nichts zu schließen.
notify-all = Hier ruft dich jetzt jede Nachricht.
notify-mentions = Hier rufen dich jetzt Nachrichten, in denen dein Name steht.
notify-nothing = Hier ruft dich jetzt nichts mehr.
setting-not-kept = Das gilt nur, bis du gehst: { $reason }

## Notifications of the desktop

notice-in-room = { $name } in #{ $room }
notice-admission = möchte herein

## The user's own editor

editor-kept = Was du im Editor geschrieben hast, ist aufgehoben: Pfeil auf holt es zurück.
editor-failed = Der Text ist, wie er war: { $reason }.
editor-missing = es gibt kein Programm { $program }
editor-error = { $program } hat den Fehler { $code } gemeldet
editor-stopped = { $program } wurde abgebrochen
editor-not-text = was es geschrieben hat, ist kein UTF-8
editor-too-late = Der Chat ist inzwischen zu Ende. Nicht gesendet:

## Commands about the window

window-query = zeigt die Direktnachrichten mit einer Person
window-query-whom = Mit wem? Tippe /query NAME.
window-close = verlässt diesen Raum, oder schließt die Direktnachrichten mit dieser Person
window-clear = leert diesen Teil des Bildschirms
window-set = sagt, was du einstellen kannst: was dich ruft, und die Farben
window-set-what = /set notify all, mentions oder nothing: ob dich in diesem Raum alles ruft, nur dein Name oder nichts. /set theme terminal, dark, light oder none: die Farben.

## Results of a search. { $about } is what was searched for, as " with tea from bob in #attic", or nothing.

hits-enter = Enter zeigt sie im Raum
hits-close = Esc schließt
hits-refused = nicht gefunden: { $reason }
hits-searching = suche{ $about } …
hits-nothing = nichts gefunden{ $about }
hits-all = { $count ->
    [one] 1 Nachricht{ $about }
   *[other] { $count } Nachrichten{ $about }
}
hits-latest = { $count ->
    [one] die neueste Nachricht{ $about }
   *[other] die neuesten { $count } Nachrichten{ $about }
}
hits-searching-older = suche ältere …
hits-older = ältere Treffer: Enter oder Bild ab
hits-no-older = keine älteren
hits-too-many = mehr werden nicht gezeigt: such nach mehr Wörtern
hits-only-hidden = nichts zu zeigen
hits-hidden = { $count ->
    [one] 1 ist nicht zu sehen: du blendest die Person aus
   *[other] { $count } sind nicht zu sehen: du blendest die Leute aus
}

## First questions

start-leave = Strg-C beendet
start-which-server = Welcher Server?
start-how = Wähl mit Pfeil auf und ab, Enter nimmt ihn; oder tippe eine Nummer oder eine Adresse wie pi.local oder chats://pi.local:2429
start-how-briefly = Enter nimmt ihn; oder tippe seine Nummer oder eine Adresse
start-last-time = wie beim letzten Mal
start-known-key = verschlüsselt, bekannt
start-looking = Suche Server in diesem Netz …
start-none = In diesem Netz wurde noch kein Server gefunden. Läuft chat-server, und sind beide Rechner im selben Netz (ein WLAN für Gäste trennt sie oft)? Läuft er woanders, dann tippe seine Adresse.
start-none-yet = Es wurde noch kein Server gefunden. Warte, oder tippe die Adresse von einem.
start-last-silent = Der Server vom letzten Mal hat noch nicht geantwortet. Wähl einen anderen, oder warte auf ihn.
start-no-search = Server lassen sich nicht suchen: { $reason }
start-no-number = In der Liste gibt es keine Nummer { $number }.
start-several = Mehrere Server heißen „{ $name }“. Tippe die Nummer von einem.
start-name = Wie willst du heißen?
start-name-default = Enter nimmt { $name }.
name-rule = Ein Name hat 1 bis 32 Buchstaben und Ziffern, auch „-“, „_“ und „.“, höchstens 64 Bytes, und beginnt mit einem Buchstaben oder einer Ziffer.

## Help: keys, and what they do. Keys are to be narrower than 17 columns.

help-keys = Tasten
help-commands = Befehle
help-window = Befehle für das Fenster
help-closes = Jede andere Taste schließt das.
key-enter = Enter
key-enter-does = sendet, was du getippt hast; Alt-Enter beginnt eine neue Zeile
key-up = Pfeil auf, ab
key-up-does = holen zurück, was du gesendet hast, wie Strg-P und Strg-N; Strg-R sucht darin
key-tab = Tab
key-tab-does = ergänzt Namen, Befehle und Räume
key-page-up = Bild auf, ab
key-page-up-does = blättern, wie das Mausrad; Alt-Pos1 geht zur ältesten Nachricht hier, Alt-Ende oder Esc zur neuesten
key-alt-digit = Alt-1 bis Alt-9
key-alt-digit-does = zeigen einen Raum oder eine Person; auch Alt mit Pfeil, F5, F6 oder ein Klick
key-control-f = Strg-F
key-control-f-does = beginnt auf einer leeren Zeile eine Suche; Enter zeigt einen Treffer im Raum
key-alt-a = Alt-A
key-alt-a-does = zeigt, wo etwas ungelesen ist
key-editor = Strg-X Strg-E
key-editor-does = öffnet deinen Editor ($EDITOR) für eine lange Nachricht
key-control-c = Strg-C
key-control-c-does = leert die Zeile; ist sie leer, wirst du gefragt, ob du gehen willst
key-control-l = Strg-L
key-control-l-does = zeichnet den Bildschirm neu
key-control-z = Strg-Z
key-control-z-does = hält das Programm an, bis du fg tippst
key-shift-mouse = Umschalt mit Maus
key-shift-mouse-does = markiert Text
