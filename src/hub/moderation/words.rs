//! Texts for users about moderation.

use std::time::Duration;

use crate::model::{Actor, Fact, RoomName};
use crate::wire::tcp::action;

/// Returns the username of the author of a fact; empty for the server and its owner.
pub(super) fn actor(fact: &Fact) -> &str {
    match &fact.draft.actor {
        Actor::Session(it) => it.username.as_str(),
        Actor::CommandLine | Actor::Server => "",
    }
}

/// Returns the reason of a fact; empty if there is none.
pub(super) fn reason(fact: &Fact) -> &str {
    fact.draft.reason.as_ref().map_or("", |it| it.as_str())
}

/// Returns the sentence that tells users what was done to them: by a kick, a ban, a mute, or the
/// end of one.
pub(super) fn told(number: u8, fact: &Fact) -> String {
    let by = match actor(fact) {
        "" => "The server",
        name => name,
    };
    let room = fact.draft.action.room().map(RoomName::as_str);
    let place = room.map_or_else(|| "this server".to_owned(), |it| format!("room {it}"));
    let what = match number {
        action::KICK => format!("has sent you out of {place}"),
        action::BAN => format!("has banned you from {place}"),
        action::UNBAN => format!("has lifted your ban from {place}"),
        action::MUTE => format!("has muted you in {place}"),
        _ => format!("has lifted your mute in {place}"),
    };
    let length = fact.draft.action.sanction().map(|(_, it)| it.length.seconds());
    let length = length.filter(|it| *it > 0).map(|it| Duration::from_secs(it.into()));
    let length = length.map(|it| format!(" for {}", duration(it))).unwrap_or_default();
    format!("{by} {what}{length}{}", ending(fact))
}

/// Returns the text of error 206 or 312 for a ban or mute that has this time left; `None`: no end.
/// `start`: such as `You are banned`.
pub(super) fn refused(start: &str, fact: &Fact, left: Option<Duration>) -> String {
    let length = left.map(|it| format!(" for another {}", duration(it))).unwrap_or_default();
    format!("{start}{length}{}", ending(fact))
}

/// Returns the text of error 315 for an author who has to wait for this time.
pub(super) fn slow_mode(wait: Duration) -> String {
    format!("This room is in slow mode: your next message can come in {}.", duration(wait))
}

/// Returns the end of a sentence: the reason of a fact, if there is one.
fn ending(fact: &Fact) -> String {
    match reason(fact) {
        "" => ".".to_owned(),
        reason => format!(": {reason}"),
    }
}

/// Returns a time in words, in one unit and rounded up.
fn duration(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1_000);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        7_200..=172_799 => format!("{} h", seconds.div_ceil(60 * 60)),
        _ => format!("{} days", seconds.div_ceil(24 * 60 * 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times are told in a unit that suits them, and never as less than they are.
    #[test]
    fn durations_are_rounded_up() {
        let told = |millis| duration(Duration::from_millis(millis));
        assert_eq!(told(1), "1 s");
        assert_eq!(told(119_001), "2 min");
        assert_eq!(told(7_200_000), "2 h");
        assert_eq!(told(172_800_001), "3 days");
    }
}
