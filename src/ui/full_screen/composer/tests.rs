//! Tests of the whole input line: each key, and properties of random keys.

use proptest::prelude::*;
use ratatui::buffer::CellWidth as _;

use super::*;

/// Reads keys that are written as in Emacs: `C-a`, `M-b`, `Left`, or text, which is typed.
fn keys(written: &str) -> Vec<KeyEvent> {
    let special = |name: &str| {
        Some(match name {
            "Enter" => KeyCode::Enter,
            "Tab" => KeyCode::Tab,
            "BackTab" => KeyCode::BackTab,
            "Esc" => KeyCode::Esc,
            "Backspace" => KeyCode::Backspace,
            "Delete" => KeyCode::Delete,
            "Left" => KeyCode::Left,
            "Right" => KeyCode::Right,
            "Up" => KeyCode::Up,
            "Down" => KeyCode::Down,
            "Home" => KeyCode::Home,
            "End" => KeyCode::End,
            "PageUp" => KeyCode::PageUp,
            "Space" => KeyCode::Char(' '),
            _ => return None,
        })
    };
    let read = |word: &str| {
        let (held, name) = match word.split_at_checked(2) {
            Some(("C-", name)) => (KeyModifiers::CONTROL, name),
            Some(("M-", name)) => (KeyModifiers::ALT, name),
            _ => (KeyModifiers::NONE, word),
        };
        match special(name) {
            Some(code) => vec![KeyEvent::new(code, held)],
            None => name.chars().map(|c| KeyEvent::new(KeyCode::Char(c), held)).collect(),
        }
    };
    written.split(' ').flat_map(read).collect()
}

/// Completer with a few words.
fn completer() -> ChatCompleter {
    let list = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
    ChatCompleter {
        names: list(&["anna", "anton", "bob"]),
        rooms: list(&["lobby"]),
        commands: list(&["/join", "/quit"]),
        ignored: Vec::new(),
    }
}

/// Presses keys, and returns what the last one has done.
fn press(composer: &mut Composer, written: &str) -> ComposerOutcome {
    let outcomes = keys(written).into_iter().map(|key| composer.handle_key(key, &completer()));
    outcomes.last().unwrap()
}

/// Returns an input line with the text of `marked` and the cursor at its `|`.
fn composer(marked: &str) -> Composer {
    let mut composer = Composer::default();
    let (before, after) = marked.split_once('|').unwrap();
    composer.draft.editor = Editor::new(&format!("{before}{after}"));
    composer.draft.editor.move_to(before.len());
    composer
}

/// Returns the text with a `|` at the cursor.
fn marked(composer: &Composer) -> String {
    let mut text = composer.text();
    text.insert(composer.editor().cursor(), '|');
    text
}

/// Draws an input line, and returns the rows and the position of the cursor.
fn drawn(composer: &mut Composer, width: u16, height: u16) -> (Vec<String>, Position) {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let cursor = composer.draw(area, &mut buffer);
    let mut rows = Vec::new();
    for y in 0..height {
        let (mut row, mut x) = (String::new(), 0);
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            row += symbol;
            x += symbol.cell_width();
        }
        rows.push(row.trim_end().to_owned());
    }
    (rows, cursor)
}

/// Each key edits as in a shell.
#[test]
fn keys_edit_the_text() {
    for (before, pressed, after) in [
        ("ab|", "c", "abc|"),
        ("a|b", "é漢", "aé漢|b"),
        ("a|b", "M-Enter", "a\n|b"),
        ("a|b", "C-j", "a\n|b"),
        ("one\ntw|o", "C-a", "one\n|two"),
        ("one\ntw|o", "Home", "one\n|two"),
        ("on|e\ntwo", "C-e", "one|\ntwo"),
        ("on|e\ntwo", "End", "one|\ntwo"),
        ("a👩‍👧|", "C-b", "a|👩‍👧"),
        ("a👩‍👧|", "Left", "a|👩‍👧"),
        ("a|👩‍👧", "C-f", "a👩‍👧|"),
        ("|e\u{301}x", "Right", "e\u{301}|x"),
        ("a\n|b", "Left", "a|\nb"),
        ("one two-three|", "M-b", "one two-|three"),
        ("one two-three|", "C-Left", "one two-|three"),
        ("|one two", "M-f", "one| two"),
        ("|one two", "C-Right", "one| two"),
        ("one two-three |x", "C-w", "one |x"),
        ("one two-three |x", "M-Backspace", "one two-|x"),
        ("one |two-three", "M-d", "one |-three"),
        ("one |two three", "C-Delete", "one | three"),
        ("one|", "M-d", "one|"),
        ("ae\u{301}|x", "Backspace", "a|x"),
        ("👩‍👧|x", "C-h", "|x"),
        ("|", "Backspace", "|"),
        ("a|👩‍👧x", "Delete", "a|x"),
        ("a|🇩🇪🇫🇷", "C-d", "a|🇫🇷"),
        ("a|", "C-d", "a|"),
        ("one |two\nx", "C-k", "one |\nx"),
        ("one|\nx", "C-k", "one|x"),
        ("x\none |two", "C-u", "x\n|two"),
        ("x\n|two", "C-u", "x|two"),
        ("ab|c", "C-t", "acb|"),
        ("one |two", "C-k C-a C-y", "two|one "),
        ("one two| ", "C-w C-w C-y", "one two| "),
        ("a|b\nc", "C-k C-k C-e C-y", "acb\n|"),
        ("one |two", "C-k C-a C-k C-y", "one |"),
        ("|one", "x C-_", "|one"),
        ("|one", "x C-7", "|one"),
        ("one|", "C-w C-_", "one|"),
        ("|one", "C-_", "|one"),
        ("one|", "C-x x", "one|"),
        ("one|", "C-x PageUp x", "onex|"),
        ("ab\nc|d", "Up", "a|b\ncd"),
        ("a|b\ncd", "Down", "ab\nc|d"),
        ("a|", "C-r C-g b", "ab|"),
    ] {
        let mut composer = composer(before);
        press(&mut composer, pressed);
        assert_eq!(marked(&composer), after, "{before:?} {pressed}");
    }
}

/// Keys for the program are given back, with text or only without.
#[test]
fn keys_of_the_program_are_given_back() {
    for (text, pressed, is_unused) in [
        ("a|", "PageUp", true),
        ("a|", "C-z", true),
        ("a|", "Esc", true),
        ("a|", "C-g", true),
        ("|", "C-c", true),
        ("|", "C-d", true),
        ("a|", "C-c", false),
        ("a|", "C-d", false),
        ("a|", "C-x PageUp", false),
        ("|", "C-r PageUp", true),
        ("|", "C-r C-c", false),
    ] {
        let mut composer = composer(text);
        let key = *keys(pressed).last().unwrap();
        let outcome = press(&mut composer, pressed);
        assert_eq!(outcome == ComposerOutcome::Unused(key), is_unused, "{text} {pressed}");
    }
}

/// The release of a key does nothing, a held key repeats.
#[test]
fn releases_do_nothing() {
    let mut composer = composer("ab|");
    let mut key = KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE);
    for (kind, expected) in
        [(KeyEventKind::Release, "ab"), (KeyEventKind::Repeat, "a"), (KeyEventKind::Press, "")]
    {
        key.kind = kind;
        assert_eq!(composer.handle_key(key, &completer()), ComposerOutcome::Changed);
        assert_eq!(composer.text(), expected);
    }
}

/// Enter submits the text without empty lines at its end.
#[test]
fn enter_submits() {
    let submitted = |text: &str| ComposerOutcome::Submit(text.to_owned());
    let mut composer = composer("one|\ntwo\n\n");
    assert_eq!(press(&mut composer, "Enter"), submitted("one\ntwo"));
    assert_eq!(marked(&composer), "|");
    assert_eq!(press(&mut composer, "C-_ Enter"), submitted(""));
    assert_eq!(composer.history.lines().collect::<Vec<_>>(), ["one\ntwo"]);
}

/// A message that is too long is not submitted, and one is told by how much.
#[test]
fn too_long_message_stays() {
    let mut composer = composer("12345é\n|");
    assert_eq!(composer.bytes_over(), 0);
    composer.set_max_bytes(4);
    assert_eq!(composer.bytes_over(), 3);
    assert_eq!(press(&mut composer, "Enter"), ComposerOutcome::Changed);
    assert_eq!(composer.text(), "12345é\n");
    composer.set_text("/me 1234");
    assert_eq!(composer.bytes_over(), 0);
    composer.set_text("/msg bob 12345");
    assert!(matches!(press(&mut composer, "Enter"), ComposerOutcome::Submit(_)));
}

/// Keeps lines in the history of a composer, the oldest first.
fn remember(composer: &mut Composer, lines: impl IntoIterator<Item = String>) {
    lines.into_iter().for_each(|it| composer.remember(&it));
}

/// Up and Down go through the history at the first and the last row, and back to what was typed.
#[test]
fn history_is_browsed() {
    let mut composer = Composer::default();
    remember(&mut composer, ["first", "a\nb"].map(str::to_owned));
    for (pressed, expected) in [
        ("typed Left", "type|d"),
        ("Up", "a\nb|"),
        ("Up", "a|\nb"),
        ("Up", "first|"),
        ("Up", "first|"),
        ("! Down", "a\nb|"),
        ("Down", "type|d"),
        ("Down", "type|d"),
        ("Up Up Up", "first!|"),
    ] {
        press(&mut composer, pressed);
        assert_eq!(marked(&composer), expected, "{pressed}");
    }
    assert_eq!(press(&mut composer, "Enter"), ComposerOutcome::Submit("first!".to_owned()));
    // What was typed before is not lost.
    let kept = ["first", "a\nb", "typed", "first!"];
    assert_eq!(composer.history.lines().collect::<Vec<_>>(), kept);
}

/// Rows are those of the screen, so Up moves within a long line first.
#[test]
fn up_moves_by_rows_of_the_screen() {
    let mut composer = composer("hello world|");
    remember(&mut composer, ["old".to_owned()]);
    drawn(&mut composer, 8, 2);
    press(&mut composer, "Up");
    assert_eq!(marked(&composer), "hello| world");
    press(&mut composer, "Up");
    assert_eq!(marked(&composer), "old|");
}

/// Ctrl-C empties the input line; the history and Ctrl-_ bring the text back.
#[test]
fn discarded_text_is_kept() {
    for (back, text) in [("Up", "on|e"), ("C-_", "on|e"), ("C-_", " o|")] {
        let mut composer = composer(text);
        assert_eq!(press(&mut composer, "C-c"), ComposerOutcome::Changed);
        assert_eq!(marked(&composer), "|");
        press(&mut composer, back);
        assert_eq!(composer.text(), text.replace('|', ""));
    }
}

/// Ctrl-R finds older lines while one types, and what ends it decides what happens to the line.
#[test]
fn history_is_searched() {
    for (pressed, outcome, text) in [
        ("C-r TWO Enter", Some("one two"), "|"),
        ("C-r two C-r Enter", Some("two"), "|"),
        ("C-r two C-r C-r C-r Enter", Some("two"), "|"),
        ("C-r two Esc", None, "one two|"),
        ("C-r two Left", None, "one tw|o"),
        ("C-r two C-a", None, "|one two"),
        ("C-r two Up", None, "three|"),
        ("C-r two C-g", None, "type|d"),
        ("C-r two C-c", None, "type|d"),
        ("C-r twx Esc", None, "type|d"),
        ("C-r twx Backspace Esc", None, "one two|"),
        ("C-r two Esc Down Down", None, "type|d"),
        ("C-r nothing Enter C-g", None, "type|d"),
        ("C-r Enter C-g", None, "type|d"),
    ] {
        let mut composer = composer("type|d");
        remember(&mut composer, ["two", "three", "one two", "x"].map(str::to_owned));
        let expected = match outcome {
            Some(text) => ComposerOutcome::Submit(text.to_owned()),
            None => ComposerOutcome::Changed,
        };
        assert_eq!(press(&mut composer, pressed), expected, "{pressed}");
        assert_eq!(marked(&composer), text, "{pressed}");
    }
}

/// A search shows its prompt, what is searched for, and the line that was found.
#[test]
fn search_is_drawn() {
    let mut composer = composer("typed|");
    remember(&mut composer, ["hello world".to_owned()]);
    press(&mut composer, "C-r wor");
    let (rows, cursor) = drawn(&mut composer, 40, 1);
    assert_eq!(rows, ["(search) 'wor': hello world"]);
    assert_eq!(cursor, Position::new(13, 0));
    assert_eq!(composer.rows(20), 2);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 1));
    composer.draw(buffer.area, &mut buffer);
    let marked = |x| buffer[(x, 0)].modifier;
    assert_eq!(marked(0), ratatui::style::Modifier::DIM);
    assert_eq!(marked(21), ratatui::style::Modifier::empty());
    assert_eq!(marked(22), ratatui::style::Modifier::UNDERLINED);
    press(&mut composer, "x");
    assert_eq!(drawn(&mut composer, 40, 1).0, ["(search: not found) 'worx':"]);
}

/// Tab completes and goes through the candidates, which the window can show.
#[test]
fn tab_completes() {
    for (before, pressed, after, candidates) in [
        ("b|", "Tab", "bob: |", None),
        ("an|", "Tab", "anna: |", Some((2, 0))),
        ("an|", "Tab Tab", "anton: |", Some((2, 1))),
        ("an|", "Tab Tab Tab", "anna: |", Some((2, 0))),
        ("an|", "BackTab", "anton: |", Some((2, 1))),
        ("an|", "Tab BackTab", "anton: |", Some((2, 1))),
        ("an|", "Tab Esc", "an|", None),
        ("an|", "Tab x", "anna: x|", None),
        ("an|", "Tab C-_", "an|", None),
        ("hi an| you", "Tab", "hi anna| you", Some((2, 0))),
        ("/jo|", "Tab", "/join |", None),
        ("x|", "Tab", "x|", None),
    ] {
        let mut composer = composer(before);
        press(&mut composer, pressed);
        assert_eq!(marked(&composer), after, "{before} {pressed}");
        let found = composer.candidates().map(|(all, chosen)| (all.len(), chosen));
        assert_eq!(found, candidates, "{before} {pressed}");
    }
}

/// A short text is pasted at once, a long one after a question; neither is submitted.
#[test]
fn long_pasted_text_is_asked_for() {
    let mut composer = composer("<|>");
    assert_eq!(composer.paste("1\r\n2\n3\n4\n5\n"), ComposerOutcome::Changed);
    assert_eq!(marked(&composer), "<1\n2\n3\n4\n5\n|>");
    let ask = ComposerOutcome::AskPaste { lines: 6, is_cut: false };
    for (is_wanted, expected) in [(false, "<|>"), (true, "<1\n2\n3\n4\n5\n6|>")] {
        press(&mut composer, "C-_");
        assert_eq!(composer.paste("1\n2\n3\n4\n5\n6"), ask);
        composer.confirm_paste(is_wanted);
        assert_eq!(marked(&composer), expected);
        composer.confirm_paste(true);
        assert_eq!(marked(&composer), expected);
    }
}

/// A text that does not fit is not cut without a question.
#[test]
fn cut_of_pasted_text_is_told() {
    let mut composer = composer("é|");
    let ask = ComposerOutcome::AskPaste { lines: 1, is_cut: true };
    assert_eq!(composer.paste(&"x".repeat(MAX_TEXT_BYTES - 1)), ask);
    composer.confirm_paste(true);
    assert_eq!(composer.text().len(), MAX_TEXT_BYTES);
    press(&mut composer, "y");
    composer.insert("y");
    assert_eq!(composer.text().len(), MAX_TEXT_BYTES);
}

/// A password is not shown, not kept, and not mixed up with the text.
#[test]
fn password_is_separate() {
    let mut composer = composer("dra|ft");
    remember(&mut composer, ["old".to_owned()]);
    composer.set_masked(true);
    for pressed in ["Up", "Tab", "C-r", "C-j", "C-x C-e", "M-Enter"] {
        assert_eq!(press(&mut composer, pressed), ComposerOutcome::Changed, "{pressed}");
        assert_eq!(composer.text(), "", "{pressed}");
    }
    assert_eq!(composer.paste("se\u{301}cret\nline\n1\n2\n3\n4\n5"), ComposerOutcome::Changed);
    let (rows, cursor) = drawn(&mut composer, 10, 1);
    assert_eq!((rows, cursor), (vec!["••••••".to_owned()], Position::new(6, 0)));
    press(&mut composer, "C-w");
    assert_eq!(composer.text(), "");
    press(&mut composer, "C-y");
    assert_eq!(composer.text(), "");
    composer.set_text("pass");
    assert_eq!(press(&mut composer, "! Enter"), ComposerOutcome::Submit("pass!".to_owned()));
    assert_eq!(press(&mut composer, "C-_ Enter"), ComposerOutcome::Submit(String::new()));
    press(&mut composer, "again C-c");
    assert!(composer.is_empty());
    press(&mut composer, "again");
    composer.set_masked(false);
    assert_eq!(marked(&composer), "dra|ft");
    assert_eq!(composer.history.lines().collect::<Vec<_>>(), ["old"]);
}

/// Text that was deleted elsewhere is inserted into a password as one line.
#[test]
fn password_has_one_line() {
    let mut composer = composer("|a\nb");
    press(&mut composer, "C-k C-k C-k");
    composer.set_masked(true);
    press(&mut composer, "C-y");
    assert_eq!(composer.text(), "a");
}

/// A draft keeps its cursor, its undo steps, and what was typed before the history was browsed.
#[test]
fn draft_is_restored() {
    let mut composer = composer("dra|ft");
    remember(&mut composer, ["old".to_owned()]);
    press(&mut composer, "x Up");
    let draft = composer.take_draft();
    assert_eq!((marked(&composer), draft.text()), ("|".to_owned(), "old"));
    press(&mut composer, "other Enter C-r o");
    composer.restore_draft(draft);
    assert_eq!(marked(&composer), "old|");
    press(&mut composer, "Down");
    assert_eq!(composer.text(), "other");
    press(&mut composer, "Down");
    assert_eq!(marked(&composer), "drax|ft");
    press(&mut composer, "C-_");
    assert_eq!(marked(&composer), "dra|ft");
    assert!(composer.take_draft().browse.finish().is_none());
    assert!(composer.take_draft().is_empty());
}

/// Ctrl-X Ctrl-E gives the text to an editor, whose text can be undone.
#[test]
fn editor_gets_the_text() {
    let mut composer = composer("o|ne");
    let outcome = press(&mut composer, "C-x C-e");
    assert_eq!(outcome, ComposerOutcome::OpenEditor("one".to_owned()));
    composer.set_text("two\tlines\r\n");
    assert_eq!(marked(&composer), "two    lines\n|");
    press(&mut composer, "C-_");
    assert_eq!(marked(&composer), "o|ne");
}

/// Returns random keys, those of the input line more often than others.
fn any_key() -> impl Strategy<Value = KeyEvent> {
    let codes = prop_oneof![
        4 => any::<char>().prop_map(KeyCode::Char),
        8 => prop::sample::select("ab /@:f#漢👩\u{200d}👧🇩🇪\u{301}\nक्ष\u{ad}".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
        8 => prop::char::range('a', 'z').prop_map(KeyCode::Char),
        8 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Tab, KeyCode::BackTab, KeyCode::Esc, KeyCode::Backspace,
            KeyCode::Delete, KeyCode::Left, KeyCode::Right, KeyCode::Up, KeyCode::Down,
            KeyCode::Home, KeyCode::End, KeyCode::PageUp, KeyCode::F(1), KeyCode::Null,
        ]),
    ];
    let held = prop_oneof![
        3 => Just(KeyModifiers::NONE),
        3 => Just(KeyModifiers::CONTROL),
        1 => Just(KeyModifiers::ALT),
        1 => any::<u8>().prop_map(KeyModifiers::from_bits_truncate),
    ];
    (codes, held).prop_map(|(code, held)| KeyEvent::new(code, held))
}

/// Returns random text with characters of all widths.
fn any_text() -> impl Strategy<Value = String> {
    let wild = any::<String>();
    prop_oneof![3 => "(([a-z é\n漢]|👩‍👧|🇩🇪|क्षि|e\u{301}|\u{301}|ﾞ){0,9} ?){0,9}", 1 => wild]
}

proptest! {
    /// Random keys, pasted texts and areas never panic, keep the text within its limits, and keep
    /// the cursor in the area.
    #[test]
    fn random_keys_are_survived(
        steps in prop::collection::vec((any_key(), prop::option::weighted(0.05, any_text())), 0..80),
        (x, y, width, height) in (0_u16..4, 0_u16..4, 2_u16..30, 1_u16..5),
    ) {
        let mut composer = Composer::default();
        remember(&mut composer, ["old", "a\nb", "/join x"].map(str::to_owned));
        for (key, pasted) in steps {
            composer.handle_key(key, &completer());
            if let Some(text) = pasted {
                composer.paste(&text);
                composer.confirm_paste(true);
            }
            let area = Rect::new(x, y, width, height);
            let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 9));
            let cursor = composer.draw(area, &mut buffer);
            prop_assert!(area.contains(cursor));
            for position in buffer.area.positions().filter(|it| !area.contains(*it)) {
                prop_assert_eq!(buffer[position].symbol(), " ");
            }
            let text = composer.text();
            let at = composer.editor().cursor();
            prop_assert_eq!(clusters::boundary_from(&text, at), at);
            prop_assert_eq!(clean(&text, MAX_TEXT_BYTES).text, text);
        }
    }

    /// All of the text is drawn if the area is as high as it wants to be, and the cursor is in it.
    #[test]
    fn whole_text_is_drawn(text in any_text(), width in 2_u16..30, at in any::<prop::sample::Index>()) {
        let mut composer = Composer::default();
        composer.set_text(&text);
        let text = composer.text();
        composer.draft.editor.move_to(at.index(text.len() + 1));
        let height = composer.rows(width);
        let (rows, cursor) = drawn(&mut composer, width, height);
        prop_assert!(cursor.x < width && usize::from(cursor.y) < rows.len());
        let shown = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace() && *c != '◌').collect()
        };
        // Characters that are never visible are shown as a circle.
        let is_invisible = |c: char| !c.is_whitespace() && draw::symbol(c.encode_utf8(&mut [0; 4])) == "◌";
        let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        let drawn: String = rows.concat().chars().filter(|c| !is_invisible(*c)).collect();
        prop_assert_eq!(shown(&drawn), shown(&visible));
    }

    /// A draft is restored as it was, whatever is done meanwhile.
    #[test]
    fn drafts_are_preserved(
        before in prop::collection::vec(any_key(), 0..40),
        between in prop::collection::vec(any_key(), 0..40),
    ) {
        let mut composer = Composer::default();
        for key in before {
            composer.handle_key(key, &completer());
        }
        let expected = marked(&composer);
        let draft = composer.take_draft();
        prop_assert!(composer.is_empty());
        for key in between {
            composer.handle_key(key, &completer());
        }
        composer.restore_draft(draft);
        prop_assert_eq!(marked(&composer), expected);
    }

    /// A text that was typed is submitted as it is, except for empty lines at its end.
    #[test]
    fn typed_text_is_submitted(text in "[a-z é漢\u{301}👩👧\u{200d}]{0,60}") {
        let mut composer = Composer::default();
        for c in text.chars() {
            composer.handle_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &completer());
        }
        let outcome = press(&mut composer, "Enter");
        prop_assert_eq!(outcome, ComposerOutcome::Submit(text));
    }

    /// Undoing everything leads back to the text at the beginning.
    #[test]
    fn everything_is_undone(
        text in any_text(),
        keys in prop::collection::vec(any_key(), 0..40),
    ) {
        let mut composer = Composer::default();
        composer.draft.editor = Editor::new(&clean(&text, MAX_TEXT_BYTES).text);
        let begin = composer.text();
        // Keys that do not change to another text.
        let is_same_text = |key: &KeyEvent| {
            use Action::{Discard, Down, Search, Submit, Up};
            !matches!(action(key), Some(Submit | Discard | Up | Down | Search))
        };
        for key in keys.into_iter().filter(is_same_text) {
            composer.handle_key(key, &completer());
        }
        press(&mut composer, "Left");
        for _ in 0..41 {
            press(&mut composer, "C-_");
        }
        prop_assert_eq!(composer.text(), begin);
    }
}
