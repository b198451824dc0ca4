//! `chat-client`: see `--help`.

/// Entry point.
fn main() {}
