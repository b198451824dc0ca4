//! Publications: what a hub adds to the stream that hubs share.

use crate::hub::{HubId, Proposal};
use crate::model::{Sequence, ServerId};

/// Publication of a hub. Its place in the stream, a [`Sequence`], and the time there are assigned by
/// the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    /// Hub that publishes. [`HubId::ALONE`] for [`SharedChange::HubBegin`]: the hub has no identifier
    /// yet.
    pub(crate) hub: HubId,
    /// Number of the publication among those of the hub, from 1 on; 0 for
    /// [`SharedChange::HubBegin`]. A publication that does not follow the hub's last one in the
    /// stream is ignored: it is a second copy, or an earlier one was lost, and both are sent again.
    pub(crate) number: u64,
    /// What is published.
    pub(crate) change: SharedChange,
}

/// Change that a hub publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SharedChange {
    /// A hub begins: its identifier is the place of this. The former hub of the same server, if there
    /// is one, ends here.
    HubBegin {
        /// Server of the hub.
        server: ServerId,
        /// Random number by which the hub knows its own beginning again.
        nonce: u64,
    },
    /// The hub serves from now on: it knows who is here. Its proposals count behind this only.
    HubServes,
    /// The hub is alive, and has nothing else to publish.
    HubAlive,
    /// The hub ends.
    HubEnd,
    /// Another hub was not heard for too long. It ends here if that is still so at this place: if
    /// nothing that it has published came behind `last_heard`.
    HubGone {
        /// Hub that was not heard.
        hub: HubId,
        /// Place of the last publication of that hub.
        last_heard: Sequence,
    },
    /// Proposal of the hub. [`Proposal::HandOver`] is never published.
    Propose(Proposal),
}
