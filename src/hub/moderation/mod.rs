//! Moderation: requests of clients and of the command line become facts in the log, and committed
//! facts take effect.
//!
//! A request is checked against this hub's own moderation state, for a quick answer, and proposed
//! as a fact. What counts is the verdict of the log at the fact's place: only a committed fact has
//! effects, and only then the request is answered.
//!
//! | file | concern |
//! |---|---|
//! | `frames` | the clients' frames as requests |
//! | `resolve` | requests as actions: who is meant, which sanction, which message |
//! | `proposals` | facts on their way through the log; answers to those who asked |
//! | `effects` | what a committed fact does |
//! | `send_out` | users who have to go: out of a room, out of the server |
//! | `bans` | who may come in |
//! | `room_events` | topics, modes and roles, told to clients |
//! | `removals` | removed messages |
//! | `slow_mode` | minimum time between two messages; who may speak |
//! | `deadlines` | ends of bans and mutes |
//! | `lists` | `sanctions` and `directory` |
//! | `words` | texts for users |

mod bans;
mod deadlines;
mod effects;
mod frames;
mod lists;
mod proposals;
mod removals;
mod resolve;
mod room_events;
mod send_out;
mod slow_mode;
mod words;

pub(super) use deadlines::SanctionDeadlines;
pub(super) use lists::ListPage;
pub use lists::RoomSummary;
pub use proposals::{ModerationRefusal, OwnerRequestId};
pub(super) use proposals::{PendingFacts, Requester};
pub(super) use removals::{RecentRemovals, RemovalRequest};
pub(super) use slow_mode::{LastSpoken, speech_code};
