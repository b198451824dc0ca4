//! Full-screen interface on a terminal.

pub mod text;
