//! Rendering of server notices, and of message retention: how long the server keeps messages.

use super::{RenderedText, Renderer, error_line};
use crate::model::{JoinedServer, NoticeCode};
use crate::ui::safe::safe_line;
use crate::ui::view_state::Dialect;

impl Renderer {
    /// Renders a notice of the server, or of the peer's engine. A server's notice about its storage
    /// becomes an error line, so that users do not overlook it. All others become chat lines.
    pub(super) fn render_notice(&self, code: u16, text: &str) -> RenderedText {
        let text = safe_line(text);
        let storage = [NoticeCode::StorageFailing, NoticeCode::StorageSound];
        match self.view.with(|it| it.dialect) {
            Dialect::Server if storage.iter().any(|it| it.number() == code) => {
                error_line(&format!("server: {text}"))
            }
            Dialect::Server => self.chat_line(&format!("-- server: {text}")),
            Dialect::Peers => self.chat_line(&format!("-- {text}")),
        }
    }

    /// Renders the retention of messages as a status line. At the first welcome, does so only if
    /// messages survive a restart of the server. At a later welcome, does so only if the retention
    /// has changed.
    pub(super) fn render_retention(&mut self, joined: &JoinedServer, out: &mut Vec<RenderedText>) {
        let text = retention_text(joined);
        let before = self.last_retention.replace(text.clone());
        let is_news = before.map_or(joined.is_durable, |it| it != text);
        if is_news {
            out.push(self.status_line(&text));
        }
    }
}

/// Describes the retention of messages: whether they survive a restart, and their limits in days,
/// number and size.
fn retention_text(joined: &JoinedServer) -> String {
    if !joined.is_durable {
        return "messages are not kept when the server restarts".to_owned();
    }
    let kept = joined.retention;
    let mut bounds = Vec::new();
    match kept.days {
        0 => {}
        1 => bounds.push("for 1 day".to_owned()),
        days => bounds.push(format!("for {} days", format_grouped(days.into()))),
    }
    if kept.messages > 0 {
        bounds.push(format!("{} in each room", format_grouped(kept.messages.into())));
    }
    if kept.bytes > 0 {
        bounds.push(format!("{} in all", format_size(kept.bytes)));
    }
    let colon = if kept.days == 0 { ":" } else { "" };
    match bounds.join(", ").as_str() {
        "" => "messages are kept when the server restarts".to_owned(),
        bounds => format!("messages are kept{colon} {bounds}"),
    }
}

/// Formats a number with commas between thousands, as `10,000`.
fn format_grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a size in bytes with a decimal unit and at most one decimal, rounded down, as `1.5 GB`.
fn format_size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let Some((name, unit)) = units.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    match bytes % unit / (unit / 10) {
        0 => format!("{} {name}", format_grouped(bytes / unit)),
        tenths => format!("{}.{tenths} {name}", format_grouped(bytes / unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers have thousands separators, and sizes are rounded down.
    #[test]
    fn numbers_and_sizes_are_formatted() {
        let numbers = [7, 999, 10_000, 1_234_567].map(format_grouped);
        assert_eq!(numbers, ["7", "999", "10,000", "1,234,567"]);
        let sizes = [999, 1_000, 64_000_000, 1_550_000_000, 4_000_000_000_000].map(format_size);
        assert_eq!(sizes, ["999 bytes", "1 kB", "64 MB", "1.5 GB", "4,000 GB"]);
    }
}
