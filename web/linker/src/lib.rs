//! Link codes (`docs/protocol/identity.md`, "Several devices") as a WebAssembly module, for the page in
//! a browser. It is a module of its own, because few browsers ever make one.
//!
//! The page calls it as `buffer` says. The input is 10 random bytes and the URL of the page as text. The
//! output is the hash of the code (32 bytes), the code as it is shown (19 bytes), and the QR code of the
//! page's URL with the code, as SVG with that URL as its title.

#[path = "../../buffer.rs"]
mod buffer;

use pi_chat::model::{InvitationCode, PageUrl};
use pi_chat::qr_code::QrCode;

/// Returns the output for an input: nothing if that is too short. The SVG is missing if the URL is
/// none of a page, or too long.
fn output_for(input: &[u8]) -> Vec<u8> {
    let Some((random, url)) = input.split_first_chunk() else {
        return Vec::new();
    };
    let code = InvitationCode::from_random(*random);
    let (hash, svg) = (code.hash(), svg_for(url, code).unwrap_or_default());
    [&hash.0[..], code.to_string().as_bytes(), svg.as_bytes()].concat()
}

/// Returns the QR code of a page's URL with a code, as SVG; `None` if the URL is none of a page, or
/// too long.
fn svg_for(url: &[u8], code: InvitationCode) -> Option<String> {
    let link = PageUrl::new(String::from_utf8(url.to_vec()).ok()?)?.link(code);
    Some(QrCode::with_fixed_mask(&link).ok()?.to_svg(&link))
}
