//! Tests of the log on disk as a whole.

mod damage;
mod indexing;
mod recovery;
mod unicode_search;
