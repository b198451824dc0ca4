//! What the input has to know of what the screen has shown: where one is,
//! and who is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Event, NameKey, Place};

/// Names of a room that are remembered.
const MAX_NAMES: usize = 1_000;

/// Where one is and who is there.
#[derive(Debug, Default)]
pub struct Scene {
    /// What one is called.
    pub me: Option<String>,
    /// Rooms that one is in, in the order in which one entered them.
    pub rooms: Vec<String>,
    /// Where a typed line goes, if that was chosen.
    pub talking_in: Option<String>,
    /// The room that one is about to enter, to talk there.
    pub going_to: Option<NameKey>,
    /// Who is there, by room.
    present: BTreeMap<NameKey, Vec<String>>,
    /// Lines of the input that made no sense.
    pub mistakes: usize,
}

/// A scene that input and screen have in common.
#[derive(Clone, Debug, Default)]
pub struct SharedScene(Arc<Mutex<Scene>>);

impl SharedScene {
    /// Looks at it, or changes it. Do not call it from within `with`.
    pub fn with<T>(&self, with: impl FnOnce(&mut Scene) -> T) -> T {
        // A scene is never half changed, so that of a thread that panicked
        // is as good as any.
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Scene {
    /// Follows what happens. Call it for every event, before it is shown.
    pub fn follow(&mut self, event: &Event) {
        match event {
            Event::Welcome(joined) => {
                self.me = Some(joined.username.clone());
                self.rooms.clone_from(&joined.rooms);
                self.present.clear();
            }
            Event::Entered { room, .. } if !self.rooms.contains(room) => {
                self.rooms.push(room.clone());
                if self.going_to.take_if(|it| *it == NameKey::of(room)).is_some() {
                    self.talking_in = Some(room.clone());
                }
            }
            Event::Left { room, .. } => {
                self.rooms.retain(|it| it != room);
                self.present.remove(&NameKey::of(room));
                if self.talking_in.as_ref() == Some(room) {
                    self.talking_in = None;
                }
            }
            Event::Roster { room, names, .. } => {
                let names = names.iter().flatten().take(MAX_NAMES).cloned().collect();
                self.present.insert(NameKey::of(room), names);
            }
            Event::Presence { room, joined, left, .. } => {
                let present = self.present.entry(NameKey::of(room)).or_default();
                let (Some(joined), Some(left)) = (joined, left) else {
                    present.clear();
                    return;
                };
                present.retain(|it| !left.contains(it) && !joined.contains(it));
                let free = MAX_NAMES.saturating_sub(present.len());
                present.extend(joined.iter().take(free).cloned());
            }
            _ => {}
        }
    }

    /// Where a typed line goes.
    #[must_use]
    pub fn place(&self) -> Place {
        self.talking_in.clone().map_or(Place::First, Place::Named)
    }

    /// The room that a typed line goes to, if one is in any.
    #[must_use]
    pub fn here(&self) -> Option<&str> {
        self.talking_in.as_deref().or(self.rooms.first().map(String::as_str))
    }

    /// Chooses where typed lines go; the room's name as the server spells
    /// it, or `None` if one is not in it.
    pub fn talk_in(&mut self, room: &str) -> Option<String> {
        let key = NameKey::of(room);
        let found = self.rooms.iter().find(|it| NameKey::of(it) == key)?.clone();
        self.talking_in = Some(found.clone());
        Some(found)
    }

    /// Everybody who is in one of the rooms, each once.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.present.values().flatten().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// More than one room: lines have to say which.
    #[must_use]
    pub fn has_several_rooms(&self) -> bool {
        self.rooms.len() > 1
    }
}
