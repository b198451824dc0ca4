//! Texts that people read, in the language that they have set: from the catalogues in `locales/`,
//! which are in Fluent's format.
//!
//! `locales/LANGUAGE/shared.ftl` has what the programs and the page in a browser both say; the other
//! files have what only the programs say, a file for each part of them. `tests/texts.rs` compares
//! the catalogues with one another and with the texts that the code asks for.

mod catalogue;
mod language;

use std::sync::OnceLock;

pub use self::catalogue::Argument;
pub use self::language::Language;

/// The user's language; English until it is set.
static LANGUAGE: OnceLock<Language> = OnceLock::new();

/// Sets the language of all texts, for as long as the program runs. Call it once, before the first
/// text: later calls change nothing.
pub fn set_language(language: Language) {
    // It is set already.
    let _ = LANGUAGE.set(language);
}

/// Returns the language of all texts.
#[must_use]
pub fn language() -> Language {
    #[cfg(test)]
    if let Some(language) = tests::language_of_test() {
        return language;
    }
    LANGUAGE.get().copied().unwrap_or_default()
}

/// Returns a text in the user's language; `None` if there is none with this id. What arguments
/// contain stands in it as it is, so texts of strangers must be made safe first. Call it where an id
/// is put together; otherwise use [`text!`](crate::text).
#[must_use]
pub fn find<const N: usize>(
    id: &str,
    arguments: [(&'static str, Argument<'_>); N],
) -> Option<String> {
    catalogue::of(language()).find(id, &arguments.into_iter().collect())
}

/// Returns a text in the user's language. One that is missing is its id: a test finds it.
#[must_use]
pub fn format<const N: usize>(id: &str, arguments: [(&'static str, Argument<'_>); N]) -> String {
    find(id, arguments).unwrap_or_else(|| id.to_owned())
}

/// Returns a text in the user's language as a `String`: `text!("people", count = 3)`. Arguments are
/// strings or numbers, and stand in the text as they are: make what strangers have written safe
/// first. The id is a literal, so that a test can look it up in the catalogues.
#[macro_export]
macro_rules! text {
    ($id:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::l10n::format(
            $id,
            [$((stringify!($name), $crate::l10n::Argument::from($value))),*],
        )
    };
}

#[cfg(test)]
pub(crate) mod tests {
    //! Tests, and texts of another language in tests of other modules.

    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Language of the test that runs in this thread.
        static LANGUAGE_OF_TEST: Cell<Option<Language>> = const { Cell::new(None) };
    }

    /// Returns the language of the test that runs in this thread, if it has set one.
    pub(super) fn language_of_test() -> Option<Language> {
        LANGUAGE_OF_TEST.get()
    }

    /// Runs a test with all texts of this thread in a language.
    pub(crate) fn with_language<T>(language: Language, test: impl FnOnce() -> T) -> T {
        let before = LANGUAGE_OF_TEST.replace(Some(language));
        let result = test();
        LANGUAGE_OF_TEST.set(before);
        result
    }

    /// Texts are in the language that is set, with their arguments and plurals.
    #[test]
    fn texts_are_in_the_language_that_is_set() {
        let text = || text!("duration", count = 10, unit = "seconds");
        assert_eq!(text(), "10 seconds");
        let german = with_language(Language::German, text);
        assert_eq!(german, "10 Sekunden");
        let name = String::from("anna");
        assert_eq!(text!("invite-for-name", name = &name), "This invitation is for the name anna.");
        assert_eq!(find("no-such-text", []), None);
        assert_eq!(format("no-such-text", []), "no-such-text");
    }
}
