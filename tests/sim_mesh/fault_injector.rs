//! Fault injection, to show that each check can fail. The engine is not changed: the injector sits
//! between it and the network, or between it and its user.

use pi_chat::mesh::Outgoing;
use pi_chat::model::{Event, Request};
use pi_chat::wire::udp::Packet;

use super::peer_run::RunId;

/// Fault injector around every engine. The default methods inject nothing.
pub(crate) trait FaultInjector {
    /// Returns the packet that the engine of `to` gets instead of `packet` of `from`; `None`:
    /// nothing.
    fn arriving(&mut self, to: RunId, from: RunId, packet: Packet) -> Option<Packet> {
        let _ = (to, from);
        Some(packet)
    }

    /// Returns the packets that leave instead of what the engine of `from` wants to send.
    fn leaving(&mut self, from: RunId, packet: Outgoing) -> Vec<Outgoing> {
        let _ = from;
        vec![packet]
    }

    /// Returns the events that the user sees instead of `event`.
    fn shown(&mut self, to: RunId, event: Event) -> Vec<Event> {
        let _ = to;
        vec![event]
    }

    /// Returns the requests that the engine gets instead of the user's.
    fn asked(&mut self, from: RunId, request: Request) -> Vec<Request> {
        let _ = from;
        vec![request]
    }
}

/// Fault injector that injects nothing.
pub(crate) struct NoFaults;

impl FaultInjector for NoFaults {}
