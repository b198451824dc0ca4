//! Usernames and room names: `docs/protocol/README.md`, section 2.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::fold::fold;
use super::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS, MAX_RAW_NAME_BYTES};

/// Reason why a text is not a valid username or room name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Empty name.
    #[error("it is empty")]
    Empty,
    /// More than 32 characters or 64 bytes, or more than 256 bytes before normalisation.
    #[error("it is longer than {MAX_NAME_CHARS} characters or {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// A character other than a visible letter or mark, a decimal digit, `-`, `_` or `.`.
    #[error("only visible letters and digits, “-”, “_” and “.” are allowed")]
    Character,
    /// The first character is neither a letter nor a decimal digit.
    #[error("it must begin with a letter or a digit")]
    First,
}

/// Comparison key of a name: two names are the same if their keys are equal. The key is the name
/// after NFKC, full case folding and NFKC again. It is not sent or displayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey(Arc<str>);

impl NameKey {
    /// Computes the key of any string, which need not be a valid name.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self(text.to_ascii_lowercase().into());
        }
        Self(fold(text).into())
    }

    /// Returns the confusable skeleton of the key (Unicode UTS #39): names with equal skeletons
    /// look alike.
    #[cfg(any(feature = "server", feature = "peer"))]
    #[must_use]
    pub fn skeleton(&self) -> String {
        unicode_security::skeleton(&self.0).collect()
    }

    /// Returns the key as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for NameKey {
    /// Serialises the key as a string.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

/// Rule for names, as text for users.
#[cfg(feature = "ui")]
pub const NAME_RULE: &str =
    "1 to 32 letters and digits, “-”, “_”, “.”, at most 64 bytes; a letter or digit first";

/// Validated name with its key: the common representation of [`Username`] and [`RoomName`].
#[derive(Clone)]
struct Name {
    /// Canonical spelling: the name in NFC, as it is sent and displayed.
    shown: Arc<str>,
    /// Comparison key.
    key: NameKey,
}

impl Name {
    /// Normalises a name to NFC and validates it.
    ///
    /// # Errors
    /// The first rule that is violated, in the order of the protocol page.
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

/// Removes the `#` signs at the beginning of a room name that a user wrote. Rooms are displayed
/// with a `#`, which is not part of their names.
#[must_use]
pub fn strip_room_prefix(text: &str) -> &str {
    text.trim_start_matches('#')
}

/// Returns true if `c` is a letter or a decimal digit: a name may begin with it.
fn is_letter_or_digit(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
        || c.general_category() == GeneralCategory::DecimalNumber
}

/// Returns true if a name may contain `c`: a visible letter or mark, a decimal digit, `-`, `_`,
/// `.`.
fn is_allowed(c: char) -> bool {
    let is_of_a_name = matches!(c, '-' | '_' | '.')
        || is_letter_or_digit(c)
        || c.general_category_group() == GeneralCategoryGroup::Mark;
    is_of_a_name && !is_invisible(c)
}

/// Returns true if `c` is one of the invisible letters and marks that the protocol page lists. A
/// name may not contain them, because different names would look the same.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180D}'
        | '\u{180F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}'
        | '\u{E0100}'..='\u{E01EF}')
}

/// Defines a public name type around [`Name`]. Usernames and room names have distinct types, so
/// that they cannot be mixed up.
macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $type(Name);

        impl $type {
            /// Normalises a name to NFC and validates it.
            ///
            /// # Errors
            /// The first rule that is violated, in the order of the protocol page.
            pub fn new(raw: &str) -> Result<Self, NameError> {
                Name::new(raw).map(Self)
            }

            /// Returns the canonical spelling, which is sent and displayed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.shown
            }

            /// Returns the comparison key.
            #[must_use]
            pub fn key(&self) -> &NameKey {
                &self.0.key
            }
        }

        impl PartialEq for $type {
            /// Compares the keys.
            fn eq(&self, other: &Self) -> bool {
                self.key() == other.key()
            }
        }

        impl Eq for $type {}

        impl Hash for $type {
            /// Hashes the key, consistently with [`PartialEq`].
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.key().hash(state);
            }
        }

        impl Serialize for $type {
            /// Serialises the canonical spelling.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.as_str().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            /// Deserialises and validates a stored name. Not for frames and datagrams: an invalid
            /// name in them has an answer of its own.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
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
    /// Validated username. Names with equal keys are equal. Cheap to clone.
    Username
);
name_type!(
    /// Validated room name. Names with equal keys are equal. Cheap to clone.
    RoomName
);

#[cfg(any(feature = "ui", feature = "server"))]
impl Username {
    /// Converts any text to a valid username; `anna smith` becomes `anna-smith`.
    ///
    /// - Replaces each character by `-`, unless it is a letter, a digit, `-`, `_` or `.`.
    /// - Drops leading characters that are not letters or digits.
    /// - Cuts the name to the maximum length.
    /// - Returns `guest` if the result is not a valid name.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut name = String::new();
        for c in text.chars().map(|c| if fits(c) { c } else { '-' }) {
            let is_full = name.chars().count() >= MAX_NAME_CHARS
                || name.len() + c.len_utf8() > MAX_NAME_BYTES;
            if !is_full && (!name.is_empty() || c.is_alphanumeric()) {
                name.push(c);
            }
        }
        Self::new(&name).unwrap_or_else(|_| Self::guest())
    }

    /// Returns this name with `number` appended: `anna` and 2 become `anna2`. A name that would be
    /// too long is cut before the number.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let number = number.to_string();
        let mut stem = self.as_str().to_owned();
        while stem.chars().count() + number.len() > MAX_NAME_CHARS
            || stem.len() + number.len() > MAX_NAME_BYTES
        {
            stem.pop();
        }
        Self::new(&(stem + &number)).unwrap_or_else(|_| Self::guest())
    }

    /// Returns the username `guest`, for a user without a usable name.
    fn guest() -> Self {
        let shown: Arc<str> = "guest".into();
        Self(Name { key: NameKey(shown.clone()), shown })
    }
}

impl RoomName {
    /// Returns the name of the default room, `lobby`: a join without rooms enters it.
    #[must_use]
    pub fn lobby() -> Self {
        let shown: Arc<str> = "lobby".into();
        Self(Name { key: NameKey(shown.clone()), shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `RoomName::lobby` skips validation, so its result is validated here.
    #[test]
    fn lobby_is_a_valid_room_name() {
        let made = RoomName::lobby();
        let checked = RoomName::new("lobby").unwrap();
        assert_eq!((made.as_str(), made.key()), (checked.as_str(), checked.key()));
    }

    #[cfg(feature = "ui")]
    #[test]
    fn numbered_names_are_cut_to_fit() {
        let numbered =
            |name: &str, number| Username::new(name).unwrap().numbered(number).as_str().to_owned();
        assert_eq!(numbered("anna", 2), "anna2");
        assert_eq!(numbered(&"x".repeat(32), 10), "x".repeat(30) + "10");
        // 21 characters of 3 bytes, and 1 byte.
        assert_eq!(numbered(&("名".repeat(21) + "a"), 2), "名".repeat(21) + "2");
        assert_eq!(Username::guest(), Username::new("guest").unwrap());
        assert_eq!(Username::from_text("  ?"), Username::guest());
    }

    #[cfg(any(feature = "server", feature = "peer"))]
    #[test]
    fn lookalike_names_share_a_skeleton() {
        let latin = Username::new("anna").unwrap();
        let cyrillic = Username::new("\u{430}nna").unwrap();
        assert_ne!(latin, cyrillic);
        assert_eq!(latin.key().skeleton(), cyrillic.key().skeleton());
    }
}
