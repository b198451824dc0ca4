//! The hub in virtual time, with a log in memory that answers at once or
//! when it is told to.

mod failing;
mod joining;
mod lifecycle;
mod log;
mod messages;
mod paging;
mod presence;
mod races;
mod random;
mod reading_back;
mod restart;
mod rooms;
mod steps;
mod table;
mod words;
