//! The hub in virtual time, with a log in memory that answers at once or
//! when it is told to.

mod fake_log;
mod frames;
mod handshake;
mod harness;
mod inspect;
mod lifecycle;
mod log_failures;
mod messages;
mod paging;
mod presence;
mod races;
mod random;
mod restart;
mod rooms;
mod steps;
