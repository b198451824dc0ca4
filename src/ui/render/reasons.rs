//! Reasons of refusals, and notices, in the user's language.
//!
//! A server says everything in English, and with a code. The text of a code, `error-NAME` in the
//! catalogues, is shown instead of it; but what only the sentence tells is kept: the name, the time
//! left, a moderator's words, or which of several reasons it is. The page in a browser does the same
//! (`web/src/text/reasons.ts`).

use super::numbers::{TimeUnit, time_text};
use crate::l10n;
use crate::model::{ErrorCode, NameError};
use crate::text;
use crate::ui::safe::{safe_line, safe_name};

/// Sentences of servers that say more than their codes, with the ids of their texts. A sentence may
/// hold one argument in braces: `{name}`, `{count}`, or `{time}`, a length of time as servers write
/// it.
const SENTENCES: &[(&str, &str)] = &[
    // Names and invitations.
    (
        "Somebody here has this name. They have just lost their connection: if they do not come \
         back, the name is free in {time}.",
        "reason-name-waits",
    ),
    (
        "This looks too much like the name of somebody here. They have just lost their connection: \
         if they do not come back, the name is free in {time}.",
        "reason-lookalike-waits",
    ),
    ("This looks too much like a name that belongs to somebody.", "reason-looks-claimed"),
    (
        "This looks too much like a name that is kept for somebody who was invited.",
        "reason-looks-kept",
    ),
    ("This invitation is for the name {name}.", "invite-for-name"),
    ("This invitation has ended: ask for another one.", "reason-invitation-ended"),
    ("This invitation has been used already: ask for another one.", "reason-invitation-used"),
    (
        "This invitation does not exist, like too many others from your address. Check the code, \
         and try again in {time}.",
        "reason-invitation-pause",
    ),
    (
        "The server cannot note that your invitation is used, so it cannot let you in now. Try \
         again later.",
        "reason-invitation-unspent",
    ),
    ("This code has ended: make another one on your first device.", "reason-link-ended"),
    ("You have {count} devices already: unlink the others first.", "reason-devices-full"),
    ("This code links a device, and your client has proved no key.", "reason-link-without-key"),
    (
        "This device may use the name no longer: the name was left to another device, or claimed \
         there.",
        "reason-unlinked",
    ),
    // Claims of names.
    ("The name cannot be claimed.", "reason-claim-failed"),
    ("You have claimed the name {name} already: give it up first.", "reason-claim-other"),
    (
        "Your invitation does not permit a claim: ask whoever runs the server for one that does.",
        "reason-claim-not-permitted",
    ),
    (
        "You need an invitation to claim this name: ask whoever runs the server.",
        "reason-claim-uninvited",
    ),
    (
        "Your address has claimed many names lately: try again in an hour, or ask whoever runs the \
         server for an invitation.",
        "reason-claims-many",
    ),
    (
        "Your address has claimed many names or linked many devices lately: try again in an hour.",
        "reason-links-many",
    ),
    ("Your client has proved no key, and a name is claimed with one.", "reason-claim-without-key"),
    (
        "This server keeps nothing on a disk, so no name can be claimed.",
        "reason-claim-without-disk",
    ),
    ("On this server no name can be claimed.", "reason-claims-off"),
    ("This name belongs to somebody.", "reason-claim-taken"),
    ("This name looks too much like one that belongs to somebody.", "reason-claim-lookalike"),
    ("This name is kept for somebody who was invited.", "reason-claim-kept"),
    (
        "This name looks too much like one that is kept for somebody who was invited.",
        "reason-claim-looks-kept",
    ),
    ("Claim this name first: only then can it have several devices.", "reason-claim-first"),
    // What moderators have asked for, and have set.
    ("The server could not store this, so nothing was done.", "reason-change-not-stored"),
    ("This room is in slow mode: your next message can come in {time}.", "reason-slow-mode"),
    // Notices.
    (
        "You are sending too fast, so this server reads what you send more slowly.",
        "notice-slow-down",
    ),
    (
        "Too much comes from your network address, so this server reads it more slowly.",
        "notice-slow-down-address",
    ),
    ("The server's clock was set: times before and after do not compare.", "notice-clock-changed"),
    (
        "The server cannot write to its disk: what is said now is kept in memory only, and is lost \
         if the server stops.",
        "notice-storage-memory",
    ),
    (
        "The server cannot write to its disk: new messages are refused until it can.",
        "notice-storage-refusing",
    ),
    (
        "The server's disk does not answer: what is said now appears when it does.",
        "notice-storage-stalled",
    ),
    (
        "The server can write to its disk again; messages are taken again.",
        "notice-storage-taken-again",
    ),
    ("The server can write to its disk again; everything said is kept.", "notice-storage-kept"),
    ("The server's disk answers again; nothing is lost.", "notice-storage-answers"),
    (
        "Another device has come in under your name. If it is not yours, take the name from it: \
         /unlink --yes.",
        "notice-device-linked",
    ),
];

/// Beginnings of the ends of [`ErrorCode::Removed`]'s sentence: after who did it.
const REMOVALS: [(&str, &str); 2] = [
    (" has sent you out of this server", "sanctioned-kick"),
    (" has banned you from this server", "sanctioned-ban"),
];

/// Returns the reason of a refusal by a server in the user's language, safe to show on one line.
/// `code`: its number in the registry of error codes; 0 if the program itself has refused, in whose
/// words it is then. `text`: what the server says, which is returned if there is no other text.
#[must_use]
pub fn reason_text(code: u16, text: &str) -> String {
    let Some(code) = ErrorCode::from_number(code) else { return safe_line(text) };
    let of_code = l10n::find(&format!("error-{}", code.name()), []);
    let reason = match code {
        ErrorCode::Muted if text.starts_with("Only moderators") => Some(text!("moderated-mode")),
        ErrorCode::Banned | ErrorCode::Muted => of_code.map(|it| with_notes(it, None, text)),
        // The text of the code says what to do, also where the name is kept for an invitation.
        ErrorCode::NameClaimed => of_code,
        ErrorCode::Removed => removal_text(text).or_else(|| sentence_text(text)).or(of_code),
        _ => sentence_text(text).or(of_code),
    };
    reason.unwrap_or_else(|| safe_line(text))
}

/// Returns the text of a server's notice in the user's language, safe to show on one line. What the
/// owner of the server has written is returned as it is.
pub(in crate::ui) fn notice_text(text: &str) -> String {
    sentence_text(text).unwrap_or_else(|| safe_line(text))
}

/// Returns why a text cannot be a name, as the end of a sentence, without a full stop.
pub(in crate::ui) fn name_problem_text(error: NameError) -> String {
    match error {
        NameError::Empty => text!("name-empty"),
        NameError::TooLong => text!("name-too-long"),
        NameError::Character => text!("name-characters"),
        NameError::First => text!("name-first"),
    }
}

/// Returns the text for one of the [`SENTENCES`]; `None` for any other.
fn sentence_text(text: &str) -> Option<String> {
    SENTENCES.iter().find_map(|(sentence, id)| {
        let Some((before, rest)) = sentence.split_once('{') else {
            return (text == *sentence).then(|| l10n::format(id, []));
        };
        let (name, after) = rest.split_once('}')?;
        let value = text.strip_prefix(before)?.strip_suffix(after)?;
        match name {
            "name" => Some(l10n::format(id, [("name", safe_name(value).into())])),
            "count" => Some(l10n::format(id, [("count", value.parse::<u32>().ok()?.into())])),
            _ => {
                let (count, unit) = value.split_once(' ')?;
                let time = server_time(count, unit)?;
                Some(l10n::format(id, [("time", time.into())]))
            }
        }
    })
}

/// Returns the text for being sent out of the server, or banned from it; `None` if the sentence says
/// something else.
fn removal_text(text: &str) -> Option<String> {
    let (by, rest, id) = REMOVALS.iter().find_map(|(infix, id)| {
        let (by, rest) = text.split_once(infix)?;
        Some((by, rest, id))
    })?;
    let by = (by != "The server").then(|| text!("sanction-by", by = safe_name(by)));
    Some(with_notes(l10n::format(id, []), by, rest))
}

/// Adds to a text who did it, and what stands at the end of a sentence about a ban or mute: how long
/// it still lasts, and a moderator's words.
fn with_notes(told: String, by: Option<String>, sentence: &str) -> String {
    let (before, reason) = match sentence.split_once(": ") {
        Some((before, reason)) => (before, Some(safe_line(reason))),
        None => (sentence.trim_end_matches('.'), None),
    };
    let mut words = before.rsplit(' ');
    let left = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(unit), Some(count), Some("another"), _)
        | (Some(unit), Some(count), Some("for"), _) => {
            server_time(count, unit).map(|time| text!("sanction-left", time = time))
        }
        _ => None,
    };
    let notes = [left, by, reason];
    std::iter::once(told).chain(notes.into_iter().flatten()).collect::<Vec<_>>().join(" · ")
}

/// Returns a length of time that a server has written; `None` if it is none.
fn server_time(count: &str, unit: &str) -> Option<String> {
    let unit = match unit {
        "s" => TimeUnit::Seconds,
        "min" => TimeUnit::Minutes,
        "h" => TimeUnit::Hours,
        "days" => TimeUnit::Days,
        _ => return None,
    };
    Some(time_text(count.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Returns the code below a directory, with the lines of each string put together.
    fn code(directory: &Path, out: &mut String) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                code(&path, out);
            } else {
                let text = fs::read_to_string(path).unwrap();
                let lines =
                    text.lines().map(str::trim_start).map(|it| match it.strip_suffix('\\') {
                        Some(line) => line.to_owned(),
                        None => format!("{it}\n"),
                    });
                out.extend(lines);
            }
        }
    }

    /// Servers say the sentences that have texts of their own, word for word, and each has a text
    /// in every language, with what it is about.
    #[test]
    fn sentences_are_those_of_servers() {
        let mut server = String::new();
        ["src/hub", "src/server", "src/model"]
            .iter()
            .for_each(|it| code(Path::new(it), &mut server));
        let waits = " They have just lost their connection";
        for (sentence, id) in SENTENCES {
            let (before, after) = sentence
                .split_once('{')
                .map_or((*sentence, ""), |(before, it)| (before, it.split_once('}').unwrap().1));
            let parts: Vec<_> = match before.split_once(waits) {
                Some((code, _)) => vec![code, waits, " s."],
                None if sentence.contains("{time}") => vec![before, after.trim_start_matches(" s")],
                None => vec![before, after],
            };
            for part in parts {
                assert!(server.contains(part), "no server says {part:?} of {sentence:?}");
            }
            let told = sentence.replace("{name}", "bea").replace("{count}", "8");
            let told = told.replace("{time}", "5 min");
            let english = sentence_text(&told).unwrap();
            for language in Language::ALL {
                let text = with_language(*language, || sentence_text(&told).unwrap());
                assert_ne!(text, *id, "{language:?}");
                assert_eq!(text == english, *language == Language::English, "{text}");
                let expected = ["bea", "8", "5"].into_iter().filter(|it| told.contains(it));
                expected.for_each(|it| assert!(text.contains(it), "{text}"));
            }
        }
    }

    /// Every code has a text in every language, apart from that whose sentence says why.
    #[test]
    fn codes_have_texts() {
        for code in ErrorCode::ALL.iter().filter(|it| **it != ErrorCode::CannotClaim) {
            let english = reason_text(code.number(), "?");
            for language in Language::ALL {
                let text = with_language(*language, || reason_text(code.number(), "?"));
                assert!(text.len() > 5, "{code:?}: {text}");
                assert_eq!(text == english, *language == Language::English, "{code:?}: {text}");
            }
        }
        assert_eq!(reason_text(ErrorCode::CannotClaim.number(), "Not\ntoday."), "Not today.");
        assert_eq!(reason_text(0, "Not s\u{1b}ent."), "Not s\u{fffd}ent.");
        assert_eq!(reason_text(60_000, "New."), "New.");
    }

    /// What only the sentence tells is kept: how long, who and why; of a stranger's words only what
    /// is safe to show.
    #[test]
    fn what_only_the_sentence_tells_is_kept() {
        let told = |code: ErrorCode, text: &str| {
            let english = reason_text(code.number(), text);
            (english, with_language(Language::German, || reason_text(code.number(), text)))
        };
        let cases = [
            (
                ErrorCode::Banned,
                "You are banned from room lobby for another 2 h: sp\u{1b}am: again",
                "You are banned · for another 2 hours · sp\u{fffd}am: again",
                "Du bist ausgesperrt · noch 2 Stunden · sp\u{fffd}am: again",
            ),
            (
                ErrorCode::Banned,
                "You are banned from this server.",
                "You are banned",
                "Du bist ausgesperrt",
            ),
            (
                ErrorCode::Muted,
                "You are muted in room lobby for another 1 s.",
                "You may not talk here · for another 1 second",
                "Du darfst hier nicht reden · noch 1 Sekunde",
            ),
            (
                ErrorCode::Muted,
                "Only moderators may speak here now.",
                "Only moderators may talk here",
                "Hier dürfen nur Moderatoren reden",
            ),
            (
                ErrorCode::Removed,
                "carla has banned you from this server for 3 days: spam",
                "You are kept out · for another 3 days · by carla · spam",
                "Du wurdest ausgesperrt · noch 3 Tage · von carla · spam",
            ),
            (
                ErrorCode::Removed,
                "The server has sent you out of this server.",
                "You were sent out",
                "Du wurdest hinausgewiesen",
            ),
            (
                ErrorCode::InviteInvalid,
                "This invitation is for the name bea.",
                "This invitation is for the name bea.",
                "Diese Einladung ist für den Namen bea.",
            ),
            (
                ErrorCode::TooSoon,
                "This room is in slow mode: your next message can come in 8 s.",
                "This room is in slow mode: your next message can come in 8 seconds.",
                "Dieser Raum ist langsam gestellt: Deine nächste Nachricht geht in 8 Sekunden.",
            ),
        ];
        for (code, text, english, german) in cases {
            assert_eq!(told(code, text), (english.to_owned(), german.to_owned()));
        }
    }
}
