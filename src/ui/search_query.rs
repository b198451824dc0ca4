//! Parsing of the query typed after `/search`: words, phrases, and filters such as `from:anna`. As in
//! the browser, the filters have their German names in every language, too.

use super::local_time::LocalTimeZone;
use crate::model::{SearchRequest, Timestamp, strip_room_prefix};
use crate::text;

/// Maximum number of messages in one page of search results.
const RESULTS_PER_PAGE: u16 = 20;

/// Filter of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// Username of the author.
    From,
    /// Room.
    In,
    /// Time before which the messages are.
    Before,
    /// Time from which on the messages are.
    After,
}

impl Filter {
    /// Returns the filter of this name; `None` if there is none.
    fn of_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "from" | "von" => Some(Self::From),
            "in" => Some(Self::In),
            "before" | "vor" => Some(Self::Before),
            "after" | "nach" => Some(Self::After),
            _ => None,
        }
    }

    /// Returns what stands behind the filter, as texts call it.
    const fn value_kind(self) -> &'static str {
        match self {
            Self::From => "name",
            Self::In => "room",
            Self::Before | Self::After => "date",
        }
    }
}

/// Parses a typed query as a search for its first page. Terms other than filters become the text of
/// the search. `time`: time zone of the dates. `now`: current time, for `today` and `yesterday`.
///
/// # Errors
/// A filter is unknown, has no value, occurs twice, or has an invalid date. The error text is for
/// the user.
pub(super) fn parse_search(
    typed: &str,
    time: &LocalTimeZone,
    now: Timestamp,
) -> Result<SearchRequest, String> {
    let mut search = SearchRequest { limit: RESULTS_PER_PAGE, ..SearchRequest::default() };
    let mut words = Vec::new();
    for piece in split_terms(typed) {
        let Some((name, value)) = split_filter(piece) else {
            words.push(piece);
            continue;
        };
        let Some(filter) = Filter::of_name(name) else {
            return Err(text!("query-filter", filter = name, piece = piece));
        };
        if value.is_empty() {
            return Err(text!("query-blank", filter = name, kind = filter.value_kind()));
        }
        let date = || {
            let date = time.parse_typed(english_date(value), now);
            date.ok_or_else(|| text!("query-date", value = value))
        };
        let is_new = match filter {
            Filter::From => {
                set_filter(&mut search.from, value.strip_prefix('@').unwrap_or(value).to_owned())
            }
            Filter::In => set_filter(&mut search.room, strip_room_prefix(value).to_owned()),
            Filter::Before => set_filter(&mut search.until, date()?),
            Filter::After => set_filter(&mut search.since, date()?),
        };
        if !is_new {
            return Err(text!("query-twice", filter = name));
        }
    }
    search.text = words.join(" ");
    Ok(search)
}

/// Splits a query into terms at whitespace outside double quotes. The quotes stay in the terms.
fn split_terms(typed: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let between = move |c: char| {
        is_quoted ^= c == '"';
        c.is_whitespace() && !is_quoted
    };
    typed.split(between).filter(|it| !it.is_empty())
}

/// Splits a term at its first colon into filter name and value. Removes quotes around the value.
/// Returns `None` if the term is text.
///
/// - A known filter name always makes the term a filter.
/// - Another name of letters makes it a misspelt filter. But the term is text if the value is empty
///   or begins with `//`, as in a URL.
/// - Any other term is text.
fn split_filter(piece: &str) -> Option<(&str, &str)> {
    let (filter, value) = piece.split_once(':')?;
    let is_word = !filter.is_empty() && filter.chars().all(char::is_alphabetic);
    let is_known = Filter::of_name(filter).is_some();
    let is_text = value.is_empty() || value.starts_with("//");
    (is_word && (is_known || !is_text)).then(|| (filter, value.trim_matches('"')))
}

/// Sets the value of a filter. Returns true if the filter had no value before.
fn set_filter<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

/// Returns the English word for a German one that stands for a day; other texts as they are.
fn english_date(typed: &str) -> &str {
    match typed.to_lowercase().as_str() {
        "heute" => "today",
        "gestern" => "yesterday",
        _ => typed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// 2026-11-22T23:03:07 in Berlin (winter time).
    const NOW: Timestamp = Timestamp(1_795_384_987_123);

    /// One hour in milliseconds.
    const HOUR: u64 = 3_600_000;

    /// Start of the local day of [`NOW`] in Berlin, in milliseconds.
    const MIDNIGHT: u64 = 1_795_302_000_000;

    /// Parses a query at [`NOW`] in Berlin.
    fn parsed(typed: &str) -> Result<SearchRequest, String> {
        parse_search(typed, &LocalTimeZone::from_posix("CET-1CEST,M3.5.0,M10.5.0/3"), NOW)
    }

    /// Parses a query without filters. Returns the text of the search.
    fn text(typed: &str) -> String {
        let search = parsed(typed).unwrap();
        assert_eq!(
            search,
            SearchRequest {
                text: search.text.clone(),
                limit: RESULTS_PER_PAGE,
                ..SearchRequest::default()
            }
        );
        search.text
    }

    /// Words and phrases are kept as typed. Filters are extracted.
    #[test]
    fn words_are_kept_and_filters_extracted() {
        assert_eq!(text("  hot   tea* \"with  milk\" "), "hot tea* \"with  milk\"");
        assert_eq!(text("\"from:bob\" \"a in:b"), "\"from:bob\" \"a in:b");
        assert_eq!(
            text("at 12:30 :-) https://example.org/a tea:"),
            "at 12:30 :-) https://example.org/a tea:"
        );
        let search = parsed("tea FROM:@Bob in:#attic \"hot milk\"").unwrap();
        assert_eq!((search.from.as_deref(), search.room.as_deref()), (Some("Bob"), Some("attic")));
        assert_eq!(search.text, "tea \"hot milk\"");
        assert_eq!(parsed("in:attic x").unwrap().room.as_deref(), Some("attic"));
        assert_eq!(parsed("from:\"bob\"").unwrap().from.as_deref(), Some("bob"));
    }

    /// Dates are days of the local time zone.
    #[test]
    fn dates_are_local_days() {
        let bounds = |typed| {
            let search = parsed(typed).unwrap();
            (search.since.map(|it| it.0), search.until.map(|it| it.0))
        };
        let day = 24 * HOUR;
        assert_eq!(bounds("after:2026-11-22"), (Some(MIDNIGHT), None));
        assert_eq!(bounds("before:today after:yesterday"), (Some(MIDNIGHT - day), Some(MIDNIGHT)));
        let half_past_two = MIDNIGHT + 14 * HOUR + HOUR / 2;
        assert_eq!(bounds("before:2026-11-22T14:30"), (None, Some(half_past_two)));
        // In summer, Berlin is one more hour ahead of UTC.
        let summer = MIDNIGHT - 145 * day - HOUR;
        assert_eq!(bounds("after:2026-06-30"), (Some(summer), None));
    }

    /// Filters and days have German names, too, in every language.
    #[test]
    fn filters_have_german_names() {
        for (german, english) in [
            ("Tee von:@Bob in:#keller", "Tee from:@Bob in:#keller"),
            ("VOR:heute nach:Gestern x", "before:today after:yesterday x"),
        ] {
            assert_eq!(parsed(german).unwrap(), parsed(english).unwrap(), "{german}");
        }
        with_language(Language::German, || {
            for (typed, expected) in [
                ("vno:bob", "Nach vno: kannst du nicht suchen, aber mit von:NAME"),
                ("von: bob", "Schreib von:NAME ohne Leerzeichen."),
                ("in: keller", "Schreib in:RAUM ohne Leerzeichen."),
                ("nach:montag", "montag ist kein Datum."),
                ("von:bob from:bob", "from: darf in einer Suche nur einmal stehen."),
            ] {
                let told = parsed(typed).unwrap_err();
                assert!(told.starts_with(expected), "{typed}: {told}");
            }
        });
    }

    /// Invalid filters are errors, with a text that explains the syntax.
    #[test]
    fn invalid_filters_are_errors() {
        for (typed, part) in [
            ("after:monday", "monday is not a date. Write 2026-11-03"),
            ("after:2026-13-01", "is not a date"),
            ("after:2026-11-03T14:30Z", "is not a date"),
            ("after:1815-06-18", "is not a date"),
            ("before:2026-11-22x", "is not a date"),
            ("frm:bob", "from:NAME, in:ROOM, before:DATE and after:DATE"),
            ("frm:bob", "\"frm:bob\""),
            ("from: bob", "Write from:NAME without a space."),
            ("Before: today", "Write Before:DATE without a space."),
            ("from:bob From:anna", "From: only once"),
        ] {
            let error_text = parsed(typed).unwrap_err();
            assert!(error_text.contains(part), "{typed}: {error_text}");
        }
    }
}
