//! Length of a message that is being typed.

/// Returns how many bytes the message has that a line sends: without the `/me` of an action, and
/// without the first of two slashes. `None` for every other command.
pub(super) fn message_bytes(line: &str) -> Option<usize> {
    let Some(command) = line.strip_prefix('/') else {
        return Some(line.len());
    };
    if command.starts_with('/') {
        return Some(command.len());
    }
    let (word, text) = command.split_once(char::is_whitespace)?;
    word.eq_ignore_ascii_case("me").then(|| text.trim().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what is sent is counted.
    #[test]
    fn only_the_message_is_counted() {
        for (line, bytes) in [
            ("", Some(0)),
            ("é ", Some(3)),
            ("//me x", Some(5)),
            ("/ME  waves ", Some(5)),
            ("/me", None),
            ("/msg bob hi", None),
            ("/", None),
        ] {
            assert_eq!(message_bytes(line), bytes, "{line:?}");
        }
    }
}
