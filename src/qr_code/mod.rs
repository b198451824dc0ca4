//! Layer 1: QR codes of short texts, as SVG and as text for a terminal.
//!
//! | file | part |
//! |---|---|
//! | here | the code, and its SVG |
//! | `terminal` | the code as text |

#[cfg(any(feature = "server", feature = "client"))]
mod terminal;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use qrcodegen::{Mask, QrCodeEcc, QrSegment, Version};
use thiserror::Error;

#[cfg(any(feature = "server", feature = "client"))]
pub(crate) use self::terminal::TerminalStyle;

/// Width of the light margin that a scanner needs on each side, in modules (ISO/IEC 18004).
const QUIET_ZONE: usize = 4;

/// How much of a code may be covered or dirty: a seventh. Where it makes the code no larger, the
/// encoder takes a higher level.
const ERROR_CORRECTION: QrCodeEcc = QrCodeEcc::Medium;

/// Mask of the codes that are not printed: any of the eight can be read.
const FIXED_MASK: u8 = 2;

/// Error of a text that does not fit into a QR code, which takes about 2,300 bytes.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("this is too long for a QR code")]
pub struct TextTooLong;

/// QR code of a text, with its quiet zone. Its coordinates count modules from the upper left corner
/// of the quiet zone.
pub struct QrCode(qrcodegen::QrCode);

impl QrCode {
    /// Encodes a text, in UTF-8 if it is not ASCII. Chooses the mask that scanners read best, for
    /// paper.
    ///
    /// # Errors
    /// [`TextTooLong`]
    #[cfg(feature = "server")]
    pub(crate) fn new(text: &str) -> Result<Self, TextTooLong> {
        Self::encode(text, None)
    }

    /// Encodes a text, in UTF-8 if it is not ASCII. Does not choose the mask, which takes nine tenths of
    /// the time: for a screen.
    ///
    /// # Errors
    /// [`TextTooLong`]
    pub fn with_fixed_mask(text: &str) -> Result<Self, TextTooLong> {
        Self::encode(text, Some(Mask::new(FIXED_MASK)))
    }

    /// Encodes a text with a mask; `None`: chooses it.
    ///
    /// # Errors
    /// [`TextTooLong`]
    fn encode(text: &str, mask: Option<Mask>) -> Result<Self, TextTooLong> {
        let (segments, level) = (QrSegment::make_segments(text), ERROR_CORRECTION);
        let (smallest, largest) = (Version::MIN, Version::MAX);
        qrcodegen::QrCode::encode_segments_advanced(&segments, level, smallest, largest, mask, true)
            .map(Self)
            .map_err(|_| TextTooLong)
    }

    /// Returns width and height in modules, with the quiet zone.
    #[must_use]
    pub fn width(&self) -> usize {
        usize::try_from(self.0.size()).unwrap_or_default() + 2 * QUIET_ZONE
    }

    /// Returns true if a module is dark. Those of the quiet zone and beyond are light.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inner = |it: usize| it.checked_sub(QUIET_ZONE).and_then(|it| i32::try_from(it).ok());
        inner(x).zip(inner(y)).is_some_and(|(x, y)| self.0.get_module(x, y))
    }

    /// Returns the code as SVG, black on white, one unit for each module. It has no size of its own
    /// and fits its place. `title`: name for people who do not see it.
    #[must_use]
    pub fn to_svg(&self, title: &str) -> String {
        let (width, title) = (self.width(), escape_markup(title));
        let mut path = String::new();
        for y in 0..width {
            for (x, length) in self.dark_runs(y) {
                // Writing to a string cannot fail.
                let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {width}\" \
             role=\"img\" shape-rendering=\"crispEdges\"><title>{title}</title>\
             <path fill=\"#fff\" d=\"M0 0h{width}v{width}h-{width}z\"/>\
             <path fill=\"#000\" d=\"{path}\"/></svg>\n"
        )
    }

    /// Returns begin and length of each run of dark modules in a row.
    fn dark_runs(&self, y: usize) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for x in (0..self.width()).filter(|x| self.is_dark(*x, y)) {
            match runs.last_mut() {
                Some((begin, length)) if *begin + *length == x => *length += 1,
                _ => runs.push((x, 1)),
            }
        }
        runs
    }
}

/// Escapes a text for the contents and the quoted attributes of HTML and SVG.
pub(crate) fn escape_markup(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
