//! Tests of the log on disk as a whole.

mod damage;
mod indexing;
mod read_marks;
mod recovery;
mod unicode_search;
