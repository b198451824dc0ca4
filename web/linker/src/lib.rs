//! Link codes (`docs/protocol/identity.md`, "Several devices") as a WebAssembly module, for the page in
//! a browser. It is a module of its own, because few browsers ever make one.
//!
//! The page calls it so:
//!
//! 1. It calls [`allocate`] with the length of its input, and writes the input to the address that
//!    it returns: 10 random bytes, and the URL of the page as text.
//! 2. It calls [`make`], which returns the length of the output.
//! 3. It reads the output at the address that [`output`] returns: the hash of the code (32 bytes), the
//!    code as it is shown (19 bytes), and the QR code of the page's URL with the code, as SVG with that
//!    URL as its title. The SVG is missing if the URL is too long.

use std::cell::RefCell;

use pi_chat::model::InvitationCode;
use pi_chat::qr_code::QrCode;

thread_local! {
    /// Input of the next code, which the page writes; then the output, which the page reads.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for an input of `length` bytes and returns its address. It is valid until the next
/// call of any function but [`output`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn allocate(length: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.resize(length, 0);
        buffer.as_mut_ptr()
    })
}

/// Makes a code of the input, and returns the length of the output: 0 if the input is too short.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn make() -> usize {
    BUFFER.with_borrow_mut(|buffer| {
        *buffer = link_code(buffer).unwrap_or_default();
        buffer.len()
    })
}

/// Returns the address of the output. It is valid until the next call of [`allocate`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    BUFFER.with_borrow(|buffer| buffer.as_ptr())
}

/// Returns the output for an input; `None` if that is too short.
fn link_code(input: &[u8]) -> Option<Vec<u8>> {
    let (random, url) = input.split_first_chunk()?;
    let code = InvitationCode::from_random(*random);
    let (hash, key) = (code.hash(), InvitationCode::LINK_KEY);
    let code = code.to_string();
    let url = format!("{}#{key}{code}", String::from_utf8_lossy(url));
    let svg = QrCode::with_fixed_mask(&url).map(|it| it.to_svg(&url)).unwrap_or_default();
    Some([&hash.0[..], code.as_bytes(), svg.as_bytes()].concat())
}
