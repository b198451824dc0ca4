//! Settings of the client's engine for tests.

use pi_chat::link::Settings;

/// Returns settings of a client without a user at the keyboard that shows what it receives in the
/// lobby. It reconnects only after a completed join. `seed`: see [`Settings::seed`].
pub(crate) fn link_settings(username: String, seed: u64) -> Settings {
    Settings {
        username,
        rooms: Vec::new(),
        password: None,
        invite: None,
        observe: true,
        retry_first_connect: false,
        can_prompt: false,
        can_ask_name: false,
        takes_invited_name: false,
        program: "test",
        version: "1",
        seed,
    }
}
