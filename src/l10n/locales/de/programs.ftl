# Texte: die Programme: Start, Verbindung, Ende und was nicht geht.

## What the client says about requests

client-no-search = Dieser Server kann nicht suchen.
client-no-directory = Dieser Server sagt nicht, welche Räume es gibt.
client-no-moderation = Auf diesem Server gibt es keine Moderation.
client-no-claims = Hier kann niemand einen Namen behalten: Der Server ist zu alt, speichert nichts oder hat keinen Schlüssel gesehen.
client-former-log = Der Server hat von vorn angefangen, also kann jetzt jemand anderes diesen Namen haben. Vielleicht ist die Nachricht vorher angekommen. Schick sie noch einmal, wenn du willst.
client-peers-only = Das kann nur chat-peer.
client-message-too-long = Die Nachricht ist zu lang: Sie hat { $bytes } Bytes, und dieser Server nimmt höchstens { $limit }.
client-text-invalid = { $error ->
    [empty] Nicht gesendet: Die Nachricht ist leer ({ $bytes } Bytes).
    [control] Nicht gesendet: Die Nachricht enthält ein Steuerzeichen ({ $bytes } Bytes).
   *[long] Nicht gesendet: Die Nachricht ist länger als { $limit } Bytes (sie hat { $bytes }).
}
client-queue-full = Nicht gesendet: Es warten schon { $count } Nachrichten auf den Server.
client-several-rooms = Du bist in mehreren Räumen. Sag, welchen du meinst.
client-no-room = Du bist in keinem Raum. Tippe /join RAUM.
client-search-too-long = Das ist zu lang zum Suchen: Es hat { $bytes } Bytes, und mehr als { $limit } gehen nicht.
client-name-too-long = Dieser Name ist zu lang.
client-perhaps-done = Die Verbindung brach vor der Antwort ab. Vielleicht ist es geschehen, vielleicht nicht.
client-claimed = { $name } ist jetzt dein Name: Ohne den Schlüssel dieses Geräts bekommt ihn niemand
client-no-claim = du hast hier keinen Namen, der für dich aufgehoben wird
client-claim-given-up = du hast deinen Namen hergegeben: Bist du weg, dann bekommt ihn, wer zuerst kommt, und um wieder einen zu behalten, brauchst du vielleicht eine neue Einladung
client-others-unlinked = { $name } gehört jetzt nur noch diesem Gerät: Deine anderen Geräte sind draußen, und jedes braucht einen neuen Code, um wieder unter diesem Namen zu kommen

## What the client says about the connection

client-connecting-again = Neue Verbindung.
client-nothing-answered = Dort antwortete nichts.
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
peer-no-direct = Ohne Server gibt es keine Direktnachrichten.
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
peer-oneself = Das bist du.
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
peer-clock-ahead = Die Uhr von { $name } geht gegen deine { $time } vor: Um so viel weichen die Zeiten dieser Nachrichten ab.
peer-clock-behind = Die Uhr von { $name } geht gegen deine { $time } nach: Um so viel weichen die Zeiten dieser Nachrichten ab.
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
io-not-found = keine solche Datei oder kein solches Verzeichnis
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
no-such-host = Es gibt keinen Host namens { $host }: { $reason }. Stimmt die Schreibweise?
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
