//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key does in the input line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Inserts a character.
    Type(char),
    /// Inserts a line break.
    BreakLine,
    /// Submits the text.
    Submit,
    /// Moves the cursor.
    Move(Motion),
    /// Moves the cursor up by a row, or shows an older line of the history.
    Up,
    /// Moves the cursor down by a row, or shows a newer line of the history.
    Down,
    /// Deletes the character before the cursor.
    DeleteLeft,
    /// Deletes the character after the cursor.
    DeleteRight,
    /// Deletes the character after the cursor; is for the program if there is no text.
    DeleteOrLeave,
    /// Deletes the text up to where the cursor would be moved, and keeps it for [`Self::Yank`].
    Kill(Motion),
    /// Inserts what was deleted by [`Self::Kill`].
    Yank,
    /// Exchanges the characters before and after the cursor.
    Transpose,
    /// Undoes the latest change.
    Undo,
    /// Deletes the whole text, which the history keeps; is for the program if there is no text.
    Discard,
    /// Begins a search in the history, or goes on to an older line.
    Search,
    /// Gives up a search.
    GiveUp,
    /// Ends a search or a completion.
    Escape,
    /// Completes the word before the cursor, or shows the next candidate.
    Complete,
    /// Shows the previous candidate.
    CompleteBack,
    /// Begins a combination of two keys: Ctrl-X.
    Prefix,
}

/// Movement of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Motion {
    /// One character to the left.
    Left,
    /// One character to the right.
    Right,
    /// To the beginning of a word of letters and digits.
    WordLeft,
    /// To the end of a word of letters and digits.
    WordRight,
    /// To the beginning of what stands between spaces.
    BlankWordLeft,
    /// To the beginning of the line.
    LineStart,
    /// To the end of the line.
    LineEnd,
}

/// Returns what a key does; `None` if it is not for the input line.
///
/// Terminals send Ctrl-H for Backspace or Ctrl-Backspace, and Ctrl-7 for Ctrl-_ and Ctrl-/.
pub(super) fn action(key: &KeyEvent) -> Option<Action> {
    use KeyModifiers as Held;
    match (key.code, key.modifiers) {
        (KeyCode::Char(c), held) if is_typed(c, held) => Some(Action::Type(c)),
        (KeyCode::Char('_' | '/' | '7'), held) if held - Held::SHIFT == Held::CONTROL => {
            Some(Action::Undo)
        }
        (KeyCode::Char(c), Held::CONTROL) => control_action(c.to_ascii_lowercase()),
        (KeyCode::Char('b'), Held::ALT) => Some(Action::Move(Motion::WordLeft)),
        (KeyCode::Char('f'), Held::ALT) => Some(Action::Move(Motion::WordRight)),
        (KeyCode::Char('d'), Held::ALT) => Some(Action::Kill(Motion::WordRight)),
        (KeyCode::Enter, Held::NONE) => Some(Action::Submit),
        (KeyCode::Enter, _) => Some(Action::BreakLine),
        (KeyCode::Backspace, Held::NONE | Held::SHIFT) => Some(Action::DeleteLeft),
        (KeyCode::Backspace, Held::ALT | Held::CONTROL) => Some(Action::Kill(Motion::WordLeft)),
        (KeyCode::Delete, Held::NONE) => Some(Action::DeleteRight),
        (KeyCode::Delete, Held::ALT | Held::CONTROL) => Some(Action::Kill(Motion::WordRight)),
        (KeyCode::Left, Held::NONE) => Some(Action::Move(Motion::Left)),
        (KeyCode::Left, Held::CONTROL) => Some(Action::Move(Motion::WordLeft)),
        (KeyCode::Right, Held::NONE) => Some(Action::Move(Motion::Right)),
        (KeyCode::Right, Held::CONTROL) => Some(Action::Move(Motion::WordRight)),
        (KeyCode::Home, Held::NONE) => Some(Action::Move(Motion::LineStart)),
        (KeyCode::End, Held::NONE) => Some(Action::Move(Motion::LineEnd)),
        (KeyCode::Up, Held::NONE) => Some(Action::Up),
        (KeyCode::Down, Held::NONE) => Some(Action::Down),
        (KeyCode::Tab, Held::NONE) => Some(Action::Complete),
        (KeyCode::BackTab, Held::NONE | Held::SHIFT) | (KeyCode::Tab, Held::SHIFT) => {
            Some(Action::CompleteBack)
        }
        (KeyCode::Esc, Held::NONE) => Some(Action::Escape),
        _ => None,
    }
}

/// Returns true if a character is text with these keys held down. Ctrl and Alt together are AltGr
/// on Windows, which makes signs and letters with accents.
fn is_typed(c: char, held: KeyModifiers) -> bool {
    let held = held - KeyModifiers::SHIFT;
    let is_alt_gr = held == KeyModifiers::CONTROL | KeyModifiers::ALT;
    let is_plain_letter = c.is_ascii_alphabetic() || c == ' ';
    held.is_empty() || (is_alt_gr && !is_plain_letter)
}

/// Returns what a letter does together with Ctrl.
const fn control_action(c: char) -> Option<Action> {
    Some(match c {
        'a' => Action::Move(Motion::LineStart),
        'b' => Action::Move(Motion::Left),
        'c' => Action::Discard,
        'd' => Action::DeleteOrLeave,
        'e' => Action::Move(Motion::LineEnd),
        'f' => Action::Move(Motion::Right),
        'n' => Action::Down,
        'p' => Action::Up,
        'g' => Action::GiveUp,
        'h' => Action::DeleteLeft,
        'i' => Action::Complete,
        'j' => Action::BreakLine,
        'k' => Action::Kill(Motion::LineEnd),
        'm' => Action::Submit,
        'r' => Action::Search,
        't' => Action::Transpose,
        'u' => Action::Kill(Motion::LineStart),
        'w' => Action::Kill(Motion::BlankWordLeft),
        'x' => Action::Prefix,
        'y' => Action::Yank,
        '[' => Action::Escape,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters are typed, also with Shift and AltGr, but not with Ctrl or Alt.
    #[test]
    fn characters_are_typed_without_ctrl_or_alt() {
        let (ctrl, alt, shift) = (KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::SHIFT);
        let typed =
            |c, held| action(&KeyEvent::new(KeyCode::Char(c), held)) == Some(Action::Type(c));
        for held in [KeyModifiers::NONE, shift] {
            assert!(['a', 'É', '漢', '\u{301}', ' ', '~'].into_iter().all(|c| typed(c, held)));
        }
        assert!(['@', '€', '\\', 'ą', '{'].into_iter().all(|c| typed(c, ctrl | alt)));
        assert!(typed('Ą', ctrl | alt | shift));
        assert!(!typed('q', ctrl | alt) && !typed('x', alt) && !typed('x', ctrl));
        assert!(!typed('x', KeyModifiers::SUPER));
    }

    /// Keys of the window and of the program are left to them.
    #[test]
    fn other_keys_are_unused() {
        let none = KeyModifiers::NONE;
        for (code, held) in [
            (KeyCode::PageUp, none),
            (KeyCode::PageDown, none),
            (KeyCode::F(1), none),
            (KeyCode::Insert, none),
            (KeyCode::Char('z'), KeyModifiers::CONTROL),
            (KeyCode::Char('l'), KeyModifiers::CONTROL),
            (KeyCode::Char(' '), KeyModifiers::CONTROL),
            (KeyCode::Char('c'), KeyModifiers::CONTROL | KeyModifiers::SHIFT),
            (KeyCode::Char('1'), KeyModifiers::ALT),
            (KeyCode::Up, KeyModifiers::ALT),
            (KeyCode::Left, KeyModifiers::ALT),
            (KeyCode::Home, KeyModifiers::CONTROL),
        ] {
            assert_eq!(action(&KeyEvent::new(code, held)), None, "{code:?} {held:?}");
        }
    }
}
