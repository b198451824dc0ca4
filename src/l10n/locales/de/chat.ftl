# Texte: was im Chat geschieht: Nachrichten, Räume, Leute, Moderation.

## Numbers, sizes and lengths of time

number-thousands = .
number-decimal = ,
size-bytes = { $count ->
    [one] { $count } Byte
   *[other] { $count } Bytes
}
duration = { $unit ->
    [seconds] { $count ->
        [one] { $count } Sekunde
       *[other] { $count } Sekunden
    }
    [minutes] { $count ->
        [one] { $count } Minute
       *[other] { $count } Minuten
    }
    [hours] { $count ->
        [one] { $count } Stunde
       *[other] { $count } Stunden
    }
   *[days] { $count ->
        [one] { $count } Tag
       *[other] { $count } Tage
    }
}

## Dates

date-day = { $day }.{ $month }.{ $year }
date-line = { $weekday ->
    [1] Montag
    [2] Dienstag
    [3] Mittwoch
    [4] Donnerstag
    [5] Freitag
    [6] Samstag
   *[7] Sonntag
}, { $date }

## The connection

connection-joined = { $server }: Du bist { $name } in { $rooms }
connection-joined-again = wieder verbunden mit { $server } als { $name }
connection-log-lost = der Server hat einen Teil seiner Nachrichten verloren: Im Folgenden kann etwas fehlen oder doppelt sein
connection-again-in = neuer Versuch in { $seconds } s
connection-silent = { $count ->
    [one] der Server antwortet nicht; 1 Nachricht wartet
   *[other] der Server antwortet nicht; { $count } Nachrichten warten
}
connection-answers = der Server antwortet wieder
connection-waiting = { $count ->
    [one] 1 Nachricht wartet auf den Server; Enter versucht es sofort
   *[other] { $count } Nachrichten warten auf den Server; Enter versucht es sofort
}
connection-plain = nicht verschlüsselt
connection-plain-anyway = nicht verschlüsselt, obwohl der Server TLS anbietet
connection-verified = verschlüsselt (TLS), und der Schlüssel ist geprüft
connection-known = verschlüsselt (TLS), mit demselben Schlüssel wie zuvor
connection-first = verschlüsselt (TLS); dieser Schlüssel ist neu hier und ab jetzt bekannt. Vergleiche seinen Fingerabdruck mit dem, den dir nennt, wer den Server betreibt: { $fingerprint }
connection-new-key = verschlüsselt (TLS); dieser Schlüssel ist neu hier. Vergleiche seinen Fingerabdruck mit dem, den dir nennt, wer den Server betreibt: { $fingerprint }
connection-looking = suche andere

## Rooms and people

room-entered = { $others ->
    [0] du bist jetzt in #{ $room }; sonst ist niemand hier
    [one] du bist jetzt in #{ $room }; 1 andere Person ist hier
   *[other] du bist jetzt in #{ $room }; { $others } andere sind hier
}
room-left = du hast #{ $room } verlassen
room-left-forced = du bist nicht mehr in #{ $room }
room-gap = hier fehlen ältere Nachrichten aus #{ $room }
room-all = das ist alles aus #{ $room }
room-new-since = neu, seit du zuletzt da warst:
room-here = hier: { $names } ({ $count })
room-count = { $count ->
    [one] 1 Person ist hier
   *[other] { $count } Personen sind hier
}
room-joined = { $count ->
    [one] { $names } ist gekommen
   *[other] { $names } sind gekommen
}
room-gone = { $count ->
    [one] { $names } ist gegangen
   *[other] { $names } sind gegangen
}
people-and-others = { $count ->
    [one] { $names } und noch jemand
   *[other] { $names } und { $count } andere
}
people-ignored = ausgeblendet
people-heard-through = zu hören über { $name }
people-heard-through-others = nur über andere zu hören
people-deaf = hört dich nicht
people-changed = { $name } schreibt jetzt, ist aber nicht die Person, mit der du Direktnachrichten ausgetauscht hast, soweit der Server es weiß
ignored-names = ausgeblendet und darum nicht zu sehen: { $names }
ignored-messages = { $count ->
    [one] 1 Nachricht siehst du nicht, weil du ausblendest, wer sie geschrieben hat
   *[other] { $count } Nachrichten siehst du nicht, weil du ausblendest, wer sie geschrieben hat
}

## Messages

message-late = (verspätet)
message-direct-to = (direkt) du -> { $name }
message-direct-from = (direkt) { $name } -> du
message-direct-self = (direkt) du -> du
message-unsent = nicht gesendet: { $text }
message-unsent-to = nicht gesendet an { $name }: { $text }
message-perhaps-unsent = vielleicht nicht gesendet: { $text }
message-perhaps-unsent-to = vielleicht nicht gesendet an { $name }: { $text }
message-arrived-before = diese Nachricht war schon angekommen: { $text }

## Finding

found-messages = { $count ->
    [0] nichts gefunden{ $about }
    [one] 1 Nachricht{ $about }:
   *[other] { $count } Nachrichten{ $about }:
}
found-older = { $count ->
    [0] nichts Älteres gefunden{ $about }
    [one] 1 ältere Nachricht{ $about }:
   *[other] { $count } ältere Nachrichten{ $about }:
}
found-more = es gibt ältere: Mit /search siehst du sie
found-with = mit { $text }
found-from = von { $name }
found-in = in #{ $room }
found-since = seit { $time }
found-before = vor { $time }

## Several devices, and invitations

link-code = { $code } ist der Code für ein weiteres Gerät von dir: Er gilt einmal, { $minutes } Minuten lang. Auch dort bist du dann { $name }.
link-command = Tippe auf dem anderen Gerät: { $command }
link-page = Oder öffne dort in einem Browser: { $address }
link-page-unknown = Oder öffne dort in einem Browser die Seite des Servers, mit { $ending } hinter ihrer Adresse.
link-no-random = Es gibt keine Zufallszahlen, also auch keinen Code.
link-unlink-question = /unlink --yes nimmt allen deinen anderen Geräten deinen Namen: Sie sind sofort draußen, und jedes braucht einen neuen Code, um wieder unter ihm zu kommen
invitation-name-hint = Um sie zu benutzen, tippe /quit und starte neu mit --name { $name }.

## The question for another name

name-impossible = Das kann kein Name sein: { $problem }.
name-empty = Er ist leer
name-too-long = Er ist länger als 32 Zeichen oder 64 Bytes
name-characters = Nur sichtbare Buchstaben und Ziffern, „-“, „_“ und „.“ sind erlaubt
name-first = Er muss mit einem Buchstaben oder einer Ziffer beginnen
name-question-again = Wie möchtest du stattdessen heißen? Ein Name hat 1 bis 32 Buchstaben und Ziffern, „-“, „_“, „.“, höchstens 64 Bytes, und beginnt mit einem Buchstaben oder einer Ziffer. Mit Enter nimmst du { $suggestion }.
name-prompt = Name [{ $suggestion }]>

## Why something was refused

refused-nobody = Niemand hier heißt „{ $name }“.
refused-changed = { $name }: Diesen Namen hat jetzt jemand anderes. Sende es noch einmal, um dorthin zu schreiben.
error-not_pi_chat = Auf diesem Port spricht man pi-chat; das war etwas anderes.
error-version_unsupported = Client und Server sind zu verschieden alt: Aktualisiere den älteren.
error-frame_too_large = Der Client hat mehr gesendet, als der Server annimmt.
error-malformed = Der Client hat etwas gesendet, das man nicht lesen kann.
error-unexpected = Der Client hat etwas zur falschen Zeit gesendet.
error-handshake_timeout = Der Server hat zu lange auf die Begrüßung gewartet.
error-idle_timeout = Die Verbindung war zu lange still.
error-too_slow = Die Verbindung kam nicht mit.
error-replaced = Du hast dich von anderswo neu verbunden.
error-shutting_down = Der Server wird beendet oder neu gestartet.
error-superseded = Dieser Server wurde durch einen anderen ersetzt.
error-diverged = Diesem Server fehlt, was sein Nachfolger hat.
error-internal = Im Server ging etwas schief.
error-removed = Du wurdest hinausgewiesen.
error-password_required = Dieser Server hat ein Passwort.
error-password_wrong = Das Passwort ist falsch.
error-name_claimed = Dieser Name gehört jemandem. Nimm einen anderen, oder komm von dem Gerät, für das er aufgehoben ist, oder mit der Einladung für ihn.
error-proof_invalid = Der Server nimmt deinen Schlüssel nicht an.
error-reference_invalid = Der Client hat eine Nachricht falsch nummeriert.
error-blocked = Jemand hier hat dich blockiert.
error-not_admitted = Jemand hier wurde gefragt und hat Nein gesagt.
reason-name-waits = Hier hat schon jemand diesen Namen, aber gerade die Verbindung verloren. Kommt niemand zurück, ist der Name in { $time } frei.
reason-lookalike-waits = Das sieht dem Namen von jemandem hier zu ähnlich, aber dessen Verbindung ist gerade abgerissen. Kommt niemand zurück, ist der Name in { $time } frei.
reason-looks-claimed = Das sieht einem Namen zu ähnlich, der jemandem gehört.
reason-looks-kept = Das sieht einem Namen zu ähnlich, der für jemanden mit Einladung aufgehoben ist.
reason-invitation-ended = Diese Einladung ist abgelaufen. Bitte um eine neue.
reason-invitation-used = Diese Einladung ist schon benutzt. Bitte um eine neue.
reason-invitation-pause = Diese Einladung gibt es nicht, und von deiner Adresse kamen schon zu viele falsche. Prüf den Code, und versuch es in { $time } noch einmal.
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
moderation-topic-removed = das Thema wurde weggenommen
moderation-removed = was { $name } um { $time } gesagt hat, wurde entfernt
moderation-removed-older = eine ältere Nachricht wurde entfernt
moderation-your-role = { $place ->
    [server] { $role ->
        [moderator] du bist Moderator des Servers
        [owner] du bist Eigentümer des Servers
       *[none] du bist nicht Moderator oder Eigentümer des Servers
    }
   *[room] { $role ->
        [moderator] du bist Moderator von { $place }
        [owner] du bist Eigentümer von { $place }
       *[none] du bist nicht Moderator oder Eigentümer von { $place }
    }
}
moderation-role = { $place ->
    [server] { $role ->
        [moderator] { $name } ist Moderator des Servers
        [owner] { $name } ist Eigentümer des Servers
       *[none] { $name } ist nicht Moderator oder Eigentümer des Servers
    }
   *[room] { $role ->
        [moderator] { $name } ist Moderator von { $place }
        [owner] { $name } ist Eigentümer von { $place }
       *[none] { $name } ist nicht Moderator oder Eigentümer von { $place }
    }
}
moderation-you-kicked = { $place ->
    [server] du wurdest vom Server gewiesen
   *[room] du wurdest aus { $place } hinausgewiesen
}
moderation-you-banned = { $place ->
    [server] du bist vom Server ausgesperrt
   *[room] du bist aus { $place } ausgesperrt
}
moderation-you-unbanned = { $place ->
    [server] du bist nicht mehr vom Server ausgesperrt
   *[room] du bist nicht mehr aus { $place } ausgesperrt
}
moderation-you-muted = { $place ->
    [server] du bist auf dem Server stumm geschaltet
   *[room] du bist in { $place } stumm geschaltet
}
moderation-you-unmuted = { $place ->
    [server] du darfst auf dem Server wieder reden
   *[room] du darfst in { $place } wieder reden
}
moderation-nobody = { $place ->
    [server] niemand ist vom Server ausgesperrt oder dort stumm geschaltet
   *[room] niemand ist aus { $place } ausgesperrt oder dort stumm geschaltet
}
moderation-list-ban = { $name }: ausgesperrt
moderation-list-ban-address = { $name }: ausgesperrt, samt der Adresse
moderation-list-mute = { $name }: stumm geschaltet

## What a moderator has done

done-forgotten = { $text }; der Server vergisst es, wenn er neu startet
done-topic-set = das Thema von { $room } ist gesetzt
done-topic-removed = { $room } hat kein Thema mehr
done-removed = die Nachricht wurde entfernt
done-removed-before = diese Nachricht war schon entfernt
done-slow = Langsam-Modus in { $room }: { $time } zwischen zwei Nachrichten
done-slow-off = Langsam-Modus in { $room }: aus
done-moderated = in { $room } dürfen jetzt nur Moderatoren reden
done-moderated-off = in { $room } dürfen jetzt alle reden
done-announced = { $count ->
    [0] die Durchsage ging an niemanden
    [one] die Durchsage ging an 1 Person
   *[other] die Durchsage ging an { $count } Personen
}
done-kick = { $place ->
    [server] { $name } wurde vom Server gewiesen
   *[room] { $name } wurde aus { $place } hinausgewiesen
}
done-kick-nobody = { $place ->
    [server] niemand wurde vom Server gewiesen: { $name } ist nicht da
   *[room] niemand wurde aus { $place } hinausgewiesen: { $name } ist nicht da
}
done-ban-counted = { $count ->
    [0] noch ist nichts geschehen: Das würde niemanden hinausschicken. Mit --yes geschieht es
    [one] noch ist nichts geschehen: Das würde 1 Person hinausschicken. Mit --yes geschieht es
   *[other] noch ist nichts geschehen: Das würde { $count } Personen hinausschicken. Mit --yes geschieht es
}
done-ban = { $place ->
    [server] { $name } ist vom Server ausgesperrt
   *[room] { $name } ist aus { $place } ausgesperrt
}
done-mute = { $place ->
    [server] { $name } ist auf dem Server stumm geschaltet
   *[room] { $name } ist in { $place } stumm geschaltet
}
done-with-address = samt der Adresse
done-for = für { $time }
done-without-end = ohne Ende
done-sent-out = { $count ->
    [0] { $text }; niemand wurde hinausgeschickt
    [one] { $text }; 1 Person wurde hinausgeschickt
   *[other] { $text }; { $count } Personen wurden hinausgeschickt
}
done-unban = { $place ->
    [server] { $name } ist nicht mehr vom Server ausgesperrt
   *[room] { $name } ist nicht mehr aus { $place } ausgesperrt
}
done-unban-none = { $place ->
    [server] nichts ist geschehen: { $name } ist nicht vom Server ausgesperrt
   *[room] nichts ist geschehen: { $name } ist nicht aus { $place } ausgesperrt
}
done-unmute = { $place ->
    [server] { $name } darf auf dem Server wieder reden
   *[room] { $name } darf in { $place } wieder reden
}
done-unmute-none = { $place ->
    [server] nichts ist geschehen: { $name } ist auf dem Server nicht stumm geschaltet
   *[room] nichts ist geschehen: { $name } ist in { $place } nicht stumm geschaltet
}
done-listed = erledigt

## Chat without a server

mesh-closed-room = #{ $room } (geschlossen)
mesh-joined = { $count ->
    [0] du bist in { $place } als { $name }; noch ist niemand sonst da
    [one] du bist in { $place } als { $name }; { $names } ist da
   *[other] du bist in { $place } als { $name }; { $names } sind da
}
mesh-joined-many = du bist in { $place } als { $name }; { $count } andere sind da
mesh-admission = { $name } möchte herein. Tippe /yes { $name } oder /no { $name }; ohne Antwort heißt es in 10 s ja.
mesh-renamed = Jemand heißt schon länger { $from } als du, darum heißt du jetzt { $to }.
peers-name = Name
peers-present = hier seit
peers-route = erreicht über
peers-heard = gehört
peers-loss = Verlust
peers-clock = Uhr
peers-you = { $name } (du)
peers-others-only = nur andere
peers-not-reached = nicht erreicht
peers-group-v4 = IPv4-Gruppe
peers-group-v6 = IPv6-Gruppe
peers-broadcast = Broadcast
peers-unicast = Unicast
peers-now = jetzt
peers-ago = vor { $time }
peers-right = richtig
peers-fast = { $time } vor
peers-slow = { $time } nach
peers-seconds = { $seconds } s
peers-minutes = { $minutes } min { $seconds } s
peers-hours = { $hours } h { $minutes } min
peers-days = { $days } Tg. { $hours } h
