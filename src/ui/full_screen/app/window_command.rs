//! Commands about the window, which only the full-screen interface has.

use super::conversation::Attention;
use crate::text;
use crate::ui::command_help::HelpRow;
use crate::ui::full_screen::text::ColorScheme;

/// Names of the commands about the window, for completion.
pub(super) static WINDOW_COMMANDS: [&str; 4] = ["/clear", "/close", "/query", "/set"];

/// Returns the commands of the window, and what each does.
pub(in crate::ui) fn window_help() -> Vec<HelpRow> {
    let commands = [
        ("/query NAME", text!("window-query")),
        ("/close", text!("window-close")),
        ("/clear", text!("window-clear")),
        ("/set", text!("window-set")),
    ];
    let row = |(usage, effect): (&str, String)| HelpRow { usage: usage.to_owned(), effect };
    commands.into_iter().map(row).collect()
}

/// Command about the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WindowCommand {
    /// Show the help.
    Help,
    /// Remove the lines of this conversation from the screen.
    Clear,
    /// Show the direct messages with this person.
    Query(String),
    /// Leave this room, or close the direct messages with this person.
    Close,
    /// Change what calls for the user's attention here.
    Notify(Attention),
    /// Change the colours.
    Theme(ColorScheme),
}

/// Parses a line as a command about the window; `None` if it is none.
///
/// # Errors
/// The argument is missing or unknown. The error text is for the user.
pub(super) fn parse(line: &str) -> Option<Result<WindowCommand, String>> {
    let rest = line.strip_prefix('/')?;
    let (word, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let text = text.trim();
    Some(match word.to_ascii_lowercase().as_str() {
        "help" | "?" => Ok(WindowCommand::Help),
        "clear" => Ok(WindowCommand::Clear),
        "close" => Ok(WindowCommand::Close),
        "query" => match text.strip_prefix('@').unwrap_or(text) {
            "" => Err(text!("window-query-whom")),
            name => Ok(WindowCommand::Query(name.to_owned())),
        },
        "set" => parse_setting(text),
        _ => return None,
    })
}

/// Parses what follows `/set`.
fn parse_setting(text: &str) -> Result<WindowCommand, String> {
    let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok(match (name, value.trim()) {
        ("notify", "all") => WindowCommand::Notify(Attention::All),
        ("notify", "mentions") => WindowCommand::Notify(Attention::Mentions),
        ("notify", "nothing") => WindowCommand::Notify(Attention::Nothing),
        ("theme", "terminal") => WindowCommand::Theme(ColorScheme::Terminal),
        ("theme", "dark") => WindowCommand::Theme(ColorScheme::Dark),
        ("theme", "light") => WindowCommand::Theme(ColorScheme::Light),
        ("theme", "none") => WindowCommand::Theme(ColorScheme::Monochrome),
        _ => return Err(text!("window-set-what")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help has all commands that are completed.
    #[test]
    fn help_has_all_commands() {
        let rows = window_help();
        let mut listed: Vec<_> = rows.iter().filter_map(|it| it.usage.split(' ').next()).collect();
        listed.sort_unstable();
        assert_eq!(listed, WINDOW_COMMANDS);
    }

    /// Commands about the window are recognised; others are left to the common parser.
    #[test]
    fn commands_about_the_window_are_parsed() {
        assert_eq!(parse("/QUERY @bob "), Some(Ok(WindowCommand::Query("bob".to_owned()))));
        assert_eq!(parse("/close"), Some(Ok(WindowCommand::Close)));
        let theme = WindowCommand::Theme(ColorScheme::Dark);
        assert_eq!(parse("/set theme  dark"), Some(Ok(theme)));
        assert_eq!(parse("/set notify all"), Some(Ok(WindowCommand::Notify(Attention::All))));
        for wrong in ["/query", "/set", "/set notify", "/set theme pink"] {
            assert!(parse(wrong).is_some_and(|it| it.is_err()), "{wrong}");
        }
        for other in ["hello", "//query bob", "/join garden", "/queryx"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
