//! Finding links in a text.
//!
//! The page in a browser (`web/src/text/pieces.ts`) has the same rules, except in three places: here
//! addresses of servers are links, too, and brackets of all kinds may belong to one; `*`, `_`, `~` and
//! Chinese or Japanese punctuation at its end do not.

use std::ops::Range;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::model::REPLACEMENT;

/// What stands between the scheme and the rest of a link.
const SEPARATOR: &str = "://";

/// Schemes of links. Nothing else becomes a link, above all no program that is run.
const SCHEMES: [&str; 4] = ["https", "http", "chats", "chat"];

/// Signs at the end of a link that belong to the sentence around it, or are markers of styles.
/// Closing brackets are in [`BRACKETS`].
const TRAILING: &str = ".,;:!?…\"'»”’*_~、。，．：；！？）」』】》";

/// Brackets. A closing one at the end of a link belongs to it if it was opened in it.
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];

/// Returns where the first link at or after `from` is. Takes time for the text up to its end.
pub(super) fn find_link(text: &str, from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let separator = at + text.get(at..)?.find(SEPARATOR)?;
        let rest = separator + SEPARATOR.len();
        at = rest;
        if let Some(scheme) = scheme_before(text.get(from..separator)?)
            && has_host(text.get(rest..)?)
        {
            let start = separator - scheme.len();
            let end = rest + text.get(rest..)?.find(ends_link).unwrap_or(text.len() - rest);
            return Some(start..start + link_length(text.get(start..end)?));
        }
    }
}

/// Returns the scheme at the end of a text, if no letter or digit of ASCII stands before it.
fn scheme_before(text: &str) -> Option<&'static str> {
    SCHEMES.into_iter().find(|scheme| {
        let Some(start) = text.len().checked_sub(scheme.len()) else { return false };
        text.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(scheme))
            && !text
                .as_bytes()
                .get(..start)
                .and_then(<[u8]>::last)
                .is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// Returns true if a text, which follows a scheme, begins with something like a host.
fn has_host(text: &str) -> bool {
    let ends_host = |c: char| matches!(c, '/' | '?' | '#') || ends_link(c);
    text.chars().take_while(|c| !ends_host(*c)).any(char::is_alphanumeric)
}

/// Returns true for a character that is never part of a link: spaces, quotes, invisible characters.
fn ends_link(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '<' | '>' | '"' | '\'' | '`' | REPLACEMENT)
        || (!c.is_ascii() && c.general_category() == GeneralCategory::Format)
}

/// Returns the length of a link, in bytes, without what only follows it: punctuation and brackets
/// that were not opened in it.
fn link_length(link: &str) -> usize {
    // For each kind of bracket, how many more are closed than opened.
    let mut excess = BRACKETS.map(|(open, close)| {
        let count = |bracket| link.matches(bracket).count();
        (close, count(close).saturating_sub(count(open)))
    });
    let mut end = link.len();
    for (at, c) in link.char_indices().rev() {
        if let Some((_, more)) = excess.iter_mut().find(|(close, _)| *close == c) {
            if *more == 0 {
                break;
            }
            *more -= 1;
        } else if !TRAILING.contains(c) {
            break;
        }
        end = at;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns all links of a text.
    fn links(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(link) = find_link(text, at) {
            at = link.end;
            found.push(&text[link]);
        }
        found
    }

    #[test]
    fn links_are_found_without_what_surrounds_them() {
        let cases: &[(&str, &[&str])] = &[
            ("https://example.org", &["https://example.org"]),
            ("See http://pi.local:8080/a?b=c#d.", &["http://pi.local:8080/a?b=c#d"]),
            ("HTTPS://EXAMPLE.ORG!", &["HTTPS://EXAMPLE.ORG"]),
            (
                "chats://pi.local:7 and chat://[fe80::1]",
                &["chats://pi.local:7", "chat://[fe80::1]"],
            ),
            ("(https://a.b/c_(d))", &["https://a.b/c_(d)"]),
            ("[https://a.b/c], {http://[::1]:7}", &["https://a.b/c", "http://[::1]:7"]),
            ("https://a.b/c)d)", &["https://a.b/c)d"]),
            ("https://a.b/(", &["https://a.b/("]),
            (
                "<https://a.b>\"https://c.d\"'http://e.f'",
                &["https://a.b", "https://c.d", "http://e.f"],
            ),
            ("*https://a.b* _http://c.d/_", &["https://a.b", "http://c.d/"]),
            ("看https://例え.jp/道。", &["https://例え.jp/道"]),
            ("https://a.b/\u{200d}c https://d.e/\u{fffd}f", &["https://a.b/", "https://d.e/"]),
            ("http://a.b/http://c.d", &["http://a.b/http://c.d"]),
        ];
        for (text, found) in cases {
            assert_eq!(links(text), *found, "{text:?}");
        }
    }

    #[test]
    fn other_text_is_no_link() {
        let texts = [
            "javascript://a.b",
            "file:///etc/passwd",
            "xhttps://a.b",
            "1http://a.b",
            "http://",
            "https:// a.b",
            "http://...",
            "http:///a",
            "https:/a.b",
            "example.org",
            "ttp://a",
            "://a.b",
            "ſhttp",
            "",
        ];
        for text in texts {
            assert_eq!(links(text), [""; 0], "{text:?}");
        }
    }
}
