//! Languages of the texts, and the choice of one.

/// Language that there are texts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, which every other catalogue is compared with.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// All languages, English first. A test compares them with the folders of the catalogues.
    pub const ALL: &[Self] = &[Self::English, Self::German];

    /// Returns the first of the languages that a user reads that there are texts in; English if
    /// there is none. `wanted`: language tags, as `de-AT`, or the names of locales, as `de_AT.UTF-8`;
    /// `C` and `POSIX` stand for English.
    pub fn choose<T: AsRef<str>>(wanted: impl IntoIterator<Item = T>) -> Self {
        wanted.into_iter().find_map(|it| Self::of_tag(it.as_ref())).unwrap_or_default()
    }

    /// Returns the language of a tag; `None` if there are no texts in it.
    fn of_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_', '.', '@']).next()?;
        match language.to_ascii_lowercase().as_str() {
            "en" | "c" | "posix" => Some(Self::English),
            "de" => Some(Self::German),
            _ => None,
        }
    }

    /// Returns the tag of the language.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first language that there are texts in is taken, whatever its region.
    #[test]
    fn first_language_with_texts_is_chosen() {
        for (wanted, chosen) in [
            (&["de-AT"][..], Language::German),
            (&["de_CH.UTF-8"], Language::German),
            (&["fr", "DE", "en"], Language::German),
            (&["en-GB", "de"], Language::English),
            (&["C", "de"], Language::English),
            (&["C.UTF-8"], Language::English),
            (&["den", "fr-FR", ""], Language::English),
            (&[], Language::English),
        ] {
            assert_eq!(Language::choose(wanted), chosen, "{wanted:?}");
        }
    }
}
