//! Log that several hubs share: what it does without I/O.
//!
//! Each hub publishes its proposals to one stream, which orders them. Everybody reads the stream, and
//! folds it in the same way: so all servers have the same entries, the same facts with the same
//! verdicts, and the same sessions. A hub learns what has become of its proposals by reading them,
//! never from the answer to a publication, which may have been stored although no answer came.
//!
//! ```text
//! hub ─ proposals ─▶ Publisher ─ publications ─▶ stream ─▶ Fold ─▶ items for every hub
//!                       ▲                                   │
//!                       └─────────── own ones read ─────────┘
//! ```
//!
//! | module | contents |
//! |---|---|
//! | `publication`, `encoding` | what is published; as bytes |
//! | `fold` | what a publication comes to at its place of the stream |
//! | `publisher` | which publications are to be sent, and sent again |
//!
//! `tests/` connects hubs by such a log in virtual time.

mod encoding;
mod fold;
mod publication;
mod publisher;
#[cfg(test)]
mod tests;

pub(crate) use fold::{Fold, Folded, FoldedItem, HubStage};
pub(crate) use publication::{Publication, SharedChange};
pub(crate) use publisher::Publisher;
