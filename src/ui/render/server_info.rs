//! Rendering of server notices, and of message retention: how long the server keeps messages.

use super::numbers::{grouped, size};
use super::reasons::notice_text;
use super::{RenderedText, Renderer, error_line};
use crate::model::{JoinedServer, NoticeCode};
use crate::text;
use crate::ui::safe::safe_line;
use crate::ui::view_state::Dialect;

impl Renderer {
    /// Renders a notice of the server, or of the peer's engine. A server's notice about its storage
    /// becomes an error line, so that users do not overlook it. All others become chat lines.
    pub(super) fn render_notice(&self, code: u16, text: &str) -> RenderedText {
        let dialect = self.view.with(|it| it.dialect);
        let text = match dialect {
            Dialect::Server => notice_text(text),
            Dialect::Peers => safe_line(text),
        };
        let storage = [NoticeCode::StorageFailing, NoticeCode::StorageSound];
        match dialect {
            Dialect::Server if storage.iter().any(|it| it.number() == code) => {
                error_line(&text!("server-says", text = text))
            }
            Dialect::Server => self.chat_line(&format!("-- {}", text!("server-says", text = text))),
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
        return text!("keeping-none");
    }
    let kept = joined.retention;
    let mut bounds = Vec::new();
    if kept.days > 0 {
        let number = grouped(kept.days.into());
        bounds.push(text!("keeping-days", count = kept.days, number = number));
    }
    if kept.messages > 0 {
        bounds.push(text!("keeping-messages", number = grouped(kept.messages.into())));
    }
    if kept.bytes > 0 {
        bounds.push(text!("keeping-bytes", size = size(kept.bytes)));
    }
    match bounds.join(", ") {
        bounds if bounds.is_empty() => text!("keeping-all"),
        bounds => text!("keeping-bounds", days = kept.days, bounds = bounds),
    }
}
