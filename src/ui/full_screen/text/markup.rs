//! Light styles of a message: `*bold*`, `_italic_`, `` `code` `` and links.

use std::ops::Range;
use std::sync::Arc;

use ratatui::style::{Modifier, Style};

use super::link::find_link;
use super::{Piece, Theme};

/// Marker around code.
const CODE: char = '`';

/// Markers of styles, and what they mean.
const MARKERS: [(char, Modifier); 2] = [('*', Modifier::BOLD), ('_', Modifier::ITALIC)];

/// Splits the text of a message into pieces of different styles. Together they have the same text:
/// the markers stay visible, in the style of what they enclose.
///
/// - `*bold*`, `_italic_` and `` `code` `` are styled within a line, if the markers stand at the edges
///   of words: so `2*3*4` and `snake_case_name` are plain. Bold and italic may be nested.
/// - Addresses that begin with `http://`, `https://`, `chat://` or `chats://` become links, with the
///   address as it is shown. Punctuation after an address, and a bracket that was not opened in it,
///   are not part of it.
/// - Nothing is styled within a link, and neither styles nor links are looked for within code.
///
/// `base` is the style of everything else; the styles come on top of it. The text must be
/// [`visible`](super::visible).
#[must_use]
pub fn styled(text: &str, base: Style, theme: &Theme) -> Vec<Piece> {
    let mut pieces = Pieces { base, theme, made: Vec::new() };
    for line in text.split_inclusive('\n') {
        pieces.add_line(line);
    }
    pieces.made
}

/// What a part of a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Text that may have markers.
    Text,
    /// Code, with its markers.
    Code,
    /// Link.
    Link,
}

/// Place in a line at which a style begins or ends.
struct Toggle {
    /// Index of the byte.
    at: usize,
    /// The style.
    modifier: Modifier,
    /// True if it begins.
    is_on: bool,
}

/// Pieces that are being made.
struct Pieces<'a> {
    /// Style of text without markers.
    base: Style,
    /// Styles of links and code.
    theme: &'a Theme,
    /// Pieces so far.
    made: Vec<Piece>,
}

impl Pieces<'_> {
    /// Appends the pieces of a line.
    fn add_line(&mut self, line: &str) {
        let parts = parts(line);
        let mut toggles = toggles(line, &parts).into_iter().peekable();
        let mut modifiers = Modifier::empty();
        for (kind, range) in parts {
            let mut at = range.start;
            while let Some(toggle) = toggles.next_if(|it| it.at < range.end) {
                self.push(line.get(at..toggle.at), kind, modifiers);
                at = toggle.at;
                modifiers.set(toggle.modifier, toggle.is_on);
            }
            self.push(line.get(at..range.end), kind, modifiers);
        }
    }

    /// Appends a text to the last piece if it looks the same, else as a new piece.
    fn push(&mut self, text: Option<&str>, kind: Kind, modifiers: Modifier) {
        let text = text.unwrap_or_default();
        let (style, link) = match kind {
            Kind::Text => (self.base, None),
            Kind::Code => (self.base.patch(self.theme.code), None),
            Kind::Link => (self.base.patch(self.theme.link), Some(Arc::from(text))),
        };
        let style = style.add_modifier(modifiers);
        match self.made.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.style == style && last.link.is_none() && link.is_none() => {
                last.text.push_str(text);
            }
            _ => self.made.push(Piece { text: text.to_owned(), style, link }),
        }
    }
}

/// Splits a line into links, code and other text, without gaps.
fn parts(line: &str) -> Vec<(Kind, Range<usize>)> {
    let mut parts = Vec::new();
    let mut at = 0;
    let mut link = find_link(line, 0);
    let mut code = find_code(line, 0);
    loop {
        // The other one may begin within the part that was taken.
        if link.as_ref().is_some_and(|it| it.start < at) {
            link = find_link(line, at);
        }
        if code.as_ref().is_some_and(|it| it.start < at) {
            code = find_code(line, at);
        }
        let next = [(Kind::Link, &link), (Kind::Code, &code)]
            .into_iter()
            .filter_map(|(kind, found)| Some((kind, found.clone()?)))
            .min_by_key(|(_, range)| range.start);
        let Some((kind, range)) = next else {
            parts.push((Kind::Text, at..line.len()));
            return parts;
        };
        parts.push((Kind::Text, at..range.start));
        at = range.end;
        parts.push((kind, range));
    }
}

/// Returns where the first code at or after `from` is, with its markers. Takes time for the line up
/// to its end.
fn find_code(line: &str, from: usize) -> Option<Range<usize>> {
    let mut marks = line.get(from..)?.match_indices(CODE).map(|(at, _)| from + at).peekable();
    while let Some(start) = marks.next() {
        // Code has no marker within, so only the next one can end it.
        if may_open(line, start, CODE)
            && let Some(end) = marks.next_if(|end| may_close(line, *end, CODE))
        {
            return Some(start..end + CODE.len_utf8());
        }
    }
    None
}

/// Returns where bold and italic begin and end in a line, in order.
fn toggles(line: &str, parts: &[(Kind, Range<usize>)]) -> Vec<Toggle> {
    let mut toggles = Vec::new();
    // For each marker, where it was last seen to open.
    let mut opened = MARKERS.map(|_| None::<usize>);
    let texts = parts.iter().filter(|(kind, _)| *kind == Kind::Text);
    for (at, c) in texts.flat_map(|(_, range)| chars(line, range.clone())) {
        let Some(number) = MARKERS.iter().position(|(marker, _)| *marker == c) else { continue };
        let (Some(open), Some((_, modifier))) = (opened.get(number).copied(), MARKERS.get(number))
        else {
            continue;
        };
        if let Some(start) = open.filter(|_| may_close(line, at, c)) {
            toggles.push(Toggle { at: start, modifier: *modifier, is_on: true });
            toggles.push(Toggle { at: at + c.len_utf8(), modifier: *modifier, is_on: false });
            // Styles do not overlap: what was opened in between is not closed any more.
            for other in &mut opened {
                *other = other.filter(|it| *it < start);
            }
        } else if may_open(line, at, c)
            && let Some(open) = opened.get_mut(number)
        {
            *open = Some(at);
        }
    }
    toggles.sort_by_key(|it| it.at);
    toggles
}

/// Returns the characters of a part of a line, with their places in the line.
fn chars(line: &str, range: Range<usize>) -> impl Iterator<Item = (usize, char)> {
    line.get(range.clone())
        .unwrap_or_default()
        .char_indices()
        .map(move |(at, c)| (range.start + at, c))
}

/// Returns true if a marker may begin a style: it stands before a word, at the beginning of the line
/// or after a space or an opening sign.
fn may_open(line: &str, at: usize, marker: char) -> bool {
    let mut before = line.get(..at).unwrap_or_default().chars().rev();
    let after = line.get(at + marker.len_utf8()..).unwrap_or_default().chars().next();
    let is_edge = |c: Option<char>| {
        c.is_none_or(|c| c.is_whitespace() || "([{<\"'“‘„‚«‹—–¿¡（「『【《".contains(c))
    };
    after.is_some_and(|c| !c.is_whitespace() && c != marker)
        && is_edge_past_marker(&mut before, marker, is_edge)
}

/// Returns true if a marker may end a style: it stands after a word, at the end of the line or before
/// a space or a closing sign.
fn may_close(line: &str, at: usize, marker: char) -> bool {
    let before = line.get(..at).unwrap_or_default().chars().next_back();
    let mut after = line.get(at + marker.len_utf8()..).unwrap_or_default().chars();
    let is_edge = |c: Option<char>| {
        c.is_none_or(|c| {
            c.is_whitespace() || ".,;:!?…)]}>\"'”’»›—–-、。，．：；！？）」』】》".contains(c)
        })
    };
    before.is_some_and(|c| !c.is_whitespace() && c != marker)
        && is_edge_past_marker(&mut after, marker, is_edge)
}

/// Returns true if the next character is the edge of a word, or another marker and then such an edge.
/// `None` is an edge: the line ends there.
fn is_edge_past_marker(
    chars: &mut impl Iterator<Item = char>,
    marker: char,
    is_edge: impl Fn(Option<char>) -> bool,
) -> bool {
    let next = chars.next();
    let is_other = |c: char| c != marker && MARKERS.iter().any(|(it, _)| *it == c);
    is_edge(if next.is_some_and(is_other) { chars.next() } else { next })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ui::full_screen::text::ColorScheme;

    /// Shows the styles of a text: `<b>`, `<i>`, `<c>` and `<l>` before a piece and `<>` after it.
    fn shown(text: &str) -> String {
        let theme = Theme::new(ColorScheme::Terminal);
        let mut shown = String::new();
        for piece in styled(text, Style::default(), &theme) {
            let has = |modifier| piece.style.add_modifier.contains(modifier);
            let is_code = piece.style.fg == theme.code.fg;
            assert!(
                piece.link.as_deref().is_none_or(|link| link == piece.text),
                "a link is shown in full"
            );
            let signs = [
                (has(Modifier::BOLD), 'b'),
                (has(Modifier::ITALIC), 'i'),
                (is_code, 'c'),
                (piece.link.is_some(), 'l'),
            ];
            let signs: String = signs.iter().filter(|(is, _)| *is).map(|(_, sign)| *sign).collect();
            shown +=
                &if signs.is_empty() { piece.text } else { format!("<{signs}>{}<>", piece.text) };
        }
        shown
    }

    #[test]
    fn marked_words_are_styled() {
        let cases = [
            ("*bold*", "<b>*bold*<>"),
            ("a *b c* d", "a <b>*b c*<> d"),
            ("_it_, (*b*)!", "<i>_it_<>, (<b>*b*<>)!"),
            ("run `ls -l`.", "run <c>`ls -l`<>."),
            ("*_both_*", "<b>*<><bi>_both_<><b>*<>"),
            ("*a _b_ c*", "<b>*a <><bi>_b_<><b> c*<>"),
            ("*a* *b*", "<b>*a*<> <b>*b*<>"),
            ("*a\u{301}* 日*本*", "<b>*a\u{301}*<> 日*本*"),
            ("„*ja*“ *nein*", "„*ja*“ <b>*nein*<>"),
            ("*שלום*", "<b>*שלום*<>"),
            ("*a `b*` c*", "<b>*a <><bc>`b*`<><b> c*<>"),
            ("_see https://a.b/c_d_", "<i>_see <><il>https://a.b/c_d<><i>_<>"),
            // The nearest marker opens.
            ("*a *b*", "*a <b>*b*<>"),
            // Styles do not overlap.
            ("*a _b* c_", "<b>*a _b*<> c_"),
            ("`a` `b`", "<c>`a`<> <c>`b`<>"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn other_signs_are_plain() {
        let texts = [
            "2*3*4",
            "2 * 3 * 4",
            "snake_case_name",
            "a*b*",
            "*a b",
            "a*",
            "* a *",
            "**",
            "**a**",
            "__init__",
            "*a\nb*",
            "`a\nb`",
            "``a``",
            "``",
            "it`s and that`s",
            "*a *",
            "_a_b",
            "*.rs",
            "*a*\u{301}",
            "*",
            "_*",
            "",
            "\n\n",
        ];
        for text in texts {
            assert_eq!(shown(text), text, "{text:?}");
        }
    }

    #[test]
    fn links_and_code_stay_whole() {
        let cases = [
            ("https://a.b/_c_/*d*/e", "<l>https://a.b/_c_/*d*/e<>"),
            ("https://a.b/(*c*)", "<l>https://a.b/(*c*)<>"),
            ("*a https://a.b/(*) d", "*a <l>https://a.b/(*)<> d"),
            ("(see https://a.b/c).", "(see <l>https://a.b/c<>)."),
            ("`curl https://a.b`", "<c>`curl https://a.b`<>"),
            ("`https://a.b` https://c.d", "<c>`https://a.b`<> <l>https://c.d<>"),
            ("`*a*`", "<c>`*a*`<>"),
            ("https://a.b\nhttps://c.d", "<l>https://a.b<>\n<l>https://c.d<>"),
            (
                "https://a.b,https://c.d https://e.f",
                "<l>https://a.b,https://c.d<> <l>https://e.f<>",
            ),
            ("*https://a.b*", "<b>*<><bl>https://a.b<><b>*<>"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn styles_are_on_top_of_the_base() {
        let theme = Theme::new(ColorScheme::Dark);
        let base = theme.dim.add_modifier(Modifier::CROSSED_OUT);
        let pieces = styled("a *b* `c` http://d", base, &theme);
        let styles: Vec<_> = pieces.iter().map(|piece| piece.style).collect();
        let expected = [
            base,
            base.add_modifier(Modifier::BOLD),
            base,
            base.patch(theme.code),
            base,
            base.patch(theme.link),
        ];
        assert_eq!(styles, expected);
    }

    proptest! {
        /// No character is hidden, and no piece is empty.
        #[test]
        fn pieces_are_the_whole_text(text in "([*_` \n,.()a-c]|https://a|日|\u{301}){0,40}") {
            let pieces = styled(&text, Style::default(), &Theme::new(ColorScheme::Light));
            prop_assert!(pieces.iter().all(|piece| !piece.text.is_empty()));
            prop_assert_eq!(pieces.into_iter().map(|piece| piece.text).collect::<String>(), text);
        }

        /// Any text keeps its characters, too.
        #[test]
        fn any_text_is_kept(text in any::<String>()) {
            let pieces = styled(&text, Style::default(), &Theme::new(ColorScheme::Dark));
            prop_assert_eq!(pieces.into_iter().map(|piece| piece.text).collect::<String>(), text);
        }
    }
}
