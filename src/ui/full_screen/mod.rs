//! Full-screen interface on a terminal.
