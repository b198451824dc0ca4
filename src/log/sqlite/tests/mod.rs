//! Tests of the log on disk as a whole.

mod damage;
mod recovery;
mod unicode_search;
