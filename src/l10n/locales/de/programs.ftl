# Texte: die Programme: Start, Verbindung, Ende und was nicht geht.

## What the client says about requests

client-no-search = Dieser Server kann nicht suchen.
client-no-directory = Dieser Server sagt nicht, welche Räume es gibt.
client-no-moderation = Auf diesem Server gibt es keine Moderation.
client-no-claims = Hier kann niemand einen Namen behalten: Der Server ist zu alt, speichert nichts oder hat keinen Schlüssel gesehen.
client-former-log = Der Server hat von vorn angefangen, also kann jetzt jemand anderes diesen Namen haben. Vielleicht ist die Nachricht vorher angekommen. Schick sie noch einmal, wenn du willst.
client-message-too-long = Die Nachricht ist zu lang: Sie hat { $bytes } Bytes, und dieser Server nimmt höchstens { $limit }.
client-text-invalid = { $error ->
    [empty] Nicht gesendet: Die Nachricht ist leer ({ $bytes } Bytes).
    [control] Nicht gesendet: Die Nachricht enthält ein Steuerzeichen ({ $bytes } Bytes).
   *[long] Nicht gesendet: Die Nachricht ist länger als { $limit } Bytes (sie hat { $bytes }).
}
client-queue-full = Nicht gesendet: Es warten schon { $count } Nachrichten auf den Server.
client-several-rooms = Du bist in mehreren Räumen. Sag, welchen du meinst.
client-search-too-long = Das ist zu lang zum Suchen: Es hat { $bytes } Bytes, und mehr als { $limit } gehen nicht.
client-name-too-long = Dieser Name ist zu lang.
client-perhaps-done = Die Verbindung brach vor der Antwort ab. Vielleicht ist es geschehen, vielleicht nicht.
client-claimed = { $name } ist jetzt dein Name: Ohne den Schlüssel dieses Geräts bekommt ihn niemand
client-no-claim = du hast hier keinen Namen, der für dich aufgehoben wird
client-claim-given-up = du hast deinen Namen hergegeben: Bist du weg, dann bekommt ihn, wer zuerst kommt, und um wieder einen zu behalten, brauchst du vielleicht eine neue Einladung
client-others-unlinked = { $name } gehört jetzt nur noch diesem Gerät: Deine anderen Geräte sind draußen, und jedes braucht einen neuen Code, um wieder unter diesem Namen zu kommen

## What the client says about the connection

client-connecting-again = Neue Verbindung.
client-nothing-answered = Von dort kam keine Antwort.
client-fell-silent = Der Server ist verstummt.
client-no-answer = Der Server antwortet nicht.
client-not-reached-in-time = Der Server war nicht rechtzeitig zu erreichen.
client-not-pi-chat = Die andere Seite versteht pi-chat nicht.
client-frame-unreadable = Der Server hat etwas geschickt, das nicht zu lesen ist (Art { $kind }).
client-version-unknown = Der Server hat Version { $version } des Protokolls gewählt, die dieses Programm nicht kennt.
client-server-too-old = Der Server kennt die Versionen { $min } bis { $max } des Protokolls, dieses Programm die Version { $own }. Der Server muss aktualisiert werden.
client-too-old = Der Server kennt die Versionen { $min } bis { $max } des Protokolls, dieses Programm die Version { $own }. Aktualisiere dieses Programm.

## What a peer says about requests

peer-too-many-requests = Es warten schon zu viele Befehle.
peer-too-many-messages = Nicht gesendet: Es warten schon zu viele Nachrichten.
peer-admitted = { $name } darf herein.
peer-not-admitted = { $name } darf nicht herein.
peer-not-waiting = { $name } wartet nicht darauf, hereinzukommen.
peer-one-room = Ohne Server gibt es nur einen Raum.
peer-stays-in-room = chat-peer bleibt in einem Raum. Um auch in einem anderen zu sein, starte chat-peer noch einmal.
peer-no-history = Es gibt nichts Älteres als das, was schon da steht.
peer-no-search = Ohne Server gibt es nichts zu durchsuchen.
peer-no-moderators = Ohne Server gibt es keine Moderatoren.
peer-no-claims = Ohne Server kann niemand einen Namen behalten.
peer-message-too-long = Die Nachricht ist zu lang: Sie hat { $bytes } Bytes, und ohne Server gehen höchstens { $limit }.
peer-text-invalid = { $error ->
    [empty] Nicht gesendet: Die Nachricht ist leer.
    [control] Nicht gesendet: Die Nachricht enthält ein Steuerzeichen.
   *[long] Nicht gesendet: Die Nachricht ist länger als { $limit } Bytes.
}
peer-sequences-used-up = Dieses Programm hat so viele Nachrichten gesendet, wie es nummerieren kann. Starte es neu.
peer-counter-at-end = Der Zähler des Raums ist am Ende.
peer-name-invalid = Das kann kein Name sein.
peer-blocked = { $keys ->
    [0] Der Name { $name } ist blockiert. Hier ist niemand namens { $name }, dessen Schlüssel bekannt ist, also wird nichts ausgeblendet: Blockiere noch einmal, um auszublenden, was jemand schreibt, der hier so heißt. Dein Programm lehnt alle ab, die als { $name } hereinwollen. Das endet mit /unblock { $name } oder wenn du gehst.
    [1] Du blockierst jetzt { $name }. Was { $name } schreibt, siehst du nicht mehr, auch nicht unter anderem Namen, denn es geht nach dem Schlüssel; die anderen können es weiter lesen, und { $name } kann weiter lesen, was du schreibst. Dein Programm lehnt alle ab, die mit diesem Schlüssel oder als { $name } hereinwollen. Mit neuem Schlüssel und anderem Namen ist { $name } aber nicht zu erkennen. Das endet mit /unblock { $name } oder wenn du gehst.
   *[other] { $name } ist blockiert. { $keys } Leute hier haben diesen Namen: Was sie mit ihrem jetzigen Schlüssel schreiben, siehst du nicht mehr, auch nicht unter anderem Namen; die anderen lesen es weiter, und sie lesen weiter, was du schreibst. Dein Programm lehnt alle ab, die mit einem dieser Schlüssel oder als { $name } hereinwollen. Das endet mit /unblock { $name } oder wenn du gehst.
}
peer-unblocked = { $name } ist nicht mehr blockiert. Was ausgeblendet war, bleibt es; was { $name } von jetzt an schreibt, siehst du. Dein Programm lehnt { $name } nicht mehr ab; aber andere haben { $name } vielleicht auch blockiert.
peer-not-blocked = { $name } ist nicht blockiert. /block zeigt, wer es ist.
peer-block-list-name = { $name } (nur der Name)
peer-block-list = { $count ->
    [0] Niemand ist blockiert.
   *[other] Blockiert: { $names }.
}

## What a peer says about the others

peer-group-full = Zu viele kommen von { $group }. Von dort kann niemand mehr herein.
peer-room-full = Dieser Raum ist voll. Niemand kann mehr herein.
peer-own-name-shared = Noch jemand heißt hier { $name }. Einer von euch beiden bekommt einen anderen Namen.
peer-name-shared = Zwei Leute heißen hier { $name }. Einer der beiden bekommt einen anderen Namen.
peer-unknown-objector = Jemand Unbekanntes hat dich abgelehnt. Niemand hier kennt diese Person, also zählt es nicht.
peer-not-heard = Niemand scheint dich zu hören, obwohl du { $names } hörst. Hier oder dort ist eine Richtung blockiert: Starte „chat-peer doctor“ auf beiden Rechnern.
peer-not-heard-more = Niemand scheint dich zu hören, obwohl du { $names } und andere hörst. Hier oder dort ist eine Richtung blockiert: Starte „chat-peer doctor“ auf beiden Rechnern.
peer-clock-ahead = Die Uhr von { $name } geht gegenüber deiner um { $time } vor: Um so viel weichen die Zeiten dieser Nachrichten ab.
peer-clock-behind = Die Uhr von { $name } geht gegenüber deiner um { $time } nach: Um so viel weichen die Zeiten dieser Nachrichten ab.

## Errors of the operating system, within a sentence

io-connection-refused = Verbindung abgelehnt
io-connection-reset = Verbindung von der Gegenseite abgebrochen
io-connection-aborted = Verbindung abgebrochen
io-host-unreachable = kein Weg dorthin
io-network-unreachable = das Netz ist nicht erreichbar
io-network-down = das Netz ist nicht da
io-timed-out = keine Antwort in der vorgesehenen Zeit
io-broken-pipe = die Gegenseite liest nicht mehr
io-address-in-use = die Adresse ist schon belegt
io-address-not-available = diese Adresse gibt es hier nicht
io-permission-denied = keine Berechtigung
io-not-found = Datei oder Verzeichnis nicht gefunden
io-storage-full = kein Platz mehr
io-read-only = dort kann nur gelesen werden
io-not-a-directory = das ist kein Verzeichnis
io-is-a-directory = das ist ein Verzeichnis
disk-unusable = { $path } lässt sich nicht benutzen: { $reason }
no-key-in-file = in { $path } ist kein Schlüssel: Entferne die Datei, um einen neuen zu bekommen
no-random-source = der Zufallsgenerator des Systems geht nicht

## Start

program-error = Fehler: { $text }
cannot-start = das Programm kann nicht starten
terminal-unusable = dieses Terminal lässt sich nicht benutzen (versuch es mit --plain)
input-unreadable = die Eingabe lässt sich nicht lesen
answer-unreadable = die Antwort lässt sich nicht lesen
cannot-ask = die Frage lässt sich nicht stellen
plain-because-terminal = einfache Zeilen: Dieses Terminal kann keinen ganzen Bildschirm zeigen
plain-because-output = einfache Zeilen: Die Ausgabe ist kein Terminal
plain-because-input = einfache Zeilen: Die Eingabe ist kein Terminal
send-server-twice = der Server ist zweimal angegeben: Lass --server weg oder den Server vor dem Text
fingerprints-differ = der Fingerabdruck hinter --fingerprint und der im Link sind verschieden: Frag, wem der Server gehört, welcher stimmt
key-unusable = { $reason }. (Namen, die du mit dem alten Schlüssel behalten hast, brauchen diesen; ohne Schlüssel geht es mit --no-key weiter.)

## Which server

discover-not-found = in diesem Netz wurde kein Server gefunden. Läuft chat-server, und sind beide Rechner im selben Netz (ein WLAN für Gäste trennt sie oft)? Läuft er anderswo, dann sag, wo, wie in „chat-client raspberrypi.local“, oder setze PI_CHAT_SERVER oder server in client.toml
discover-failed = die Suche nach Servern geht nicht
mdns-fails = Multicast-DNS geht auf diesem Rechner nicht
mdns-fails-because = Multicast-DNS geht auf diesem Rechner nicht: { $reason }
mdns-port-unavailable = UDP-Port 5353 ist nicht zu haben: { $reason }
discover-not-written = die Liste lässt sich nicht schreiben
discover-still-looking = in diesem Netz wurde noch kein Server gefunden; die Suche geht weiter
discover-found = gefunden: { $server }
discover-several = in diesem Netz wurden mehrere Server gefunden. Nenne den, den du willst:
discover-list = Server in diesem Netz:
discover-which = Welcher? Tippe seinen Namen oder 1 bis { $count }:
discover-none-chosen = kein Server wurde gewählt
discover-server = { $name } unter { $addresses } ({ $host })
discover-server-version = { $name } unter { $addresses } ({ $host }, Version { $version })
chosen-server-gone = der Server ist nicht mehr da
no-such-server = „{ $text }“ ist kein Server in der Liste und keine Adresse: { $reason }.
forget-no-address = „{ $text }“ ist nicht die Adresse eines Servers: { $reason }
forget-no-port = der Port fehlt: Schreib chats://HOST:PORT, wie es in der Meldung über den Schlüssel steht
forget-done = Der Schlüssel ist vergessen.
forget-none = Es gab keinen Schlüssel dieses Servers zu vergessen.
address-no-host = der Host fehlt
address-port = „{ $port }“ ist kein Port (1 bis 65535)
address-plain-only = chats:// (TLS) gibt es nur bei Servern
address-scheme = eine Adresse beginnt mit chat:// oder chats:// (TLS) oder mit dem Host
address-character = in einem Host kann „{ $character }“ nicht stehen
address-fingerprint-needs-tls = nur hinter einer Adresse mit chats:// davor steht ein Fingerabdruck
address-fingerprint-damaged = der Link ist beschädigt: An sein Ende gehören #fingerprint= und 64 hexadezimale Ziffern
address-invite-damaged = der Link ist beschädigt: An sein Ende gehören #invite= und eine Einladung aus 16 Buchstaben und Ziffern

## Connection

connection-broke = Die Verbindung brach ab: { $reason }.
connection-closed = Der Server hat die Verbindung beendet.
cannot-connect = Keine Verbindung zu { $server }: { $reason }.
no-such-host = Es wurde kein Host namens { $host } gefunden. Stimmt die Schreibweise?
lookup-fails = Die Adresse von { $host } lässt sich gerade nicht nachschlagen. Ist dieser Rechner im Netz?
lookup-too-long = Die Adresse von { $host } zu finden dauerte zu lange.
server-replaced = { $server } ist nicht mehr in diesem Netz, und ein anderer Server hat jetzt den Namen. Um zu dem zu kommen, starte neu.
server-not-found = { $server } wurde in diesem Netz nicht gefunden.
rediscovery-failed = Die Suche nach { $server } geht nicht: { $reason }.
attempt-no-greeting = verbunden, aber nichts antwortet
attempt-closed = der Server hat die Verbindung beendet
attempt-wrong-key = sein Schlüssel ist nicht der erwartete
attempt-no-tls = dort gibt es kein TLS ({ $reason })
attempt-no-answer = keine Antwort
attempt-no-address = sein Name hat keine Adresse
attempt-at-address = { $reason } ({ $address })
attempts-failed = { $count ->
    [0] { $reason }
    [1] { $reason }; eine weitere Adresse ging auch nicht
   *[other] { $reason }; { $count } weitere Adressen gingen auch nicht
}
tls-missing = Keine Verbindung zu { $server }: Sie muss verschlüsselt sein (TLS), aber der Server bietet gerade keine Verschlüsselung an. Vielleicht ist jemand dazwischen. Um dich trotzdem unverschlüsselt zu verbinden, schreib chat:// vor die Adresse.
wrong-key-kept = DER SCHLÜSSEL VON { $server } IST NICHT MEHR DERSELBE. Vielleicht ist jemand dazwischen; es wurde nichts gesendet. Sein Fingerabdruck ist { $found }, und er hatte { $expected }. Liest dir die Person, der er gehört, diesen neuen Fingerabdruck vor, dann starte mit --fingerprint "{ $found }".
wrong-key-said = DER SCHLÜSSEL VON { $server } IST NICHT DER, DEN ER HABEN SOLLTE. Vielleicht ist jemand dazwischen; es wurde nichts gesendet. Sein Fingerabdruck ist { $found }, und er sollte { $expected } haben.
no-own-key = { $reason }. Es geht ohne eigenen Schlüssel weiter.
server-key-not-kept = { $reason }. Der Schlüssel des Servers wird nächstes Mal nicht wiedererkannt.
session-not-kept = { $reason }. Kommst du später wieder, dann fehlen vielleicht Nachrichten oder stehen zweimal da.

## End

end-undelivered = { $count ->
    [one] { $count } Nachricht kam bei { $server } nicht an.
   *[other] { $count } Nachrichten kamen bei { $server } nicht an.
}
end-unavailable = { $reason } Läuft chat-server unter { $server }? (Mit --wait versucht es das Programm weiter.)
end-name-claimed = { $name }: Dieser Name gehört jemandem. Wähle einen anderen, oder komm mit dem Gerät, auf dem er behalten wurde, oder mit der Einladung für ihn. Einen anderen Namen nennst du mit --name.
end-name-claimed-no-key = { $name }: Dieser Name gehört jemandem. Wähle einen anderen, oder komm mit dem Gerät, auf dem er behalten wurde, oder mit der Einladung für ihn. Einen anderen Namen nennst du mit --name. Ist es dein eigener, dann komm ohne --no-key.
end-proof-invalid = { $reason } Endet die Verschlüsselung unterwegs bei einem Proxy, dem du vertraust, dann starte mit --no-key; kennst du keinen, dann liest vielleicht jemand mit.
end-invite-required = { $reason } Gib den Code deiner Einladung mit --invite CODE an.
end-invite-for-name = { $reason } Um sie zu benutzen, starte mit --name { $name }.
end-invite-invalid = { $reason } Um eine andere zu benutzen, starte mit --invite CODE.
end-name-refused = { $reason } Du wolltest „{ $name }“ heißen. Einen anderen Namen nennst du mit --name.
end-password = { $reason } Gib es mit --password-file oder PI_CHAT_PASSWORD an.

## What a peer says about itself and the network

program-warning = Warnung: { $text }
path-group-v4 = die IPv4-Gruppe
path-group-v6 = die IPv6-Gruppe
path-broadcast = Broadcast
path-unicast = Unicast
socket-port-v4 = der IPv4-Port
socket-port-v6 = der IPv6-Port
no-name-chosen = kein Name wurde gewählt
peer-new-key = { $reason }. Diesmal wird ein neuer Schlüssel benutzt
peer-no-network = dieser Rechner ist in keinem Netz: { $reason }
peer-used-up = dieses Programm hat so viele Nachrichten gesendet, wie es kann. Starte es neu
peer-nothing-sent = Über { $path } lässt sich nichts senden: { $reason }.
peer-path-fails = Über { $path } geht nichts hinaus: { $reason }. Andere Wege gehen.
peer-other-room = Andere in diesem Netz sind in einem anderen Raum, mit anderem Namen oder anderer Passphrase.
peer-no-networks = Die Netze lassen sich nicht auflisten: { $reason }.
peer-interface-missing = Die Schnittstelle { $interface } gibt es nicht, oder sie ist aus. chat-peer wartet darauf.
peer-interface-up = die Schnittstelle { $interface } ist da
peer-offline = Dieser Rechner ist in keinem Netz. chat-peer wartet auf eines.
peer-online = dieser Rechner ist wieder in einem Netz
peer-not-joined = { $count ->
    [0] Was an { $path } geht, kommt über { $interfaces } hier nicht an: { $reason }.
    [one] Was an { $path } geht, kommt über { $interfaces } und { $count } weitere hier nicht an: { $reason }.
   *[other] Was an { $path } geht, kommt über { $interfaces } und { $count } weitere hier nicht an: { $reason }.
}
peer-port-taken = Ein anderes Programm hat Port { $port } ({ $reason }). Über { $family } sind nur die zu hören, mit denen chat-peer selbst spricht. Nehmt alle einen anderen --port.
peer-port-unusable = Port { $port } lässt sich nicht benutzen ({ $reason }). Über { $family } sind nur die zu hören, mit denen chat-peer selbst spricht.
peer-socket-unusable = { $family } lässt sich nicht benutzen ({ $reason }). Es geht ohne weiter.
peer-unsent = { $count ->
    [one] { $count } Nachricht wurde nicht gesendet.
   *[other] { $count } Nachrichten wurden nicht gesendet.
}
peer-rejected = { $by } sagt Nein: { $reason }
peer-rejected-name = { $by } sagt Nein: { $reason } Du wolltest „{ $name }“ heißen. Einen anderen Namen nennst du mit --name.
peer-somebody = Jemand Unbekanntes
peer-no-reason = ohne Grund.
peer-has-been-here = { $unit ->
    [seconds] { $count ->
        [one] { $name } ist seit { $count } Sekunde hier.
       *[other] { $name } ist seit { $count } Sekunden hier.
    }
    [minutes] { $count ->
        [one] { $name } ist seit { $count } Minute hier.
       *[other] { $name } ist seit { $count } Minuten hier.
    }
    [hours] { $count ->
        [one] { $name } ist seit { $count } Stunde hier.
       *[other] { $name } ist seit { $count } Stunden hier.
    }
   *[days] { $count ->
        [one] { $name } ist seit { $count } Tag hier.
       *[other] { $name } ist seit { $count } Tagen hier.
    }
}
peer-was-here = { $name } war vor { $seconds } s hier; versuch es noch einmal.

## What chat-peer doctor finds

-repair = wo du das Netz ändern kannst, schalte seinen Multicast-Filter aus („IGMP snooping“, „multicast enhancement“)
doctor-no-sockets = dieser Rechner kann weder IPv4 noch IPv6 benutzen: { $reason }
doctor-do-no-sockets = schalte auf diesem Rechner IPv4 oder IPv6 ein
doctor-no-list = die Netze lassen sich nicht auflisten: { $reason }
doctor-do-no-list = sorge dafür, dass Benutzer und Sandbox die Netzschnittstellen auflisten dürfen
doctor-do-no-random = starte diesen Rechner neu
doctor-interface-missing = Schnittstelle { $interface }: nicht da oder aus; chat-peer wartet darauf
doctor-not-joined = Schnittstelle { $interface }: { $path } lässt sich nicht empfangen: { $reason }
doctor-socket-unusable = { $what } lässt sich nicht benutzen: { $reason }
doctor-port-usable = UDP-Port { $port } lässt sich benutzen
doctor-port-unusable = UDP-Port { $port } lässt sich nicht benutzen: chat-peer hört nur die, die mit --peer genannt sind; hat ihn ein anderes Programm?
doctor-addresses-both = es gibt Adressen für IPv4 und IPv6
doctor-addresses-v4 = es gibt keine IPv6-Adresse: nur IPv4
doctor-addresses-v6 = es gibt keine IPv4-Adresse: nur IPv6
doctor-lookup-too-long = die Adresse zu finden dauert zu lange
doctor-no-such-name = den Namen gibt es nicht
doctor-lookup-fails = die Adresse lässt sich gerade nicht nachschlagen
doctor-loopback-unusable = Schnittstelle { $interface }: { $path } lässt sich nicht benutzen: { $reason }
doctor-loopback-works = Schnittstelle { $interface }: { $path } geht innerhalb dieses Rechners
doctor-loopback-silent = Schnittstelle { $interface }: was über { $path } geht, kommt innerhalb dieses Rechners nicht zurück; eine Firewall?
doctor-path-reaches = { $place ->
    [elsewhere] Schnittstelle { $interface }: { $path } erreicht { $names } auf einem anderen Rechner
   *[here] Schnittstelle { $interface }: { $path } erreicht { $names } auf diesem Rechner
}
doctor-path-reaches-nobody = { $place ->
    [elsewhere] Schnittstelle { $interface }: niemand auf einem anderen Rechner antwortet auf das, was über { $path } geht
   *[here] Schnittstelle { $interface }: niemand auf diesem Rechner antwortet auf das, was über { $path } geht
}
doctor-path-brings = { $place ->
    [elsewhere] Schnittstelle { $interface }: { $path } bringt Daten von { $names } auf einem anderen Rechner
   *[here] Schnittstelle { $interface }: { $path } bringt Daten von { $names } auf diesem Rechner
}
doctor-path-brings-nothing = Schnittstelle { $interface }: in { $seconds } Sekunden kam über { $path } nichts von dort
doctor-nobody-heard = in #{ $room } war { $seconds } Sekunden lang niemand zu hören
doctor-peers-found = { $count ->
    [one] in #{ $room } ist { $count } Person: { $here } auf diesem Rechner, { $elsewhere } auf anderen
   *[other] in #{ $room } sind { $count } Personen: { $here } auf diesem Rechner, { $elsewhere } auf anderen
}
doctor-peers-more = und { $count } weitere, von denen { $answering } antworten
doctor-peer-silent = { $name } unter { $address } ist zu hören, antwortet aber nicht
doctor-peer-answers = { $name } unter { $address } antwortet auf das, was so gesendet wird: { $means }
doctor-peer-answers-many = { $name } unter { $address } antwortet auf das, was so gesendet wird: { $means }; nicht auf das, was nur dorthin geht
doctor-name-unknown = jemand, dessen Name nicht zu hören war
doctor-names-more = { $names } und { $count } weitere
doctor-pings-lost = { $lost } von { $sent } Pings blieben ohne Antwort: { $percent } % verloren
doctor-host-answers = { $host }: Antwort von { $names }
doctor-other-room = { $kind ->
    [open] { $count ->
        [one] { $count } Person in einem anderen, offenen Raum
       *[other] { $count } Personen in einem anderen, offenen Raum
    }
   *[closed] { $count ->
        [one] { $count } Person in einem anderen, geschlossenen Raum
       *[other] { $count } Personen in einem anderen, geschlossenen Raum
    }
}
doctor-room-without-passphrase = #{ $room } ohne Passphrase

## What chat-peer doctor concludes, and what to do

doctor-works = ein Datagramm über { $path } erreicht alle, die antworten
doctor-do-works = nichts: chat-peer geht hier
doctor-broadcast-blocked = ein Datagramm über { $path } erreicht alle, die antworten; Broadcast erreicht niemanden
doctor-do-broadcast-blocked = nichts: chat-peer braucht Broadcast nur, wo keine Gruppe geht
doctor-multicast-blocked = keine Gruppe erreicht alle, die antworten, nur Broadcast: Das Netz verwirft Multicast
doctor-do-multicast-blocked = nichts muss getan werden, chat-peer nimmt Broadcast; { -repair }
doctor-no-common-path = kein Weg erreicht alle, die antworten: Ein Teil des Netzes verwirft Multicast und Broadcast
doctor-do-no-common-path = nichts muss getan werden, chat-peer schickt eigene Kopien an die, die sonst nicht zu erreichen sind; { -repair }
doctor-only-unicast = kein Weg an viele erreicht irgendwen: Multicast und Broadcast werden verworfen, oder die anderen sind in einem anderen Netz
doctor-do-only-unicast = nenne bei jedem Start jemanden mit --peer HOST, chat-peer schickt dann allen eine eigene Kopie; { -repair }
doctor-unicast-blocked = die anderen antworten auf das, was an viele geht, und nicht auf das, was nur an sie geht
doctor-do-unicast-blocked = lass auf dem anderen Gerät UDP aus diesem Netz zu chat-peer auf jedem Port herein: Es empfängt auch auf einem eigenen Port, nicht nur auf { $port }
doctor-one-way-out = nur eine Richtung: Multicast und Broadcast von hier kommen dort an, die von dort nicht hier
doctor-do-one-way-out = nichts muss getan werden, die anderen schicken eigene Kopien; erlaube auf diesem Rechner eingehendes Multicast an UDP-Port { $port }, oder { -repair }
doctor-one-way-in = nur eine Richtung: Multicast oder Broadcast von dort kommt hier an, das von hier nicht dort
doctor-do-one-way-in = nichts muss getan werden, chat-peer schickt allen eine eigene Kopie; erlaube auf den anderen Geräten eingehendes Multicast an UDP-Port { $port }, oder { -repair }
doctor-no-answers = andere sind zu hören, aber keine Antwort von ihnen kommt zurück: Was von hier gesendet wird, kommt dort nicht an, oder Antworten an ein einzelnes Gerät kommen hier nicht an
doctor-do-no-answers = erlaube eingehendes UDP (Port { $port } und Antworten) in den Firewalls der anderen Geräte und dieses Geräts; hilft das nicht, dann starte hier chat-peer und dort den doctor: Hört er dieses Gerät, dann verwirft das Netz, was an ein einzelnes Gerät geht (schalte „client isolation“ aus), sonst das, was dieses Gerät sendet
doctor-loss = das Netz verliert Datagramme: { $lost } von { $sent } Pings blieben ohne Antwort, { $percent } % ({ $means }); sind beide Richtungen gleich, verliert jede { $oneway } %
doctor-do-loss-by-paths = nichts muss getan werden, chat-peer holt Verlorenes nach, aber spät; schalte im WLAN „multicast to unicast“ ein, erhöhe die Multicast-Rate des Access Points, oder nimm ein Kabel
doctor-do-loss = nichts muss getan werden, chat-peer holt Verlorenes nach, aber spät; geh näher an den Access Point, ändere seinen Kanal, oder nimm ein Kabel
doctor-answers-only = die Firewall dieses Rechners lässt nur Antworten herein, und nichts, was andere zuerst senden
doctor-do-answers-only = erlaube in der Firewall dieses Rechners eingehendes UDP an Port { $port } (mit ufw: sudo ufw allow { $port }/udp; unter Windows: chat-peer in privaten Netzen zulassen); sonst sind nur die zu erreichen, die mit --peer HOST genannt sind
doctor-port-only = die Firewall dieses Rechners lässt herein, was an UDP-Port { $port } kommt, und keine Antworten
doctor-do-port-only = erlaube in der Firewall dieses Rechners eingehendes UDP, das auf etwas antwortet, was dieser Rechner gesendet hat („established“)
doctor-receiving-blocked = die Firewall dieses Rechners lässt kein UDP herein: Nicht einmal, was er selbst an alle sendet, kommt zurück
doctor-do-receiving-blocked = erlaube in der Firewall dieses Rechners eingehendes UDP an Port { $port } (mit ufw: sudo ufw allow { $port }/udp; unter Windows: chat-peer in privaten Netzen zulassen), und Antworten auf das, was dieser Rechner gesendet hat
doctor-sending-forbidden = die Firewall dieses Rechners lässt kein UDP hinaus: { $reason }
doctor-do-sending-forbidden = erlaube in der Firewall dieses Rechners ausgehendes UDP an Port { $port } und an jeden Port dieses Netzes
doctor-sending-fails = es gibt kein Netz: Nichts lässt sich senden: { $reason }
doctor-no-network = es gibt kein Netz: Keine Schnittstelle ist an und hat eine Adresse
doctor-do-no-network = stecke ein Kabel ein oder verbinde dich mit dem WLAN und starte den doctor noch einmal; auf diesem Rechner allein braucht chat-peer --interface lo
doctor-interface-wrong = { $count ->
    [0] falsche Schnittstelle: Auf den benutzten Schnittstellen ist niemand; aus #{ $room } sind andere zu hören auf { $others }
   *[other] falsche Schnittstelle: Auf { $interfaces } ist niemand; aus #{ $room } sind andere zu hören auf { $others }
}
doctor-interface-unusable = { $count ->
    [0] falsche Schnittstelle: Die benutzten Schnittstellen sind nicht da, aus oder ohne Adresse
   *[other] falsche Schnittstelle: { $interfaces } ist nicht da, aus oder ohne Adresse
}
doctor-do-interface = nimm --interface { $interface }
doctor-do-interface-up = nimm --interface { $interface }, die an ist
doctor-do-interfaces-up = nimm --interface mit einer von denen, die an sind: { $interfaces }
doctor-port-taken = UDP-Port { $port } lässt sich nicht benutzen: Ein anderes Programm hat ihn
doctor-port-taken-v4 = UDP-Port { $port } lässt sich über IPv4 nicht benutzen: Ein anderes Programm hat ihn
doctor-do-port-taken = beende das Programm, das den Port hat (unter Linux zeigt es sudo ss -ulpn 'sport = :{ $port }'), oder nehmt alle einen anderen --port
doctor-other-port = { $count ->
    [one] auf UDP-Port { $port } ist niemand; { $count } Person ist in diesem Raum auf Port { $default }
   *[other] auf UDP-Port { $port } ist niemand; { $count } Personen sind in diesem Raum auf Port { $default }
}
doctor-do-other-port = lass --port { $port } weg (und port in peer.toml), oder nehmt ihn alle
doctor-nobody-in-room = in #{ $room } ist niemand; { $others }
doctor-nobody-in-closed-room = in #{ $room } ist mit dieser Passphrase niemand; { $others }
doctor-peers-in-room = { $count ->
    [one] { $count } Person ist in { $room }
   *[other] { $count } Personen sind in { $room }
}
doctor-peers-in-other-room = { $kind ->
    [open] { $count ->
        [one] { $count } Person ist in einem anderen offenen Raum
       *[other] { $count } Personen sind in einem anderen offenen Raum
    }
   *[closed] { $count ->
        [one] { $count } Person ist in einem anderen geschlossenen Raum
       *[other] { $count } Personen sind in einem anderen geschlossenen Raum
    }
}
doctor-do-other-room = nimm --room und, bei einem geschlossenen Raum, --passphrase-file wie die anderen
doctor-nobody-but-devices = auf einem anderen Rechner ist niemand in #{ $room }; { $count } andere Geräte antworten auf einen Ping, also trennt das Netz die Geräte wahrscheinlich nicht
doctor-nobody-or-isolated = { $count ->
    [0] auf einem anderen Rechner ist niemand in #{ $room }, oder ein Access Point trennt die Geräte (Isolation): Kein anderes Gerät antwortet auf einen Ping
    [one] auf einem anderen Rechner ist niemand in #{ $room }, oder ein Access Point trennt die Geräte (Isolation): { $count } anderes Gerät antwortet auf einen Ping, vielleicht der Router
   *[other] auf einem anderen Rechner ist niemand in #{ $room }, oder ein Access Point trennt die Geräte (Isolation): { $count } andere Geräte antworten auf einen Ping, vielleicht Router und Access Point
}
doctor-nobody-or-unknown = auf einem anderen Rechner ist niemand in #{ $room }, oder ein Access Point trennt die Geräte (Isolation); von diesem Gerät allein aus lässt sich das nicht sagen
doctor-do-nobody = starte chat-peer auf einem zweiten Gerät, mit demselben Raum und Port { $port }, und hier den doctor mit --peer und dessen Adresse: Antwortet das auch nicht, dann schalte „client isolation“ (Gastnetz) des Access Points aus, oder nimm ein Kabel
doctor-do-nobody-here = starte chat-peer auf einem zweiten Gerät, mit demselben Raum und Port { $port }, und hier den doctor mit --peer und dessen Adresse: Antwortet das auch nicht, dann schalte „client isolation“ (Gastnetz) des Access Points aus, oder nimm ein Kabel; versuch es auch ohne --interface, denn an ist { $interfaces }
doctor-host-not-found = { $host }: nicht gefunden: { $reason }
doctor-do-host-not-found = prüfe die Schreibweise, oder gib statt des Namens die IP-Adresse an
doctor-host-this-machine = { $host }: Das ist dieser Rechner, und was dorthin geht, kommt zurück
doctor-do-host-this-machine = nenne ein anderes Gerät
doctor-host-refuses = { $host }: Den Host gibt es, aber er weist UDP-Port { $port } ab: Dort läuft kein chat-peer
doctor-do-host-refuses = starte dort chat-peer, oder gib den Port an, den es benutzt: --peer HOST:PORT
doctor-host-no-device = { $host }: Kein Gerät hat diese Adresse: Es ist aus, hat eine andere Adresse oder ist abgetrennt
doctor-do-host-no-device = schalte es ein, und prüfe dort seine Adresse (ip address, ipconfig); stimmt sie, dann schalte „client isolation“ des Access Points aus
doctor-host-unsendable = { $host }: Dorthin lässt sich nicht senden: { $reason }
doctor-do-host-forbidden = erlaube in der Firewall dieses Rechners ausgehendes UDP an Port { $port }
doctor-do-host-unsendable = verbinde diesen Rechner mit dem Netz des Hosts, oder prüfe die Adresse
doctor-host-silent = { $host }: keine Antwort von { $addresses }
doctor-do-host-silent = sorge dafür, dass es an ist und dort chat-peer in diesem Raum läuft, und erlaube eingehendes UDP an Port { $port } in seiner Firewall und im Router dazwischen
