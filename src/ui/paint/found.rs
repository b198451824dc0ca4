//! What a search has found, as lines.

use super::{Painted, Painter};
use crate::model::{Found, Message, Search, Style};
use crate::ui::safe::{safe_line, safe_name};

impl Painter {
    /// How many there are, each with its room and its day, and how to get
    /// those before them.
    pub(super) fn found(&self, found: &Found, out: &mut Vec<Painted>) {
        let about = self.searched(&found.search);
        let older = if found.search.before.is_some() { "older " } else { "" };
        let heading = match found.messages.len() {
            0 => format!("-- nothing {older}found{about}"),
            1 => format!("-- 1 {older}message{about}:"),
            count => format!("-- {count} {older}messages{about}:"),
        };
        out.push(self.chat(&heading));
        out.extend(found.messages.iter().map(|message| self.found_message(message)));
        if found.more {
            out.push(self.chat("-- there are older ones: /search shows them"));
        }
    }

    /// What was looked for: ` with tea from bob in #attic`.
    fn searched(&self, search: &Search) -> String {
        let mut about = String::new();
        if !search.text.is_empty() {
            about.push_str(&format!(" with {}", safe_line(&search.text)));
        }
        if let Some(name) = &search.from {
            about.push_str(&format!(" from {}", safe_name(name)));
        }
        if let Some(room) = &search.room {
            about.push_str(&format!(" in #{}", safe_name(room)));
        }
        if let Some(time) = search.since {
            about.push_str(&format!(" since {}", self.time.date_and_minute(time)));
        }
        if let Some(time) = search.until {
            about.push_str(&format!(" before {}", self.time.date_and_minute(time)));
        }
        about
    }

    /// One of them. It says its room even where there is only one: one may
    /// have left others meanwhile.
    fn found_message(&self, message: &Message) -> Painted {
        let (room, from) = (safe_name(&message.room), safe_name(&message.from));
        let head = match message.style {
            Style::ACTION => format!("#{room} * {from} "),
            _ => format!("#{room} {from}: "),
        };
        let when = self.time.date_and_clock(message.time);
        self.said(&when, true, &head, &message.text, false)
    }
}
