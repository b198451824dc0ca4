//! Notifications of the desktop, which the terminal shows.

/// Returns the control sequences that show a notification: OSC 9 (iTerm2, Windows Terminal), OSC
/// 777 (urxvt, foot, Ghostty) and OSC 99 (kitty). Most terminals know one of them, and ignore
/// the others. Title and text must have no control characters.
#[must_use]
pub(super) fn sequence(title: &str, text: &str) -> String {
    let text = text.replace(['\n', '\t', ';'], " ");
    let title = title.replace(';', " ");
    format!(
        "\u{1b}]777;notify;{title};{text}\u{1b}\\\u{1b}]99;i=chat:d=0;{title}\u{1b}\\\u{1b}]99;i=chat:p=body;{text}\u{1b}\\\u{1b}]9;{title}: {text}\u{1b}\\"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of others cannot end a sequence or begin another one.
    #[test]
    fn sequences_are_whole() {
        let all = sequence("anna; x", "a\nb;c");
        assert_eq!(all.matches('\u{1b}').count(), 8);
        assert!(all.contains("]777;notify;anna  x;a b c\u{1b}\\"), "{all:?}");
    }
}
