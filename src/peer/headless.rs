//! Screen of a headless peer: logs events and reports the state to systemd. It never logs the texts
//! of messages.

use std::io;

use crate::model::Event;
use crate::systemd;
use crate::ui::{Screen, safe_line};

/// Screen of a peer without a user. Events that concern the operator go to the log and to systemd.
#[derive(Debug, Default)]
pub struct HeadlessScreen {
    /// Canonical name of the room; empty before it is joined.
    room: String,
    /// Number of members in systemd's status line. Zero before the first status.
    members: u32,
}

impl HeadlessScreen {
    /// Updates systemd's status line, room and number of others, if the number of members has
    /// changed. `members` includes this peer.
    fn update_status(&mut self, members: u32) {
        if self.members != members {
            self.members = members;
            let others = members.saturating_sub(1);
            systemd::notify_status(&format!("in #{} with {others} others", safe_line(&self.room)));
        }
    }
}

impl Screen for HeadlessScreen {
    /// Logs the event if it concerns the operator: the joining, another username, a gap, notices,
    /// problems and results of requests. Updates the state at systemd: ready when this peer has
    /// joined, and the number of members. Never fails.
    fn show(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::JoinedMesh(it) => {
                self.room.clone_from(&it.room);
                let (room, name) = (safe_line(&it.room), safe_line(&it.username));
                tracing::info!("in #{room} as {name}");
                systemd::notify_ready();
                self.update_status(u32::try_from(it.members.len()).unwrap_or(u32::MAX));
            }
            Event::Presence { members, .. } | Event::Roster { members, .. } => {
                self.update_status(*members);
            }
            Event::Renamed { from, to } => {
                let (from, to) = (safe_line(from), safe_line(to));
                tracing::warn!("{from} is somebody else's name for longer: this is {to} now");
            }
            Event::Gap { .. } => tracing::warn!("messages are missing for good"),
            Event::Notice { text, .. } | Event::Done { text, .. } => {
                tracing::info!("{}", safe_line(&text.to_string()));
            }
            Event::Problem { text, .. } => tracing::warn!("{}", safe_line(&text.to_string())),
            _ => {}
        }
        Ok(())
    }
}
