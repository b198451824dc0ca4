//! The client's engine (`pi_chat::link`) as a WebAssembly module, for the page in a browser.
//!
//! The page is the driver: it has the WebSocket, the clock, timers and storage. The interface needs
//! no generated glue:
//!
//! 1. The page calls [`allocate`] with the length of its input, and writes the input to the address
//!    that it returns.
//! 2. It calls one of the other functions, with the time in milliseconds since it was loaded. That
//!    returns the length of the outputs.
//! 3. It reads the outputs at the address that [`outputs`] returns (`outputs.rs` has their format),
//!    and carries them out in order.
//!
//! - `engine`: a link with its frame reader
//! - `outputs`: encoding of the link's outputs
//! - `session`: the saved session as JSON
//! - `unsent`: the saved messages that are not acknowledged as JSON

mod engine;
mod outputs;
mod session;
mod unsent;

use std::cell::RefCell;

use engine::Engine;
use pi_chat::model::set_host_fold;

thread_local! {
    /// Input of the next call, which the page writes.
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Outputs of the last call, which the page reads.
    static OUTPUTS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Engine; `None` before [`start`].
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

/// Makes room for an input of `length` bytes and returns its address. It is valid until the next
/// call of any function.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn allocate(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length, 0);
        input.as_mut_ptr()
    })
}

/// Returns the address of the outputs of the last call. It is valid until the next call of any
/// function.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn outputs() -> *const u8 {
    OUTPUTS.with_borrow(|outputs| outputs.as_ptr())
}

/// Takes the input as text; what is no UTF-8 is replaced.
fn take_text() -> String {
    String::from_utf8_lossy(&INPUT.take()).into_owned()
}

// Functions of the page, which the module imports.
#[expect(unsafe_code, reason = "imported functions; the page may do with the bytes what it likes")]
#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// Folds the text of `length` bytes at an address, as `docs/protocol/README.md` says of names:
    /// the page calls [`allocate`] and writes the folded text there.
    safe fn fold(address: *const u8, length: usize);
}

/// Folds a text with the page's function.
fn fold_by_page(text: &str) -> String {
    fold(text.as_ptr(), text.len());
    take_text()
}

/// Lets the engine do something, and encodes its outputs. Returns their length: 0 before [`start`].
fn run(action: impl FnOnce(&mut Engine)) -> usize {
    ENGINE.with_borrow_mut(|engine| {
        OUTPUTS.with_borrow_mut(|outputs| {
            outputs.clear();
            if let Some(engine) = engine {
                action(engine);
                engine.encode_outputs(outputs);
            }
            outputs.len()
        })
    })
}

/// Defines exported functions that pass an input to the engine.
macro_rules! inputs {
    ($($(#[$doc:meta])* $name:ident => |$engine:ident, $now:ident| $action:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// `now` is the time in milliseconds since the page was loaded. Returns the length of
            /// the outputs.
            #[expect(unsafe_code, reason = "an exported name")]
            #[unsafe(no_mangle)]
            pub extern "C" fn $name($now: f64) -> usize {
                run(|$engine| $action)
            }
        )*
    };
}

/// Creates the engine, replacing an earlier one. The input is the JSON text of
/// [`engine::Start`]. Returns the length of the outputs: 0 if the input is not valid.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn start() -> usize {
    set_host_fold(fold_by_page);
    ENGINE.set(Engine::start(&take_text()));
    run(|_| ())
}

inputs! {
    /// The WebSocket is open, and the frame of the output `connect` was sent on it.
    connected => |engine, now| engine.on_connected(now);
    /// The WebSocket could not be opened. The input is the reason.
    connect_failed => |engine, now| engine.on_connect_failed(now, take_text());
    /// The WebSocket was closed or has broken. The input is the reason.
    disconnected => |engine, now| engine.on_disconnected(now, take_text());
    /// The input was received: the bytes of a binary message.
    received => |engine, now| engine.on_received(now, &INPUT.take());
    /// The input is the answer to the output `challenge`: key and signature of a proof (32 and 64
    /// bytes), or empty if the page proves no key.
    proved => |engine, now| engine.on_proved(now, &INPUT.take());
    /// The input is the JSON text of a request. If it is not valid, the answer is an `error` event.
    request => |engine, now| engine.on_request(now, &take_text());
    /// The input is the hash of a link code that the page has made, 32 bytes: the request is answered
    /// by the event `done` or `error` with the id `link`.
    link => |engine, now| engine.on_link(now, &INPUT.take());
    /// The input is another username, the answer to the event `name_wanted`. Before [`invite`], it
    /// also is a part of the answer to `invite_wanted`.
    name => |engine, now| engine.on_name(now, take_text());
    /// The input is the code of an invitation, or empty: the answer to the event `invite_wanted`. At
    /// any other time before `welcome` it counts for the next join.
    invite => |engine, now| engine.on_invite(now, &take_text());
    /// The input is the server's password, the answer to the event `password_wanted`.
    password => |engine, now| engine.on_password(now, take_text());
    /// The time of the last output `wake` has come.
    wake => |engine, now| engine.on_wake(now);
}
