//! The simulated other peers of a scenario: signs and seals the datagrams that they send.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pi_chat::wire::udp::{Control, EntryFields, Identity, Room, Sealer};
use serde_json::Value;

use crate::scenario::Bindings;
use crate::udp::{as_ours, number, room};
use crate::unhex;

/// The room and the simulated peers of a scenario.
pub(super) struct SimulatedPeers {
    /// The room.
    pub(super) room: Arc<Room>,
    /// The others by name: identity, and where they send from.
    others: BTreeMap<String, (Arc<Identity>, SocketAddr)>,
    /// Values of variables for which the scenario gives datagrams.
    usual: Bindings,
}

/// Reads the identity and the address of a peer from JSON.
pub(super) fn identity(of: &Value) -> (Arc<Identity>, SocketAddr) {
    let (seed, incarnation) = (unhex(&of["seed"]), unhex(&of["incarnation"]));
    let identity = Identity::new(seed.try_into().unwrap(), incarnation.try_into().unwrap());
    assert_eq!(identity.signer().id.to_string(), of["id"].as_str().unwrap());
    (Arc::new(identity), of["address"].as_str().unwrap().parse().unwrap())
}

impl SimulatedPeers {
    /// Reads the simulated peers of a scenario.
    pub(super) fn new(scenario: &Value) -> Self {
        let others = scenario["others"].as_object().unwrap();
        let others = others.iter().map(|(name, of)| (name.clone(), identity(of))).collect();
        Self { room: room(scenario), others, usual: Bindings::of(&scenario["usual"]) }
    }

    /// Names and addresses of the others.
    pub(super) fn addresses(&self) -> BTreeMap<SocketAddr, String> {
        self.others.iter().map(|(name, (_, address))| (*address, name.clone())).collect()
    }

    /// Source address of a packet.
    pub(super) fn source(&self, packet: &Value) -> SocketAddr {
        let own = self.others[packet["from"].as_str().unwrap()].1;
        packet["address"].as_str().map_or(own, |it| it.parse().unwrap())
    }

    /// The datagram of a packet, for the values that the peer under test has chosen. Checks the
    /// vector's own bytes on the way.
    pub(super) fn datagram(&self, packet: &Value, bindings: &Bindings) -> Result<Vec<u8>, String> {
        let bytes = unhex(&packet["datagram"]);
        if packet.get("packet").is_none() {
            return Ok(bytes);
        }
        let usual = self.seal(packet, &self.usual.substitute(&packet["value"])?);
        assert_eq!(usual, bytes, "{packet}");
        Ok(self.seal(packet, &bindings.substitute(&packet["value"])?))
    }

    /// Signs and seals a packet with these fields.
    fn seal(&self, packet: &Value, value: &Value) -> Vec<u8> {
        let sender = &self.others[packet["from"].as_str().unwrap()].0;
        let counter = number(&packet["counter"]);
        let mut sealer = Sealer::after(counter - 1, Arc::clone(sender), Arc::clone(&self.room));
        let (kind, value) = (packet["packet"].as_str().unwrap(), as_ours("", value));
        if kind == "entry" {
            let author = packet["author"].as_str().map_or(sender, |it| &self.others[it].0);
            let fields: EntryFields = serde_json::from_value(value).unwrap();
            return sealer.entry(&author.sign_entry(&self.room, fields)).unwrap();
        }
        sealer.control(&control(kind, value)).unwrap()
    }
}

/// Names of the control packets, as udp.md has them.
macro_rules! packets {
    ($($packet:ident $name:literal)*) => {
        /// Makes a control packet from its name and fields.
        fn control(name: &str, value: Value) -> Control {
            match name {
                $($name => Control::$packet(serde_json::from_value(value).unwrap()),)*
                other => panic!("no such packet: {other}"),
            }
        }

        /// Returns the name of a control packet and its fields.
        pub(super) fn name_and_fields(control: &Control) -> (&'static str, Value) {
            match control { $(Control::$packet(it) => ($name, crate::fields(it)),)* }
        }
    };
}

packets! {
    Announce "announce" Agree "agree" Object "object" Heartbeat "heartbeat" Ping "ping" Pong "pong"
    Want "want" Lost "lost" Recall "recall" Recent "recent" Where "where" Peers "peers" Bye "bye"
}
