//! Full-screen interface on a terminal.

pub mod composer;
pub mod text;
