//! `chat-server`: see `--help`.

/// Entry point.
fn main() {}
