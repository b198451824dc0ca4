//! The hub in virtual time, with a log in memory that answers at once or
//! when it is told to.

mod joining;
mod table;
