//! Rendering of events that occur among peers only.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::MAX_LISTED_NAMES;
use super::numbers::tenths;
use crate::model::{JoinedMesh, Path, PeerReport, PeerRoute, RosterNote, RosterStatus};
use crate::text;
use crate::ui::SharedIgnoreList;
use crate::ui::safe::safe_name;

/// Maximum number of other members that are named when the user is admitted. If there are more,
/// they are only counted.
const MAX_NAMED_MEMBERS: usize = 8;

/// Minimum clock skew that is shown, in milliseconds. A smaller skew counts as a right clock.
const MIN_SHOWN_SKEW_MS: u64 = 500;

/// Returns the text for the user's admission to a room of peers: room, own name and other members;
/// more than [`MAX_NAMED_MEMBERS`] are counted.
pub(super) fn admitted_text(it: &JoinedMesh) -> String {
    let (room, name) = (safe_name(&it.room), safe_name(&it.username));
    let place = match it.is_closed {
        true => text!("mesh-closed-room", room = room),
        false => format!("#{room}"),
    };
    let others: Vec<_> =
        it.members.iter().filter(|other| **other != it.username).map(|it| safe_name(it)).collect();
    let (count, names) = (others.len(), others.join(", "));
    if count > MAX_NAMED_MEMBERS {
        return text!("mesh-joined-many", place = place, name = name, count = count);
    }
    text!("mesh-joined", place = place, name = name, names = names, count = count)
}

/// Returns the line that asks whether to admit a candidate.
pub(super) fn admission_question(name: &str) -> String {
    format!("-- {}", text!("mesh-admission", name = safe_name(name)))
}

/// Returns the names of a member list, each with its notes, as `anna, bob (ignored), dora (heard
/// through bert)`. Lists the first [`MAX_LISTED_NAMES`], and counts the others.
pub(super) fn list_names(
    names: &[String],
    notes: &[RosterNote],
    ignore_list: &SharedIgnoreList,
) -> String {
    let shown = names.iter().take(MAX_LISTED_NAMES).map(|name| {
        let ignored = ignore_list.has(name).then(|| text!("people-ignored"));
        let note = notes.iter().find(|it| it.name == *name).map(|it| status_text(&it.status));
        let remarks: Vec<_> = ignored.into_iter().chain(note).collect();
        match remarks.as_slice() {
            [] => safe_name(name),
            remarks => format!("{} ({})", safe_name(name), remarks.join("; ")),
        }
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let rest = names.len().saturating_sub(MAX_LISTED_NAMES);
    if rest > 0 { text!("people-and-others", names = shown, count = rest) } else { shown }
}

/// Describes why a member needs a note: it is heard through others only, or does not hear the user.
fn status_text(status: &RosterStatus) -> String {
    match status {
        RosterStatus::Indirect { through: Some(name) } => {
            text!("people-heard-through", name = safe_name(name))
        }
        RosterStatus::Indirect { through: None } => text!("people-heard-through-others"),
        RosterStatus::Deaf => text!("people-deaf"),
    }
}

/// Returns the error text for a change of the user's own name after a name conflict.
pub(super) fn renamed_text(from: &str, to: &str) -> String {
    text!("mesh-renamed", from = safe_name(from), to = safe_name(to))
}

/// Returns the lines of the `/peers` table, with a heading and aligned columns. The columns are
/// name, time in the room, route, time since last heard, loss and clock skew.
pub(super) fn peers_table(peers: &[PeerReport]) -> Vec<String> {
    let titles = [
        text!("peers-name"),
        text!("peers-present"),
        text!("peers-route"),
        text!("peers-heard"),
        text!("peers-loss"),
        text!("peers-clock"),
    ];
    let rows: Vec<[String; 6]> =
        std::iter::once(titles).chain(peers.iter().map(peer_row)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let line = |row: &[String; 6]| {
        let mut line = "--".to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = width.saturating_sub(cell.width());
            line.push_str(&format!("  {cell}{:padding$}", ""));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Returns the cells of a peer's row in the `/peers` table. The user's own row shows only name and
/// time in the room.
fn peer_row(it: &PeerReport) -> [String; 6] {
    let name = safe_name(&it.name);
    if it.is_self {
        let present = duration_text(it.present);
        let name = text!("peers-you", name = name);
        return [name, present, "–".into(), "–".into(), "–".into(), "–".into()];
    }
    let reach = match it.route {
        PeerRoute::Local => "–".to_owned(),
        PeerRoute::Indirect => text!("peers-others-only"),
        _ if !it.hears_me => text!("peers-not-reached"),
        PeerRoute::Path(Path::GroupV4) => text!("peers-group-v4"),
        PeerRoute::Path(Path::GroupV6) => text!("peers-group-v6"),
        PeerRoute::Path(Path::Broadcast) => text!("peers-broadcast"),
        PeerRoute::Unicast => text!("peers-unicast"),
    };
    let heard = match it.silence.as_secs() {
        0..5 => text!("peers-now"),
        _ => text!("peers-ago", time = duration_text(it.silence)),
    };
    let loss = format!("{} %", tenths(it.loss.into()));
    [name, duration_text(it.present), reach, heard, loss, skew_text(it.skew)]
}

/// Describes a peer's clock skew, as `7.0 s slow`. `skew` is in milliseconds; a positive skew is
/// fast. A skew of less than [`MIN_SHOWN_SKEW_MS`] in either direction is `right`.
fn skew_text(skew: i64) -> String {
    let apart = skew.unsigned_abs();
    if apart < MIN_SHOWN_SKEW_MS {
        return text!("peers-right");
    }
    let time = match apart {
        0..60_000 => text!("peers-seconds", seconds = tenths((apart + 50) / 100)),
        _ => duration_text(Duration::from_millis(apart)),
    };
    if skew > 0 { text!("peers-fast", time = time) } else { text!("peers-slow", time = time) }
}

/// Formats a duration, rounded down, in its two largest units, as `2 h 5 min`. Below a minute: in
/// seconds.
fn duration_text(it: Duration) -> String {
    let seconds = it.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => text!("peers-seconds", seconds = seconds),
        60..3_600 => text!("peers-minutes", minutes = minutes, seconds = seconds % 60),
        3_600..86_400 => text!("peers-hours", hours = hours, minutes = minutes % 60),
        _ => text!("peers-days", days = days, hours = hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;
    use crate::model::SessionId;

    /// Returns the admission of a user named anna, with these other members present.
    fn newcomer(others: &[&str]) -> JoinedMesh {
        let mut members: Vec<_> = others.iter().map(|it| (*it).to_owned()).collect();
        members.push("anna".to_owned());
        JoinedMesh {
            session: SessionId(1),
            username: "anna".to_owned(),
            room: "lobby".to_owned(),
            is_closed: false,
            members,
            history_from: None,
        }
    }

    /// The admission text names the present members, or counts them if there are many.
    #[test]
    fn admission_names_present_members() {
        assert_eq!(admitted_text(&newcomer(&[])), "you are in #lobby as anna; you are the first");
        assert_eq!(admitted_text(&newcomer(&["bob"])), "you are in #lobby as anna; bob is here");
        let three = admitted_text(&newcomer(&["bob", "carol", "d\u{1b}ave"]));
        assert_eq!(three, "you are in #lobby as anna; bob, carol, d\u{fffd}ave are here");
        let many = newcomer(&["x"; 9]);
        assert_eq!(admitted_text(&many), "you are in #lobby as anna; 9 others are here");
        let closed = JoinedMesh { is_closed: true, ..newcomer(&[]) };
        assert!(admitted_text(&closed).contains("#lobby (closed) as anna"));
    }

    /// A member list says how a member is known that is not reached as usual, with safe names.
    #[test]
    fn member_list_has_notes() {
        let names = ["anna", "bert", "dora\u{1b}", "emil"].map(str::to_owned);
        let note = |name: &str, status| RosterNote { name: name.to_owned(), status };
        let notes = [
            note("bert", RosterStatus::Deaf),
            note("dora\u{1b}", RosterStatus::Indirect { through: Some("x\u{1b}".to_owned()) }),
            note("emil", RosterStatus::Indirect { through: None }),
        ];
        let ignored = SharedIgnoreList::default();
        ignored.open(None).unwrap();
        ignored.add("Bert", None).unwrap();
        assert_eq!(
            list_names(&names, &notes, &ignored),
            "anna, bert (ignored; does not hear you), dora\u{fffd} (heard through x\u{fffd}), emil (heard \
             through others)"
        );
    }

    /// Columns are aligned even if names have wide characters.
    #[test]
    fn peers_table_columns_are_aligned() {
        let bob = PeerReport {
            name: "b好b".to_owned(),
            session: SessionId(2),
            is_self: false,
            present: Duration::from_secs(7_500),
            address: None,
            route: PeerRoute::Path(Path::GroupV4),
            loss: 25,
            skew: -7_000,
            silence: Duration::from_secs(7),
            through: None,
            hears_me: true,
        };
        let me = PeerReport { name: "anna".to_owned(), is_self: true, ..bob.clone() };
        let far = PeerReport {
            name: "carol\u{1b}".to_owned(),
            route: PeerRoute::Indirect,
            skew: 90_000,
            silence: Duration::ZERO,
            hears_me: false,
            ..bob.clone()
        };
        let deaf = PeerReport { name: "dora".to_owned(), hears_me: false, ..bob.clone() };
        let peers = [me, bob, far, deaf];
        let german = with_language(Language::German, || peers_table(&peers));
        assert_eq!(
            german[..3],
            [
                "--  Name       hier seit  erreicht über   gehört   Verlust  Uhr",
                "--  anna (du)  2 h 5 min  –               –        –        –",
                "--  b好b       2 h 5 min  IPv4-Gruppe     vor 7 s  2,5 %    7,0 s nach",
            ]
        );
        assert_eq!(
            peers_table(&peers),
            [
                "--  name        here for   reached by   heard    loss   clock",
                "--  anna (you)  2 h 5 min  –            –        –      –",
                "--  b好b        2 h 5 min  IPv4 group   7 s ago  2.5 %  7.0 s slow",
                "--  carol\u{fffd}      2 h 5 min  others only  now      2.5 %  1 min 30 s fast",
                "--  dora        2 h 5 min  not reached  7 s ago  2.5 %  7.0 s slow",
            ]
        );
    }
}
