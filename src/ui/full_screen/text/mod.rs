//! Text layout for a grid of cells: pure functions, without a terminal.
//!
//! A text of others goes through them in this order: [`visible`], [`styled`], [`wrap`]. What
//! [`wrap`] returns is drawn piece by piece; its rows are as wide as ratatui measures them.
//!
//! Text stays in logical order, as in other chat programs for terminals: whether Hebrew and Arabic
//! are turned to be read from the right is up to the terminal.
//!
//! - `columns`: how wide a text is, and cutting it
//! - `wrap`, `breaks`: breaking text into rows
//! - `visible`: making text of others harmless
//! - `markup`, `link`: bold, italic, code and links of a message
//! - `theme`, `palette`: colours

mod breaks;
mod columns;
mod link;
mod markup;
mod palette;
mod theme;
mod visible;
mod wrap;

use std::sync::Arc;

use ratatui::style::Style;

pub use columns::{columns, truncate};
pub use markup::styled;
pub use theme::{ColorScheme, Theme};
pub use visible::visible;
pub use wrap::wrap;

/// Part of a text that is drawn in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What is drawn.
    pub text: String,
    /// How it is drawn.
    pub style: Style,
    /// Address that a click on the piece opens.
    pub link: Option<Arc<str>>,
}

impl Piece {
    /// Makes a piece that a click does not open.
    #[must_use]
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, link: None }
    }
}

/// Row of the screen: pieces from left to right.
pub type Row = Vec<Piece>;
