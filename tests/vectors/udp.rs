//! The vectors of the UDP protocol: `docs/protocol/udp.md`, section 20.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use pi_chat::model::{PeerId, RoomName};
use pi_chat::wire::udp::{Control, Identity, Packet, Room, Sealer, open};
use serde_json::{Value, json};

use crate::{fields, unhex, vectors};

/// Whoever receives.
const OWN: PeerId = PeerId([1; 8]);

/// Rooms by name and passphrase.
type Rooms = HashMap<(String, Option<String>), Arc<Room>>;

/// Those that were made, for the closed ones are dear to make.
static ROOMS: LazyLock<Mutex<Rooms>> = LazyLock::new(Mutex::default);

/// The room of a vector.
pub(crate) fn room(vector: &Value) -> Arc<Room> {
    let name = vector["room"].as_str().unwrap();
    let passphrase = vector["passphrase"].as_str();
    let make = || {
        let name = RoomName::new(name).unwrap();
        Arc::new(match passphrase {
            None => Room::open(&name),
            Some(passphrase) => Room::closed(&name, passphrase).unwrap(),
        })
    };
    let mut rooms = ROOMS.lock().unwrap();
    let known = (name.to_owned(), passphrase.map(str::to_owned));
    Arc::clone(rooms.entry(known).or_insert_with(make))
}

/// The signer of a vector, and the sender, who is another one where an entry
/// is sent on.
fn signer_and_sender(vector: &Value) -> [Arc<Identity>; 2] {
    let identity = |seed: &Value, incarnation: &Value| {
        let (seed, incarnation) = (unhex(seed), unhex(incarnation));
        Arc::new(Identity::new(seed.try_into().unwrap(), incarnation.try_into().unwrap()))
    };
    let signer = identity(&vector["seed"], &vector["incarnation"]);
    let sender = match &vector["sender_seed"] {
        Value::Null => Arc::clone(&signer),
        seed => identity(seed, &vector["sender_incarnation"]),
    };
    [signer, sender]
}

/// A number, or the digits of a great one.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// The value of the field `key` as serde would write our structs: bytes as
/// arrays, numbers as numbers.
pub(crate) fn as_ours(key: &str, value: &Value) -> Value {
    match (key, value) {
        (_, Value::Object(fields)) => {
            fields.iter().map(|(key, value)| (key.clone(), as_ours(key, value))).collect()
        }
        (_, Value::Array(items)) => items.iter().map(|item| as_ours(key, item)).collect(),
        ("username" | "by" | "text" | "padding", text) => text.clone(),
        ("nonce" | "cookie" | "holder" | "author" | "peer" | "address" | "agreed" | "peers", _) => {
            json!(unhex(value))
        }
        _ => json!(number(value)),
    }
}

/// The kind and the fields of a control packet.
fn of_control(control: &Control) -> (u64, Value) {
    /// Fields of whichever packet it is.
    macro_rules! fields_of {
        ($($variant:ident)*) => { match control { $(Control::$variant(it) => fields(it),)* } };
    }
    let fields = fields_of!(Announce Agree Object Heartbeat Ping Pong Want Lost Recall Recent
        Where Peers Bye);
    (u64::from(control.kind()), fields)
}

/// Opens what has to be accepted, and compares all that a vector says of it.
fn accepted(vector: &Value) -> Packet {
    let name = &vector["name"];
    let [signer, sender] = signer_and_sender(vector).map(|it| it.signer());
    let expected = as_ours("", &vector["value"]);
    let opened = open(&unhex(&vector["datagram"]), &room(vector), OWN, |_| false);
    let (packet, size) = opened.unwrap_or_else(|dropped| panic!("{name}: {dropped}"));
    assert_eq!(size, 23 + unhex(&vector["body"]).len(), "{name}");
    match &packet {
        Packet::Control { sender: by, counter, control } => {
            assert_eq!((*by, *counter), (signer, number(&vector["counter"])), "{name}");
            assert_eq!(of_control(control), (number(&vector["kind"]), expected), "{name}");
        }
        Packet::Entry { sender: by, entry } => {
            assert_eq!((*by, entry.author), (sender.id, signer), "{name}");
            assert_eq!((7, fields(&entry.fields)), (number(&vector["kind"]), expected), "{name}");
            assert_eq!(*entry.body, *unhex(&vector["body"]), "{name}");
        }
    }
    packet
}

/// The sealer whose next datagram has the counter of the vector.
fn sealer(vector: &Value) -> Sealer {
    let [_, sender] = signer_and_sender(vector);
    Sealer::after(number(&vector["counter"]).saturating_sub(1), sender, room(vector))
}

#[test]
fn rooms() {
    for vector in vectors("udp-rooms.json") {
        let room = room(&vector);
        assert_eq!(room.id().as_slice(), unhex(&vector["room_id"]), "{vector}");
        assert_eq!(room.tag().as_slice(), unhex(&vector["tag"]), "{vector}");
        assert_eq!(room.kind() == 1, vector["passphrase"].is_string(), "{vector}");
    }
}

#[test]
fn packets_both_ways() {
    for vector in vectors("udp-packets.json") {
        let name = &vector["name"];
        let datagram = match accepted(&vector) {
            Packet::Control { control, .. } => {
                assert_eq!(control.datagram_len(), 23 + unhex(&vector["body"]).len(), "{name}");
                sealer(&vector).control(&control)
            }
            Packet::Entry { entry, .. } => {
                let [author, _] = signer_and_sender(&vector);
                let signed = author.sign_entry(&room(&vector), entry.fields.clone());
                assert_eq!(signed, *entry, "{name}");
                sealer(&vector).entry(&signed)
            }
        };
        assert_eq!(datagram.unwrap(), unhex(&vector["datagram"]), "{name}");
    }
}

/// An entry is sent on as it is, also with what only its author knows.
#[test]
fn what_is_tolerated() {
    for vector in vectors("udp-tolerated.json") {
        if let Packet::Entry { entry, .. } = accepted(&vector)
            && number(&vector["counter"]) > 0
        {
            let datagram = sealer(&vector).entry(&entry).unwrap();
            assert_eq!(datagram, unhex(&vector["datagram"]), "{}", vector["name"]);
        }
    }
}

#[test]
fn what_is_dropped_and_in_which_step() {
    for vector in vectors("udp-invalid.json") {
        let step = match open(&unhex(&vector["datagram"]), &room(&vector), OWN, |_| false) {
            Ok(accepted) => panic!("{}: {accepted:?}", vector["name"]),
            Err(dropped) => dropped.step(),
        };
        assert_eq!(u64::from(step), number(&vector["step"]), "{}", vector["name"]);
    }
}
