//! Ways to break the world, so that a check can be seen to fail. The engine
//! is not touched: something between it and the network, or between it and
//! its person, does not do what it should.

use pi_chat::mesh::Outgoing;
use pi_chat::model::{Event, Request};
use pi_chat::wire::udp::Packet;

use super::peer_run::RunId;

/// Sits around every engine. Each of these does nothing unless it is written
/// anew.
pub(crate) trait FaultInjector {
    /// EventKind the engine of `to` gets of a packet of `from` that has reached
    /// its machine; `None`: nothing.
    fn arriving(&mut self, to: RunId, from: RunId, packet: Packet) -> Option<Packet> {
        let _ = (to, from);
        Some(packet)
    }

    /// EventKind leaves the machine when the engine of `from` wants to send.
    fn leaving(&mut self, from: RunId, packet: Outgoing) -> Vec<Outgoing> {
        let _ = from;
        vec![packet]
    }

    /// EventKind a person sees of what the engine shows.
    fn shown(&mut self, to: RunId, event: Event) -> Vec<Event> {
        let _ = to;
        vec![event]
    }

    /// EventKind the engine gets of what its person wants.
    fn asked(&mut self, from: RunId, request: Request) -> Vec<Request> {
        let _ = from;
        vec![request]
    }
}

/// Breaks nothing.
pub(crate) struct NoFaults;

impl FaultInjector for NoFaults {}
