//! Help about the commands: how each is typed, and what it does.

use std::iter::repeat_n;

use unicode_width::UnicodeWidthStr;

use super::view_state::Dialect;
use crate::l10n;

/// Columns of a help text in a terminal that has more, and where there is no terminal.
pub(super) const MAX_HELP_WIDTH: usize = 98;

/// Columns that the left part of a help text has at least.
const MIN_USAGE_WIDTH: usize = 18;

/// Columns that the left part of a help text has at most. A row whose left part is wider has its
/// right part further on.
const MAX_USAGE_WIDTH: usize = 22;

/// Blanks between the parts of a row, at least.
const GAP: usize = 2;

/// Rows of the server dialect, without what only moderators need: what is typed, which is a command
/// or the id of a text, and the id of the text that says what it does.
const SERVER_ROWS: &[(&str, &str)] = &[
    ("usage-message", "command-message"),
    ("usage-slash", "command-slash"),
    ("usage-me", "help-me"),
    ("usage-msg", "help-msg"),
    ("usage-join", "command-join"),
    ("usage-leave", "command-leave"),
    ("usage-room", "command-room"),
    ("usage-who", "command-who"),
    ("usage-history", "command-history"),
    ("usage-search", "command-search"),
    ("/search", "command-search-again"),
    ("usage-ignore", "command-ignore"),
    ("/ignore", "command-ignore-list"),
    ("usage-unignore", "command-unignore"),
    ("/claim", "command-claim"),
    ("/unclaim", "command-unclaim"),
    ("/link", "command-link"),
    ("/unlink", "command-unlink"),
    ("/rooms", "command-rooms"),
    ("usage-topic", "command-topic"),
    ("/remove", "command-remove"),
    ("/moderation", "command-moderation"),
    ("/reconnect", "command-reconnect"),
    ("/quit", "help-quit"),
    ("/help", "command-help"),
    ("usage-other-names", "command-other-names"),
];

/// Rows about moderation, of the server dialect.
const MODERATION_ROWS: &[(&str, &str)] = &[
    ("usage-remove-of", "command-remove-of"),
    ("usage-kick", "command-kick"),
    ("usage-ban", "command-ban"),
    ("usage-ban-address", "command-ban-address"),
    ("usage-unban", "command-unban"),
    ("/bans", "command-bans"),
    ("usage-mute", "help-mute"),
    ("usage-unmute", "command-unmute"),
    ("/slow 10s", "command-slow"),
    ("/moderated on", "command-moderated"),
    ("usage-announce", "command-announce"),
    ("usage-role", "command-role"),
    ("--server", "command-server"),
];

/// Rows of the peer dialect.
const PEER_ROWS: &[(&str, &str)] = &[
    ("usage-message", "command-message"),
    ("usage-slash", "command-slash"),
    ("usage-me", "help-me"),
    ("/who", "command-who"),
    ("/peers", "command-peers"),
    ("usage-ignore", "command-ignore-peer"),
    ("/ignore", "command-ignore-list"),
    ("usage-unignore", "command-unignore"),
    ("usage-block", "command-block"),
    ("/block", "command-block-list"),
    ("usage-unblock", "command-unblock"),
    ("usage-yes", "command-yes"),
    ("usage-no", "command-no"),
    ("/room", "command-room-peer"),
    ("/quit", "help-quit"),
    ("/help", "command-help"),
    ("usage-other-names", "command-other-names-peer"),
];

/// Row of a help text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HelpRow {
    /// What is typed.
    pub(super) usage: String,
    /// What that does.
    pub(super) effect: String,
}

impl HelpRow {
    /// Returns the row as a line. Its right part begins at this column, or where the left one ends.
    pub(super) fn line(&self, column: usize) -> String {
        let gap = column.saturating_sub(self.usage.width()).max(GAP);
        format!("{}{}{}", self.usage, " ".repeat(gap), self.effect)
    }
}

/// Returns the rows of the help of a dialect, without what only moderators need.
pub(super) fn help_rows(dialect: Dialect) -> Vec<HelpRow> {
    match dialect {
        Dialect::Server => rows(SERVER_ROWS),
        Dialect::Peers => rows(PEER_ROWS),
    }
}

/// Returns the rows of the help about moderation.
pub(super) fn moderation_help_rows() -> Vec<HelpRow> {
    rows(MODERATION_ROWS)
}

/// Returns rows in the user's language.
fn rows(rows: &[(&str, &str)]) -> Vec<HelpRow> {
    let typed = |usage: &str| match usage.starts_with(['/', '-']) {
        true => usage.to_owned(),
        false => l10n::format(usage, []),
    };
    let row = |(usage, effect): &(&str, &str)| HelpRow {
        usage: typed(usage),
        effect: l10n::format(effect, []),
    };
    rows.iter().map(row).collect()
}

/// Returns the column at which the right parts of rows begin.
pub(super) fn effect_column(rows: &[HelpRow]) -> usize {
    let ends = rows.iter().map(|it| it.usage.width() + GAP).filter(|it| *it <= MAX_USAGE_WIDTH);
    ends.fold(MIN_USAGE_WIDTH, usize::max)
}

/// Returns rows as text of this width, in columns: broken between words, with the right parts below
/// each other. A word that is longer than that stands out.
pub(super) fn help_text(rows: &[HelpRow], width: usize) -> String {
    let column = effect_column(rows);
    let mut text = String::new();
    for row in rows {
        let line = row.line(column);
        let mut at = line.width() - row.effect.width();
        text.push_str(line.strip_suffix(&row.effect).unwrap_or_default());
        for (number, word) in row.effect.split(' ').enumerate() {
            let blanks = usize::from(number > 0);
            if number > 0 && at + blanks + word.width() > width {
                text.push('\n');
                text.extend(repeat_n(' ', column));
                at = column;
            } else {
                text.extend(repeat_n(' ', blanks));
                at += blanks;
            }
            text.push_str(word);
            at += word.width();
        }
        text.push('\n');
    }
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::ui::command::command_names;

    /// The help lists the same commands as tab completion, in each language, and each has a text.
    #[test]
    fn help_lists_all_completed_commands() {
        for language in Language::ALL {
            for dialect in [Dialect::Server, Dialect::Peers] {
                let mut rows = with_language(*language, || help_rows(dialect));
                if dialect == Dialect::Server {
                    rows.extend(with_language(*language, moderation_help_rows));
                }
                for (_, effect) in SERVER_ROWS.iter().chain(MODERATION_ROWS).chain(PEER_ROWS) {
                    let text = with_language(*language, || l10n::find(effect, []));
                    assert!(text.is_some(), "{effect}");
                }
                let words = rows.iter().filter_map(|it| it.usage.split(' ').next());
                let mut listed: Vec<_> =
                    words.filter(|it| it.starts_with('/') && !it.starts_with("//")).collect();
                listed.sort_unstable();
                listed.dedup();
                assert_eq!(listed, command_names(dialect));
                let unknown = rows.iter().find(|it| it.usage.starts_with("usage-"));
                assert_eq!(unknown, None);
            }
        }
    }

    /// The right parts stand below each other; a left part that is too wide moves its own. No line is
    /// wider than the terminal.
    #[test]
    fn help_is_laid_out_in_columns() {
        let row = |usage: &str, effect: &str| HelpRow {
            usage: usage.to_owned(),
            effect: effect.to_owned(),
        };
        let rows = [
            row("/one", "does something that is long"),
            row("/a command 日本語 here", "does more than that"),
            row("/twenty columns wide", "x"),
        ];
        let expected = "\
/one                  does something
                      that is long
/a command 日本語 here  does more
                      than that
/twenty columns wide  x";
        assert_eq!(help_text(&rows, 36), expected);
        let short = help_text(&rows[..1], usize::MAX);
        assert_eq!(short, "/one              does something that is long");
        for language in Language::ALL {
            for width in [50, 80, MAX_HELP_WIDTH] {
                let text = with_language(*language, || {
                    [help_rows(Dialect::Server), help_rows(Dialect::Peers), moderation_help_rows()]
                        .map(|it| help_text(&it, width))
                        .join("\n")
                });
                let widest = text.lines().max_by_key(|it| it.width()).unwrap();
                assert!(widest.width() <= width, "{widest}");
            }
        }
    }
}
