//! Tests of the hub in virtual time, with an in-memory log that answers at once or step by step.

mod fairness;
mod fake_log;
mod frames;
mod handshake;
mod harness;
mod inspect;
mod joins;
mod lifecycle;
mod log_failures;
mod messages;
mod moderation;
mod other_hubs;
mod paging;
mod presence;
mod proofs;
mod races;
mod random;
mod read_queue;
mod replication;
mod restart;
mod rooms;
mod steps;
mod waiting_names;
