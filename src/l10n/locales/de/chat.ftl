# Texte: was im Chat geschieht: Nachrichten, Räume, Leute, Moderation.

## Numbers, sizes and lengths of time

number-thousands = .
number-decimal = ,
size-bytes = { $count ->
    [one] { $count } Byte
   *[other] { $count } Bytes
}
time-seconds = { $count ->
    [one] { $count } Sekunde
   *[other] { $count } Sekunden
}
time-minutes = { $count ->
    [one] { $count } Minute
   *[other] { $count } Minuten
}
time-hours = { $count ->
    [one] { $count } Stunde
   *[other] { $count } Stunden
}
time-days = { $count ->
    [one] { $count } Tag
   *[other] { $count } Tage
}

## The question for another name

name-impossible = Das kann kein Name sein: { $problem }.
name-empty = Er ist leer
name-too-long = Er ist länger als 32 Zeichen oder 64 Bytes
name-characters = Nur sichtbare Buchstaben und Ziffern, „-“, „_“ und „.“ sind erlaubt
name-first = Er muss mit einem Buchstaben oder einer Ziffer beginnen
name-question-again = Wie möchtest du stattdessen heißen? Ein Name hat 1 bis 32 Buchstaben und Ziffern, „-“, „_“, „.“, höchstens 64 Bytes, und beginnt mit einem Buchstaben oder einer Ziffer. Mit der Eingabetaste nimmst du { $suggestion }.
name-prompt = Name [{ $suggestion }]>

## Why something was refused

refused-nobody = Niemand hier heißt „{ $name }“.
refused-changed = { $name }: Diesen Namen hat jetzt jemand anderes. Sende es noch einmal, um dorthin zu schreiben.
error-not_pi_chat = Hier spricht pi-chat; das war etwas anderes.
error-version_unsupported = Client und Server sind zu verschieden alt: Aktualisiere den älteren.
error-frame_too_large = Der Client hat mehr gesendet, als der Server annimmt.
error-malformed = Der Client hat etwas gesendet, das man nicht lesen kann.
error-unexpected = Der Client hat etwas zur falschen Zeit gesendet.
error-handshake_timeout = Der Server hat zu lange auf die Begrüßung gewartet.
error-idle_timeout = Die Verbindung war zu lange still.
error-too_slow = Die Verbindung kam nicht mit.
error-replaced = Du hast dich von anderswo neu verbunden.
error-shutting_down = Der Server wird beendet oder neu gestartet.
error-internal = Im Server ging etwas schief.
error-removed = Du wurdest hinausgewiesen.
error-password_required = Dieser Server hat ein Passwort.
error-password_wrong = Das Passwort ist falsch.
error-name_claimed = Dieser Name gehört jemandem. Nimm einen anderen, oder komm von dem Gerät, für das er aufgehoben ist, oder mit der Einladung für ihn.
error-proof_invalid = Der Server nimmt deinen Schlüssel nicht an.
error-reference_invalid = Der Client hat eine Nachricht falsch nummeriert.
error-blocked = Jemand hier hat dich gesperrt.
error-not_admitted = Jemand hier wurde gefragt und hat Nein gesagt.
reason-name-waits = Hier hat schon jemand diesen Namen, aber gerade die Verbindung verloren. Kommt niemand zurück, ist der Name in { $time } frei.
reason-lookalike-waits = Das sieht dem Namen von jemandem hier zu ähnlich, aber dessen Verbindung ist gerade abgerissen. Kommt niemand zurück, ist der Name in { $time } frei.
reason-looks-claimed = Das sieht einem Namen zu ähnlich, der jemandem gehört.
reason-looks-kept = Das sieht einem Namen zu ähnlich, der für jemanden mit Einladung aufgehoben ist.
reason-invitation-ended = Diese Einladung ist abgelaufen. Bitte um eine neue.
reason-invitation-used = Diese Einladung ist schon benutzt. Bitte um eine neue.
reason-invitation-pause = Diese Einladung gibt es nicht, wie zu viele andere von deiner Adresse. Prüf den Code, und versuch es in { $time } noch einmal.
reason-invitation-unspent = Der Server kann nicht festhalten, dass deine Einladung benutzt ist, und dich darum jetzt nicht hereinlassen. Versuch es später noch einmal.
reason-link-ended = Dieser Code ist abgelaufen. Mach auf deinem ersten Gerät einen neuen.
reason-devices-full = Du hast schon { $count } Geräte. Trenne erst die anderen.
reason-link-without-key = Dieser Code ist für ein weiteres Gerät, aber dein Client hat keinen Schlüssel gezeigt.
reason-unlinked = Dieses Gerät darf den Namen nicht mehr benutzen: Er gehört jetzt einem anderen Gerät.
reason-claim-failed = Dieser Name lässt sich nicht behalten.
reason-claim-other = Du behältst schon den Namen { $name }. Gib ihn erst her.
reason-claim-not-permitted = Mit deiner Einladung kannst du keinen Namen behalten. Frag, wer den Server betreibt, nach einer, mit der es geht.
reason-claim-uninvited = Um diesen Namen zu behalten, brauchst du eine Einladung. Frag, wer den Server betreibt.
reason-claims-many = Von deiner Adresse wurden zuletzt viele Namen behalten. Versuch es in einer Stunde noch einmal, oder frag, wer den Server betreibt, nach einer Einladung.
reason-links-many = Von deiner Adresse kamen zuletzt viele neue Namen oder Geräte. Versuch es in einer Stunde noch einmal.
reason-claim-without-key = Dein Client hat keinen Schlüssel gezeigt, und ohne ihn lässt sich kein Name behalten.
reason-claim-without-disk = Dieser Server speichert nichts auf Dauer, darum lässt sich hier kein Name behalten.
reason-claims-off = Auf diesem Server lässt sich kein Name behalten.
reason-claim-taken = Dieser Name gehört jemandem.
reason-claim-lookalike = Dieser Name sieht einem zu ähnlich, der jemandem gehört.
reason-claim-kept = Dieser Name ist für jemanden mit Einladung aufgehoben.
reason-claim-looks-kept = Dieser Name sieht einem zu ähnlich, der für jemanden mit Einladung aufgehoben ist.
reason-claim-first = Behalte erst diesen Namen (/claim): Nur dann kann er mehrere Geräte haben.
reason-change-not-stored = Der Server konnte das nicht speichern, darum ist nichts geschehen.
reason-slow-mode = Dieser Raum ist langsam gestellt: Deine nächste Nachricht geht in { $time }.

## How long a server keeps messages

keeping-none = Nachrichten bleiben nicht erhalten, wenn der Server neu startet
keeping-all = Nachrichten bleiben erhalten, wenn der Server neu startet
keeping-bounds = { $days ->
   *[other] Nachrichten werden aufgehoben: { $bounds }
}
keeping-days = { $count ->
    [one] 1 Tag lang
   *[other] { $number } Tage lang
}
keeping-messages = { $number } in jedem Raum
keeping-bytes = { $size } insgesamt

## Notices of a server

server-says = Server: { $text }
notice-slow-down = Du sendest zu schnell, darum liest dieser Server langsamer, was du sendest.
notice-slow-down-address = Von deiner Adresse kommt zu viel, darum liest dieser Server es langsamer.
notice-clock-changed = Die Uhr des Servers wurde gestellt: Zeiten davor und danach lassen sich nicht vergleichen.
notice-storage-memory = Der Server kann nicht auf seine Festplatte schreiben: Was jetzt gesagt wird, ist nur im Arbeitsspeicher und geht verloren, wenn der Server endet.
notice-storage-refusing = Der Server kann nicht auf seine Festplatte schreiben: Bis es wieder geht, nimmt er keine Nachrichten an.
notice-storage-stalled = Die Festplatte des Servers antwortet nicht: Was jetzt gesagt wird, erscheint, sobald sie es tut.
notice-storage-taken-again = Der Server kann wieder auf seine Festplatte schreiben und nimmt wieder Nachrichten an.
notice-storage-kept = Der Server kann wieder auf seine Festplatte schreiben; alles Gesagte ist gespeichert.
notice-storage-answers = Die Festplatte des Servers antwortet wieder; nichts ging verloren.
notice-device-linked = Ein weiteres Gerät ist unter deinem Namen da. Gehört es dir nicht, dann nimm ihm den Namen: /unlink --yes.

## Moderation

room-modes = { $who ->
    [moderators] hier dürfen nur Moderatoren reden, ohne Langsam-Modus
   *[all] hier dürfen alle reden, ohne Langsam-Modus
}
room-modes-slow = { $who ->
    [moderators] hier dürfen nur Moderatoren reden, Langsam-Modus: { $time } zwischen zwei Nachrichten
   *[all] hier dürfen alle reden, Langsam-Modus: { $time } zwischen zwei Nachrichten
}
