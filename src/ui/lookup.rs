//! Why the address of a host was not found, for users.

use std::io;

use super::safe::safe_line;
use crate::text;

/// Numbers of Windows that mean that there is no such name, or none with an address:
/// `WSAHOST_NOT_FOUND` and `WSANO_DATA`.
const UNKNOWN_NAME_CODES: [i32; 2] = [11_001, 11_004];

/// Words of the C libraries, in lower case, that mean that no name server has answered
/// (`EAI_AGAIN`): of glibc and macOS, and of musl.
const NO_ANSWER_WORDS: [&str; 2] = ["temporary failure", "try again"];

/// Returns true if the error of a look-up means that there is no such name; false if it may be found
/// later.
///
/// Except on Windows the resolver says which it is in words only. They are English, as the programs
/// set no locale of the C library.
#[must_use]
pub(crate) fn is_name_unknown(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(code) => UNKNOWN_NAME_CODES.contains(&code),
        None => {
            let words = error.to_string().to_ascii_lowercase();
            !NO_ANSWER_WORDS.iter().any(|it| words.contains(it))
        }
    }
}

/// Says in sentences that the address of a host was not found, safe to show on one line.
#[must_use]
pub fn lookup_error_text(host: &str, error: &io::Error) -> String {
    let host = safe_line(host);
    match is_name_unknown(error) {
        true => text!("no-such-host", host = host),
        false => text!("lookup-fails", host = host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// A name that does not exist and a resolver that does not answer are told apart, and nothing of
    /// the system's words is shown.
    #[test]
    fn failed_lookups_have_words() {
        let told = |error: &io::Error| {
            let english = lookup_error_text("p\u{1b}i", error);
            (english, with_language(Language::German, || lookup_error_text("pi", error)))
        };
        let unknown = (
            "No host called p\u{fffd}i was found. Check the spelling.".to_owned(),
            "Es wurde kein Host namens pi gefunden. Stimmt die Schreibweise?".to_owned(),
        );
        let unanswered = (
            "The address of p\u{fffd}i cannot be looked up for now. Is this computer on the network?"
                .to_owned(),
            "Die Adresse von pi lässt sich gerade nicht nachschlagen. Ist dieser Rechner im Netz?"
                .to_owned(),
        );
        for (words, expected) in [
            ("Name or service not known", &unknown),
            ("Name does not resolve", &unknown),
            ("Temporary failure in name resolution", &unanswered),
            ("Try again", &unanswered),
        ] {
            let words = format!("failed to lookup address information: {words}");
            assert_eq!(told(&io::Error::other(words)), *expected);
        }
        assert_eq!(told(&io::Error::from_raw_os_error(11_001)), unknown);
        // There are too many open files.
        assert_eq!(told(&io::Error::from_raw_os_error(24)), unanswered);
    }
}
