//! Errors of configuration files, in words for whoever has written the file.

use toml::de::Error;

/// Number of keys up to which an error about an unknown key lists all that are known.
const MAX_LISTED_KEYS: usize = 12;

/// Describes an error in the TOML text of a configuration file, in one line. It names the key, but
/// does not quote the value, because it may be a password.
pub(super) fn describe_toml_error(error: &Error, text: &str) -> String {
    let message = error.message().replace('\n', " ");
    if let Some(described) = describe_unknown_key(&message) {
        return described;
    }
    let key = error.span().and_then(|it| key_at(text, it.start));
    match (describe_value(&message), key) {
        (Some(described), Some(key)) => format!("{key} {described}"),
        (Some(described), None) => format!("a value {described}"),
        (None, key) => match (describe_syntax(&message), key) {
            (Some(described), _) => described.to_owned(),
            (None, Some(key)) => format!("{key}: {message}"),
            (None, None) => message,
        },
    }
}

/// Describes an unknown key, with the nearest known one. `None` if `message` is about something
/// else.
fn describe_unknown_key(message: &str) -> Option<String> {
    let (key, rest) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let known: Vec<_> = rest.split('`').skip(1).step_by(2).collect();
    let hint = match nearest_key(key, &known) {
        Some(nearest) => format!("; did you mean “{nearest}”?"),
        None if known.len() <= MAX_LISTED_KEYS => format!("; the keys are {}", known.join(", ")),
        None => String::new(),
    };
    Some(format!("unknown key “{key}”{hint}"))
}

/// Returns the key of `known` that `key` was probably meant to be. `None` if none is near.
fn nearest_key<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let key = key.to_lowercase().replace('_', "-");
    let distance = |it: &&&str| strsim::damerau_levenshtein(&key, it);
    let nearest = known.iter().min_by_key(distance)?;
    (distance(&nearest) <= 1 + key.chars().count() / 4).then_some(*nearest)
}

/// Describes what a value must be. `None` if `message` is not about a value.
fn describe_value(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let known: Vec<_> = rest.split_once("expected")?.1.split('`').skip(1).step_by(2).collect();
        return Some(format!("must be “{}”", known.join("” or “")));
    }
    let is_type = message.starts_with("invalid type: ");
    if !is_type && !message.starts_with("invalid value: ") {
        return None;
    }
    let (_, expected) = message.rsplit_once(", expected ")?;
    let most: Option<u64> = match expected {
        "u8" => Some(u8::MAX.into()),
        "u16" => Some(u16::MAX.into()),
        "u32" => Some(u32::MAX.into()),
        "u64" | "usize" => Some(i64::MAX as u64),
        _ => None,
    };
    Some(match (expected, most) {
        (_, Some(_)) if is_type => "must be a whole number".to_owned(),
        (_, Some(most)) => format!("must be a whole number from 0 to {most}"),
        ("a boolean", _) => "must be true or false".to_owned(),
        ("a string" | "path string", _) => "must be text in quotation marks".to_owned(),
        ("a sequence", _) => "must be a list in brackets, such as [\"a\", \"b\"]".to_owned(),
        (other, _) => format!("must be {other}"),
    })
}

/// Describes text that is not TOML. `None` if `message` is about something else, or says it well
/// enough.
fn describe_syntax(message: &str) -> Option<&'static str> {
    let starts = [
        ("string values must be quoted", "text must be in quotation marks: KEY = \"TEXT\""),
        ("key with no value", "this is not of the form KEY = VALUE"),
        ("duplicate key", "this key is set twice"),
        ("invalid basic string", "the closing quotation mark is missing"),
        ("too few unicode value digits", "a backslash must be written twice: \\\\"),
        ("missing escaped value", "a backslash must be written twice: \\\\"),
        ("unclosed array", "the closing bracket of the list is missing"),
        ("missing comma between array elements", "a comma is missing in the list"),
    ];
    starts.iter().find(|(start, _)| message.starts_with(start)).map(|(_, described)| *described)
}

/// Returns the key whose line, or whose value of several lines, holds the byte `at` of `text`.
/// `None` if there is none.
fn key_at(text: &str, at: usize) -> Option<&str> {
    let end = text.get(at..)?.find('\n').map_or(text.len(), |it| at + it);
    text.get(..end)?.lines().rev().find_map(|line| {
        let (key, _) = line.split_once('=')?;
        let key = key.trim();
        let is_key = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        (!key.is_empty() && key.chars().all(is_key)).then_some(key)
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Settings of each type that configuration files have.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only the errors count")]
    struct TestSettings {
        data_dir: Option<std::path::PathBuf>,
        port: Option<u16>,
        no_key: Option<bool>,
        rooms: Option<Vec<String>>,
        mode: Option<Mode>,
    }

    /// A setting with named values.
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        Allow,
        Refuse,
    }

    /// Returns the description of the error in a text.
    fn describe(text: &str) -> String {
        let settings = toml::from_str::<TestSettings>(text);
        let error = settings.err().unwrap_or_else(|| panic!("{text} is valid"));
        describe_toml_error(&error, text)
    }

    /// An unknown key comes with the nearest known one. If none is near, all are listed.
    #[test]
    fn unknown_key_has_suggestion() {
        assert_eq!(describe("prot = 1"), "unknown key “prot”; did you mean “port”?");
        assert_eq!(describe("data_dir = 1"), "unknown key “data_dir”; did you mean “data-dir”?");
        let listed = "; the keys are data-dir, port, no-key, rooms, mode";
        assert_eq!(describe("colour = 1"), format!("unknown key “colour”{listed}"));
        assert_eq!(describe("[server]"), format!("unknown key “server”{listed}"));
    }

    /// A wrong value is not quoted, for it may be a password. The error names the key, and says what
    /// the value must be.
    #[test]
    fn wrong_value_is_described_without_it() {
        for (text, described) in [
            ("data-dir = 12345", "data-dir must be text in quotation marks"),
            ("port = \"secret, expected u8\"", "port must be a whole number"),
            ("port = 1.5", "port must be a whole number"),
            ("\nport = -1", "port must be a whole number from 0 to 65535"),
            ("no-key = 1", "no-key must be true or false"),
            ("rooms = \"a\"", "rooms must be a list in brackets, such as [\"a\", \"b\"]"),
            ("rooms = [\n\"a\",\n12345]", "rooms must be text in quotation marks"),
            ("mode = \"secret\"", "mode must be “allow” or “refuse”"),
        ] {
            assert_eq!(describe(text), described, "{text}");
        }
    }

    /// The common mistakes in writing TOML are said in plain words.
    #[test]
    fn syntax_errors_are_plain() {
        for (text, described) in [
            ("data-dir = Tea Room", "text must be in quotation marks: KEY = \"TEXT\""),
            ("port: 1", "this is not of the form KEY = VALUE"),
            ("port = 1\nport = 2", "this key is set twice"),
            ("data-dir = \"x", "the closing quotation mark is missing"),
            ("data-dir = \"C:\\Users\"", "a backslash must be written twice: \\\\"),
            ("data-dir = \"C:\\data\"", "a backslash must be written twice: \\\\"),
            ("rooms = [\"a\"", "the closing bracket of the list is missing"),
            ("rooms = [\"a\" \"b\"]", "a comma is missing in the list"),
        ] {
            assert_eq!(describe(text), described, "{text}");
        }
    }
}
