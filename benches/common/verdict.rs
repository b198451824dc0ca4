//! Targets of a benchmark, and how far they are met.

use std::fmt::Write;

use crate::number::number;

/// A figure that a target is about.
pub(crate) struct Compared {
    /// What was measured.
    pub(crate) what: String,
    /// Unit of the figure.
    pub(crate) unit: &'static str,
    /// The figure.
    pub(crate) figure: f64,
    /// What it must not exceed.
    pub(crate) most: f64,
}

/// Returns an item of a list in Markdown: a target, in how many cases it is met, and where it is
/// missed. Empty if nothing was measured for it.
pub(crate) fn verdict(title: &str, compared: &[Compared]) -> String {
    if compared.is_empty() {
        return String::new();
    }
    let missed: Vec<String> = compared
        .iter()
        .filter(|it| it.figure > it.most)
        .map(|Compared { what, unit, figure, most }| {
            format!("{what} ({unit}: {}, at most {})", number(*figure), number(*most))
        })
        .collect();
    let met = compared.len() - missed.len();
    let mut text = format!("- {title}: met in {met} of {}", compared.len());
    if !missed.is_empty() {
        write!(text, "; missed in {}", missed.join(", ")).unwrap();
    }
    text.push_str(".\n");
    text
}
