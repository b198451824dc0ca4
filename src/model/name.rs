//! Names of people and rooms: `docs/protocol/README.md`, section 2.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use thiserror::Error;
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfkc};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS, MAX_RAW_NAME_BYTES};

/// Why something is no name. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// More than 32 characters or 64 bytes.
    #[error("it is longer than {MAX_NAME_CHARS} characters or {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// A character that is no letter, mark, digit, `-`, `_` or `.`.
    #[error("only visible letters and digits, “-”, “_” and “.” are allowed")]
    Character,
    /// The first character is no letter and no digit.
    #[error("it must begin with a letter or a digit")]
    First,
}

/// What two names are compared by: NFKC, full case folding, NFKC. Never
/// sent, never shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey(Arc<str>);

impl NameKey {
    /// The key of any string, a name or not. (For the `after` of a page of
    /// members: it need not be a name.)
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self(text.to_ascii_lowercase().into());
        }
        let folded = if is_nfkc(text) {
            caseless::default_case_fold_str(text)
        } else {
            caseless::default_case_fold_str(&text.nfkc().collect::<String>())
        };
        Self(folded.nfkc().collect::<String>().into())
    }

    /// What it looks like: two names whose skeletons are equal are hard to
    /// tell apart (Unicode UTS #39).
    #[cfg(any(feature = "server", feature = "peer"))]
    #[must_use]
    pub fn skeleton(&self) -> String {
        unicode_security::skeleton(&self.0).collect()
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A valid name with its key; what usernames and room names have in common.
#[derive(Clone)]
struct Name {
    /// In NFC, as it is shown.
    shown: Arc<str>,
    /// What it is compared by.
    key: NameKey,
}

impl Name {
    /// Applies the rule, in the order in which the page states it.
    fn new(raw: &str) -> Result<Self, NameError> {
        if raw.len() > MAX_RAW_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        let shown: Arc<str> =
            if is_nfc(raw) { raw.into() } else { raw.nfc().collect::<String>().into() };
        let Some(first) = shown.chars().next() else {
            return Err(NameError::Empty);
        };
        if shown.len() > MAX_NAME_BYTES || shown.chars().count() > MAX_NAME_CHARS {
            return Err(NameError::TooLong);
        }
        if !shown.chars().all(is_allowed) {
            return Err(NameError::Character);
        }
        if !is_letter_or_digit(first) {
            return Err(NameError::First);
        }
        let key = NameKey::of(&shown);
        Ok(Self { shown, key })
    }
}

/// Letters and decimal digits: what a name may begin with.
fn is_letter_or_digit(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
        || c.general_category() == GeneralCategory::DecimalNumber
}

/// What a name may hold.
fn is_allowed(c: char) -> bool {
    let is_of_a_name = matches!(c, '-' | '_' | '.')
        || is_letter_or_digit(c)
        || c.general_category_group() == GeneralCategoryGroup::Mark;
    is_of_a_name && !is_invisible(c)
}

/// Letters and marks that nobody can see, so that nobody can be told from
/// somebody else by them.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180D}'
        | '\u{180F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}'
        | '\u{E0100}'..='\u{E01EF}')
}

/// Makes a public name type around [`Name`]: two types, so that a room is
/// never taken for a person.
macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $type(Name);

        impl $type {
            /// Checks `raw` by the rule and normalises it.
            ///
            /// # Errors
            /// Which part of the rule it breaks.
            pub fn new(raw: &str) -> Result<Self, NameError> {
                Name::new(raw).map(Self)
            }

            /// The canonical form: what is sent and shown.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.shown
            }

            /// What it is compared by.
            #[must_use]
            pub fn key(&self) -> &NameKey {
                &self.0.key
            }
        }

        impl PartialEq for $type {
            /// Two names are the same if their keys are.
            fn eq(&self, other: &Self) -> bool {
                self.key() == other.key()
            }
        }

        impl Eq for $type {}

        impl Hash for $type {
            /// By the key, as [`PartialEq`].
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.key().hash(state);
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
    };
}

name_type!(
    /// What somebody is called. Equal if the keys are equal. Cheap to clone.
    Username
);
name_type!(
    /// What a room is called. Equal if the keys are equal. Cheap to clone.
    RoomName
);

impl RoomName {
    /// The room of those who name none.
    #[must_use]
    pub fn lobby() -> Self {
        let shown: Arc<str> = "lobby".into();
        Self(Name { key: NameKey(shown.clone()), shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lobby is made without the rule, so it is checked against it here.
    #[test]
    fn the_lobby_obeys_the_rule() {
        let made = RoomName::lobby();
        let checked = RoomName::new("lobby").unwrap();
        assert_eq!((made.as_str(), made.key()), (checked.as_str(), checked.key()));
    }

    /// Look-alikes are told by their skeletons.
    #[cfg(any(feature = "server", feature = "peer"))]
    #[test]
    fn look_alikes_have_one_skeleton() {
        let latin = Username::new("anna").unwrap();
        let cyrillic = Username::new("\u{430}nna").unwrap();
        assert_ne!(latin, cyrillic);
        assert_eq!(latin.key().skeleton(), cyrillic.key().skeleton());
    }
}
