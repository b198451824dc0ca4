//! Catalogue of a language: its texts, by their ids.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Language;

/// Argument of a text: a string, or a number.
pub type Argument<'a> = FluentValue<'a>;

/// Texts of a language.
pub(super) struct Catalogue(FluentBundle<FluentResource>);

/// Declares the files of the catalogues.
macro_rules! files {
    ($language:literal) => {
        &[
            include_str!(concat!("locales/", $language, "/shared.ftl")),
            include_str!(concat!("locales/", $language, "/chat.ftl")),
            include_str!(concat!("locales/", $language, "/commands.ftl")),
            include_str!(concat!("locales/", $language, "/programs.ftl")),
            include_str!(concat!("locales/", $language, "/screen.ftl")),
        ]
    };
}

/// Returns the catalogue of a language, which is read when it is needed first.
pub(super) fn of(language: Language) -> &'static Catalogue {
    static ENGLISH: OnceLock<Catalogue> = OnceLock::new();
    static GERMAN: OnceLock<Catalogue> = OnceLock::new();
    match language {
        Language::English => ENGLISH.get_or_init(|| Catalogue::read(language, files!("en"))),
        Language::German => GERMAN.get_or_init(|| Catalogue::read(language, files!("de"))),
    }
}

impl Catalogue {
    /// Reads the files of a catalogue. What cannot be read is missing: a test finds it.
    fn read(language: Language, files: &[&str]) -> Self {
        let identifier: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
        // A terminal would show the characters that keep the directions of arguments apart.
        bundle.set_use_isolating(false);
        for file in files {
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(it, _)| it);
            // An id that is there twice has its first text.
            let _ = bundle.add_resource(resource);
        }
        Self(bundle)
    }

    /// Returns a text with its arguments; `None` if there is none with this id.
    pub(super) fn find(
        &self,
        id: &str,
        arguments: &[(&'static str, Argument<'_>)],
    ) -> Option<String> {
        let pattern = self.0.get_message(id)?.value()?;
        let arguments: FluentArgs<'_> = arguments.iter().cloned().collect();
        // An argument that is missing is shown as its name.
        let mut errors = Vec::new();
        Some(self.0.format_pattern(pattern, Some(&arguments), &mut errors).into_owned())
    }
}
