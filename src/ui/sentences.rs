//! Words of the engines' sentences and of the model's errors, in the language of the user.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::key_file::KeyError;
use crate::l10n::Argument;
#[cfg(feature = "client")]
use crate::model::AddressError;
#[cfg(feature = "peer")]
use crate::model::MeshSentence;
#[cfg(feature = "peer")]
use crate::model::limits::MAX_PEER_TEXT;
use crate::model::limits::MAX_TEXT;
use crate::model::safe_name;
#[cfg(feature = "link")]
use crate::model::{LinkSentence, limits::MAX_SEARCH_TEXT};
use crate::model::{Sentence, TextError};
use crate::text;
#[cfg(feature = "client")]
use crate::tls::LinkError;
use crate::ui::{reason_text, safe_line};

/// Returns the words of a sentence. They may contain characters that are dangerous to a terminal if
/// the sentence comes from a server or another peer.
#[must_use]
pub fn sentence_text(sentence: &Sentence) -> String {
    match sentence {
        Sentence::Worded(text) => text.clone(),
        Sentence::Server { code, text } => reason_text(*code, text),
        #[cfg(feature = "link")]
        Sentence::Link(sentence) => link_text(sentence),
        #[cfg(feature = "peer")]
        Sentence::Mesh(sentence) => mesh_text(sentence),
    }
}

/// Returns a number as an argument of a text.
fn number(value: usize) -> Argument<'static> {
    Argument::from(value)
}

/// Returns the words of a sentence of the client's engine.
#[cfg(feature = "link")]
fn link_text(sentence: &LinkSentence) -> String {
    match sentence {
        LinkSentence::NoSearch => text!("client-no-search"),
        LinkSentence::NoDirectory => text!("client-no-directory"),
        LinkSentence::NoModeration => text!("client-no-moderation"),
        LinkSentence::NoClaims => text!("client-no-claims"),
        LinkSentence::FormerLog => text!("client-former-log"),
        LinkSentence::PeersOnly => text!("absent-peers"),
        LinkSentence::MessageTooLong { bytes, limit } => {
            text!("client-message-too-long", bytes = number(*bytes), limit = *limit)
        }
        LinkSentence::TextInvalid { error, bytes } => text!(
            "client-text-invalid",
            error = error_name(*error),
            bytes = number(*bytes),
            limit = MAX_TEXT
        ),
        LinkSentence::QueueFull { waiting } => {
            text!("client-queue-full", count = number(*waiting))
        }
        LinkSentence::SeveralRooms => text!("client-several-rooms"),
        LinkSentence::NoRoom => text!("here-nowhere"),
        LinkSentence::SearchTooLong { bytes } => {
            text!("client-search-too-long", bytes = number(*bytes), limit = number(MAX_SEARCH_TEXT))
        }
        LinkSentence::NameTooLong => text!("client-name-too-long"),
        LinkSentence::PerhapsDone => text!("client-perhaps-done"),
        LinkSentence::Claimed { name } => text!("client-claimed", name = safe_name(name)),
        LinkSentence::NoClaim => text!("client-no-claim"),
        LinkSentence::ClaimGivenUp => text!("client-claim-given-up"),
        LinkSentence::OthersUnlinked { name } => {
            text!("client-others-unlinked", name = safe_name(name))
        }
        LinkSentence::ConnectingAgain => text!("client-connecting-again"),
        LinkSentence::NothingAnswered => text!("client-nothing-answered"),
        LinkSentence::FellSilent => text!("client-fell-silent"),
        LinkSentence::NoAnswer => text!("client-no-answer"),
        LinkSentence::NotReachedInTime => text!("client-not-reached-in-time"),
        LinkSentence::NotPiChat => text!("client-not-pi-chat"),
        LinkSentence::FrameUnreadable { kind } => text!("client-frame-unreadable", kind = *kind),
        LinkSentence::VersionUnknown { version } => {
            text!("client-version-unknown", version = *version)
        }
        LinkSentence::NoCommonVersion { min, max, own } if max < own => {
            text!("client-server-too-old", min = *min, max = *max, own = *own)
        }
        LinkSentence::NoCommonVersion { min, max, own } => {
            text!("client-too-old", min = *min, max = *max, own = *own)
        }
    }
}

/// Returns the words of a sentence of the peer's engine.
#[cfg(feature = "peer")]
fn mesh_text(sentence: &MeshSentence) -> String {
    match sentence {
        MeshSentence::TooManyRequests => text!("peer-too-many-requests"),
        MeshSentence::TooManyMessages => text!("peer-too-many-messages"),
        MeshSentence::Admitted { name, is_welcome: true } => {
            text!("peer-admitted", name = safe_name(name))
        }
        MeshSentence::Admitted { name, is_welcome: false } => {
            text!("peer-not-admitted", name = safe_name(name))
        }
        MeshSentence::NotWaiting { name } => text!("peer-not-waiting", name = safe_name(name)),
        MeshSentence::OneRoom => text!("peer-one-room"),
        MeshSentence::StaysInRoom => text!("peer-stays-in-room"),
        MeshSentence::NoDirect => text!("absent-direct"),
        MeshSentence::NoHistory => text!("peer-no-history"),
        MeshSentence::NoSearch => text!("peer-no-search"),
        MeshSentence::NoModerators => text!("peer-no-moderators"),
        MeshSentence::NoClaims => text!("peer-no-claims"),
        MeshSentence::MessageTooLong { bytes } => {
            text!("peer-message-too-long", bytes = number(*bytes), limit = number(MAX_PEER_TEXT))
        }
        MeshSentence::TextInvalid(error) => {
            text!("peer-text-invalid", error = error_name(*error), limit = MAX_TEXT)
        }
        MeshSentence::SequencesUsedUp => text!("peer-sequences-used-up"),
        MeshSentence::CounterAtEnd => text!("peer-counter-at-end"),
        MeshSentence::GroupFull { group } => text!("peer-group-full", group = group.to_string()),
        MeshSentence::RoomFull => text!("peer-room-full"),
        MeshSentence::OwnNameShared { name } => {
            text!("peer-own-name-shared", name = safe_name(name))
        }
        MeshSentence::NameShared { name } => text!("peer-name-shared", name = safe_name(name)),
        MeshSentence::NameInvalid => text!("peer-name-invalid"),
        MeshSentence::Oneself => text!("that-is-you"),
        MeshSentence::Blocked { name, keys } => {
            text!("peer-blocked", name = safe_name(name), keys = number(*keys))
        }
        MeshSentence::Unblocked { name } => text!("peer-unblocked", name = safe_name(name)),
        MeshSentence::NotBlocked { name } => text!("peer-not-blocked", name = safe_name(name)),
        MeshSentence::BlockList { names } => {
            let item = |(name, has_key): &(String, bool)| match has_key {
                true => safe_name(name),
                false => text!("peer-block-list-name", name = safe_name(name)),
            };
            let all: Vec<String> = names.iter().map(item).collect();
            text!("peer-block-list", count = number(all.len()), names = all.join(", "))
        }
        MeshSentence::UnknownObjector => text!("peer-unknown-objector"),
        MeshSentence::NotHeard { heard, has_more } => {
            let names: Vec<String> = heard.iter().map(|it| safe_name(it)).collect();
            match has_more {
                true => text!("peer-not-heard-more", names = names.join(", ")),
                false => text!("peer-not-heard", names = names.join(", ")),
            }
        }
        MeshSentence::ClockDiffers { name, seconds, is_ahead } => {
            let (name, time) = (safe_name(name), duration_text(*seconds));
            match is_ahead {
                true => text!("peer-clock-ahead", name = name, time = time),
                false => text!("peer-clock-behind", name = name, time = time),
            }
        }
    }
}

/// Returns a number of seconds as a duration in whole units, rounded down. The unit is minutes from
/// 2 minutes on, hours from 2 hours on, and days from 2 days on.
#[cfg(feature = "peer")]
fn duration_text(seconds: u64) -> String {
    let (count, unit) = rounded(seconds);
    text!("duration", count = count, unit = unit)
}

/// Returns the number of whole units of a number of seconds, and the unit, as the texts know it.
#[cfg(feature = "peer")]
const fn rounded(seconds: u64) -> (u64, &'static str) {
    match seconds {
        0..120 => (seconds, "seconds"),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    }
}

/// Returns the name of an error for the texts about it.
const fn error_name(error: TextError) -> &'static str {
    match error {
        TextError::Empty => "empty",
        TextError::TooLong => "long",
        TextError::Control => "control",
    }
}

/// Describes an error of the operating system for users, as a part of a sentence: without its
/// number, and in lower case. A rare one is in the language of the operating system.
#[must_use]
pub fn io_error_text(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => text!("io-connection-refused"),
        ErrorKind::ConnectionReset => text!("io-connection-reset"),
        ErrorKind::ConnectionAborted => text!("io-connection-aborted"),
        ErrorKind::HostUnreachable => text!("io-host-unreachable"),
        ErrorKind::NetworkUnreachable => text!("io-network-unreachable"),
        ErrorKind::NetworkDown => text!("io-network-down"),
        ErrorKind::TimedOut => text!("io-timed-out"),
        ErrorKind::BrokenPipe => text!("io-broken-pipe"),
        ErrorKind::AddrInUse => text!("io-address-in-use"),
        ErrorKind::AddrNotAvailable => text!("io-address-not-available"),
        ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
            text!("io-permission-denied")
        }
        ErrorKind::NotFound => text!("io-not-found"),
        ErrorKind::StorageFull => text!("io-storage-full"),
        ErrorKind::ReadOnlyFilesystem => text!("io-read-only"),
        ErrorKind::NotADirectory => text!("io-not-a-directory"),
        ErrorKind::IsADirectory => text!("io-is-a-directory"),
        _ => plain_os_text(error),
    }
}

/// Returns the operating system's text of an error, without its number, and in lower case.
fn plain_os_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut rest = text.chars();
    match (rest.next(), rest.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(rest).collect()
        }
        _ => text.to_owned(),
    }
}

/// Says that a file or directory cannot be used, as a part of a sentence.
#[must_use]
pub fn disk_error_text(path: &Path, error: &io::Error) -> String {
    let path = safe_line(&path.display().to_string());
    text!("disk-unusable", path = path, reason = io_error_text(error))
}

/// Says why there is no key, as a part of a sentence.
#[must_use]
pub fn key_error_text(error: &KeyError) -> String {
    match error {
        KeyError::Disk { path, source } => disk_error_text(path, source),
        KeyError::NotAKey { path } => {
            text!("no-key-in-file", path = safe_line(&path.display().to_string()))
        }
        KeyError::Random(_) => text!("no-random-source"),
    }
}

/// Says why a text is not the address of a server, as a part of a sentence.
#[cfg(feature = "client")]
#[must_use]
pub fn link_error_text(error: &LinkError) -> String {
    match error {
        LinkError::Address(error) => address_error_text(error),
        LinkError::NotTls => text!("address-fingerprint-needs-tls"),
        LinkError::Fingerprint => text!("address-fingerprint-damaged"),
        LinkError::Invite => text!("address-invite-damaged"),
    }
}

/// Says why a text is not an address, as a part of a sentence.
#[cfg(feature = "client")]
fn address_error_text(error: &AddressError) -> String {
    match error {
        AddressError::NoHost => text!("address-no-host"),
        AddressError::Port(port) => text!("address-port", port = safe_line(port)),
        AddressError::Tls => text!("address-plain-only"),
        AddressError::Scheme => text!("address-scheme"),
        AddressError::Character(it) => {
            text!("address-character", character = safe_line(&it.to_string()))
        }
    }
}

#[cfg(all(test, feature = "client", feature = "peer"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::model::AddressGroup;

    /// Defines a function that returns the name of a sentence's kind, and the names of all kinds. The
    /// compiler refuses to leave one out.
    macro_rules! kinds {
        ($sentence:ident, $kind:ident, $all:ident: $($variant:ident),* $(,)?) => {
            /// Returns the name of a sentence's kind.
            fn $kind(sentence: &$sentence) -> &'static str {
                match sentence { $($sentence::$variant { .. } => stringify!($variant),)* }
            }

            /// Names of all kinds of sentences.
            const $all: &[&str] = &[$(stringify!($variant)),*];
        };
    }

    kinds! {
        LinkSentence, link_kind, LINK_KINDS:
        NoSearch, NoDirectory, NoModeration, NoClaims, FormerLog, PeersOnly, MessageTooLong,
        TextInvalid, QueueFull, SeveralRooms, NoRoom, SearchTooLong, NameTooLong, PerhapsDone,
        Claimed, NoClaim, ClaimGivenUp, OthersUnlinked, ConnectingAgain, NothingAnswered,
        FellSilent, NoAnswer, NotReachedInTime, NotPiChat, FrameUnreadable, VersionUnknown,
        NoCommonVersion,
    }

    kinds! {
        MeshSentence, mesh_kind, MESH_KINDS:
        TooManyRequests, TooManyMessages, Admitted, NotWaiting, OneRoom, StaysInRoom, NoDirect,
        NoHistory, NoSearch, NoModerators, NoClaims, MessageTooLong, TextInvalid, SequencesUsedUp,
        CounterAtEnd, GroupFull, RoomFull, OwnNameShared, NameShared, NameInvalid, Oneself, Blocked,
        Unblocked, NotBlocked, BlockList, UnknownObjector, NotHeard, ClockDiffers,
    }

    /// Returns a sentence of each kind, and in each form.
    fn sentences() -> Vec<Sentence> {
        let name = || "anna".to_owned();
        let errors = [TextError::Empty, TextError::TooLong, TextError::Control];
        let group = AddressGroup::of_peer([192, 0, 2, 7].into());
        let mut links = vec![
            LinkSentence::NoSearch,
            LinkSentence::NoDirectory,
            LinkSentence::NoModeration,
            LinkSentence::NoClaims,
            LinkSentence::FormerLog,
            LinkSentence::PeersOnly,
            LinkSentence::MessageTooLong { bytes: 5_000, limit: 4_096 },
            LinkSentence::QueueFull { waiting: 1_000 },
            LinkSentence::SeveralRooms,
            LinkSentence::NoRoom,
            LinkSentence::SearchTooLong { bytes: 300 },
            LinkSentence::NameTooLong,
            LinkSentence::PerhapsDone,
            LinkSentence::Claimed { name: name() },
            LinkSentence::NoClaim,
            LinkSentence::ClaimGivenUp,
            LinkSentence::OthersUnlinked { name: name() },
            LinkSentence::ConnectingAgain,
            LinkSentence::NothingAnswered,
            LinkSentence::FellSilent,
            LinkSentence::NoAnswer,
            LinkSentence::NotReachedInTime,
            LinkSentence::NotPiChat,
            LinkSentence::FrameUnreadable { kind: 4_711 },
            LinkSentence::VersionUnknown { version: 9 },
            LinkSentence::NoCommonVersion { min: 2, max: 3, own: 1 },
            LinkSentence::NoCommonVersion { min: 1, max: 1, own: 2 },
        ];
        links.extend(errors.map(|error| LinkSentence::TextInvalid { error, bytes: 7 }));
        let mut meshes = vec![
            MeshSentence::TooManyRequests,
            MeshSentence::TooManyMessages,
            MeshSentence::Admitted { name: name(), is_welcome: true },
            MeshSentence::Admitted { name: name(), is_welcome: false },
            MeshSentence::NotWaiting { name: name() },
            MeshSentence::OneRoom,
            MeshSentence::StaysInRoom,
            MeshSentence::NoDirect,
            MeshSentence::NoHistory,
            MeshSentence::NoSearch,
            MeshSentence::NoModerators,
            MeshSentence::NoClaims,
            MeshSentence::MessageTooLong { bytes: 1_001 },
            MeshSentence::SequencesUsedUp,
            MeshSentence::CounterAtEnd,
            MeshSentence::GroupFull { group },
            MeshSentence::RoomFull,
            MeshSentence::OwnNameShared { name: name() },
            MeshSentence::NameShared { name: name() },
            MeshSentence::NameInvalid,
            MeshSentence::Oneself,
            MeshSentence::Unblocked { name: name() },
            MeshSentence::NotBlocked { name: name() },
            MeshSentence::BlockList { names: Vec::new() },
            MeshSentence::BlockList { names: vec![(name(), true), ("bob".to_owned(), false)] },
            MeshSentence::UnknownObjector,
            MeshSentence::NotHeard { heard: vec![name(), "bob".to_owned()], has_more: false },
            MeshSentence::NotHeard { heard: vec![name()], has_more: true },
        ];
        meshes.extend(errors.map(MeshSentence::TextInvalid));
        meshes.extend([0, 1, 3].map(|keys| MeshSentence::Blocked { name: name(), keys }));
        meshes.extend([6, 121, 7_300, 200_000].map(|seconds| MeshSentence::ClockDiffers {
            name: name(),
            seconds,
            is_ahead: seconds != 6,
        }));
        let links = links.into_iter().map(Sentence::Link);
        links.chain(meshes.into_iter().map(Sentence::Mesh)).collect()
    }

    /// The list of sentences has one of every kind.
    #[test]
    fn every_kind_of_sentence_is_checked() {
        let (mut links, mut meshes) = (BTreeSet::new(), BTreeSet::new());
        for sentence in sentences() {
            match sentence {
                Sentence::Link(sentence) => links.insert(link_kind(&sentence)),
                Sentence::Mesh(sentence) => meshes.insert(mesh_kind(&sentence)),
                Sentence::Worded(_) | Sentence::Server { .. } => panic!("{sentence:?}"),
            };
        }
        assert_eq!(links, LINK_KINDS.iter().copied().collect());
        assert_eq!(meshes, MESH_KINDS.iter().copied().collect());
    }

    /// A person who reads English has the words that programs have. Every sentence is in
    /// the other languages too.
    #[test]
    fn every_sentence_has_words() {
        for sentence in sentences() {
            assert_eq!(sentence_text(&sentence), sentence.to_string());
            for language in Language::ALL.iter().filter(|it| **it != Language::English) {
                let text = with_language(*language, || sentence_text(&sentence));
                assert_ne!(text, sentence.to_string(), "{language:?}");
            }
        }
        let german =
            |sentence: Sentence| with_language(Language::German, || sentence_text(&sentence));
        assert_eq!(
            german(LinkSentence::QueueFull { waiting: 9 }.into()),
            "Nicht gesendet: Es warten schon 9 Nachrichten auf den Server."
        );
        let clock =
            MeshSentence::ClockDiffers { name: "anna".to_owned(), seconds: 90, is_ahead: true };
        assert_eq!(
            german(clock.into()),
            "Die Uhr von anna geht gegenüber deiner um 90 Sekunden vor: Um so viel weichen die Zeiten dieser Nachrichten ab."
        );
    }

    /// Names of strangers are made safe before they are part of a sentence.
    #[test]
    fn names_are_made_safe() {
        let name = "an\u{202e}na\u{1b}[2J".to_owned();
        let text = sentence_text(&MeshSentence::NameShared { name }.into());
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text:?}");
    }

    /// Errors of addresses and files are said in the user's language.
    #[test]
    fn errors_have_words() {
        let address = "pi:0".parse::<crate::tls::ServerLink>().unwrap_err();
        assert_eq!(link_error_text(&address), address.to_string());
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        let (path, german) = (Path::new("/x"), Language::German);
        assert_eq!(disk_error_text(path, &refused), "cannot use /x: connection refused");
        with_language(german, || {
            assert_eq!(link_error_text(&address), "„0“ ist kein Port (1 bis 65535)");
            assert_eq!(io_error_text(&refused), "Verbindung abgelehnt");
        });
    }
}
