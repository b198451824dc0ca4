//! What the input has to know of what the screen has shown: where one is,
//! and who is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Event, NameKey, Place, Search, Tag, Task};

/// Names of a room that are remembered.
const MAX_NAMES: usize = 1_000;

/// Whom one talks with, and so what one can ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// A server: several rooms, direct messages.
    #[default]
    Server,
    /// Peers: one room.
    Peers,
}

/// Where one is and who is there.
#[derive(Debug, Default)]
pub struct Scene {
    /// Whom one talks with.
    pub dialect: Dialect,
    /// What one is called.
    pub me: Option<String>,
    /// Rooms that one is in, in the order in which one entered them.
    pub rooms: Vec<String>,
    /// Where a typed line goes, if that was chosen.
    pub talking_in: Option<String>,
    /// The room that one has asked to enter, to talk there: typed lines go
    /// there already.
    going_to: Option<String>,
    /// Who is there, by room.
    present: BTreeMap<NameKey, Vec<String>>,
    /// What brings the page before that of the last search.
    pub older: Option<Search>,
    /// Lines of the input that made no sense.
    pub mistakes: usize,
}

/// A scene that input and screen have in common.
#[derive(Clone, Debug, Default)]
pub struct SharedScene(Arc<Mutex<Scene>>);

impl SharedScene {
    /// A scene for this dialect.
    #[must_use]
    pub fn speaking(dialect: Dialect) -> Self {
        Self(Arc::new(Mutex::new(Scene { dialect, ..Scene::default() })))
    }

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
                self.older.take_if(|_| joined.log_changed);
            }
            Event::Admitted(admitted) => {
                self.me = Some(admitted.username.clone());
                self.rooms = vec![admitted.room.clone()];
                let names = admitted.members.iter().take(MAX_NAMES).cloned().collect();
                self.present = BTreeMap::from([(NameKey::of(&admitted.room), names)]);
            }
            Event::Renamed { to, .. } => self.me = Some(to.clone()),
            Event::Entered { room, .. } => {
                if !self.rooms.contains(room) {
                    self.rooms.push(room.clone());
                }
                if self.going_to.take_if(|it| is_same(it, room)).is_some() {
                    self.talking_in = Some(room.clone());
                }
            }
            // Only requests to enter bear a tag.
            Event::Refused(refusal) if refusal.tag.0.is_some() => {
                let refused = self.going_to.take_if(|it| entering(it) == refusal.tag);
                // Unless one is there already.
                if let Some(room) = refused {
                    self.talk_in(&room);
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
            Event::Found(found) => self.older = found.older(),
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
        let chosen = self.going_to.as_ref().or(self.talking_in.as_ref());
        chosen.cloned().map_or(Place::First, Place::Named)
    }

    /// The room that a typed line goes to, if one is in any.
    #[must_use]
    pub fn here(&self) -> Option<&str> {
        let chosen = self.going_to.as_deref().or(self.talking_in.as_deref());
        chosen.or(self.rooms.first().map(String::as_str))
    }

    /// One asks to do something: lines that are typed after it go where it
    /// will have led. Gives the tag that the request must bear.
    pub fn ask(&mut self, task: &Task) -> Tag {
        match task {
            Task::Enter { room } => {
                self.going_to = Some(room.clone());
                entering(room)
            }
            Task::Leave { place: Place::Named(room) } => {
                self.going_to.take_if(|it| is_same(it, room));
                self.talking_in.take_if(|it| is_same(it, room));
                Tag::default()
            }
            _ => Tag::default(),
        }
    }

    /// Chooses where typed lines go; the room's name as the server spells
    /// it, or `None` if one is not in it.
    pub fn talk_in(&mut self, room: &str) -> Option<String> {
        if let Some(going_to) = self.going_to.as_ref().filter(|it| is_same(it, room)) {
            return Some(going_to.clone());
        }
        let found = self.rooms.iter().find(|it| is_same(it, room))?.clone();
        self.going_to = None;
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

/// Whether two spellings are of the same room.
fn is_same(one: &str, other: &str) -> bool {
    NameKey::of(one) == NameKey::of(other)
}

/// The tag of the request to enter a room.
fn entering(room: &str) -> Tag {
    Tag(Some(room.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Found, Message, Refusal, Sequence, SessionId, Style, Timestamp};

    /// Somebody in the lobby who has asked to enter the kitchen.
    fn going() -> (Scene, Tag) {
        let mut scene = Scene { rooms: vec!["lobby".to_owned()], ..Scene::default() };
        let tag = scene.ask(&Task::Enter { room: "KITCHEN".to_owned() });
        (scene, tag)
    }

    /// The kitchen has been entered.
    fn entered() -> Event {
        Event::Entered { tag: Tag::default(), room: "kitchen".to_owned(), members: 1 }
    }

    /// One in this room.
    fn named(room: &str) -> Place {
        Place::Named(room.to_owned())
    }

    /// Lines go to a room as soon as one has asked to enter it, and to the
    /// old one again if that was refused.
    #[test]
    fn lines_go_where_one_goes() {
        let (mut scene, tag) = going();
        assert_eq!((scene.place(), scene.here()), (named("KITCHEN"), Some("KITCHEN")));
        scene.follow(&entered());
        assert_eq!(scene.place(), named("kitchen"));
        let (mut scene, _) = going();
        let refused = |tag: &Tag| {
            let (text, to, message) = (String::new(), String::new(), None);
            Event::Refused(Refusal { tag: tag.clone(), code: 1, text, to, message })
        };
        scene.follow(&refused(&Tag::default()));
        assert_eq!(scene.place(), named("KITCHEN"));
        scene.follow(&refused(&tag));
        assert_eq!((scene.place(), scene.here()), (Place::First, Some("lobby")));
        // A room in which one is already cannot be entered, but talked in.
        scene.rooms.push("kitchen".to_owned());
        let tag = scene.ask(&Task::Enter { room: "Kitchen".to_owned() });
        scene.follow(&refused(&tag));
        assert_eq!(scene.place(), named("kitchen"));
    }

    /// The next page is that before the last answer, for as long as there is
    /// one.
    #[test]
    fn older_messages_of_a_search() {
        let message = Message {
            sequence: Sequence(7),
            time: Timestamp(0),
            room: "lobby".to_owned(),
            session: SessionId(1),
            from: "bob".to_owned(),
            style: Style::SAID,
            text: "tea".to_owned(),
            history: true,
            requested: true,
            own: false,
            late: false,
            tag: Tag::default(),
        };
        let search = Search { text: "tea".to_owned(), limit: 1, ..Search::default() };
        let mut found = Found { tag: Tag::default(), search, messages: vec![message], more: true };
        let mut scene = Scene::default();
        scene.follow(&Event::Found(found.clone()));
        let older = scene.older.clone().unwrap();
        assert_eq!(older, Search { before: Some(Sequence(7)), ..found.search.clone() });
        found.more = false;
        scene.follow(&Event::Found(found));
        assert_eq!(scene.older, None);
    }

    /// One leaves, or chooses another room, before one is in.
    #[test]
    fn changing_one_s_mind() {
        let (mut scene, _) = going();
        scene.ask(&Task::Leave { place: scene.place() });
        assert_eq!(scene.place(), Place::First);
        scene.follow(&entered());
        assert_eq!(scene.place(), Place::First);

        let (mut scene, _) = going();
        assert_eq!(scene.talk_in("kitchen").as_deref(), Some("KITCHEN"));
        assert_eq!(scene.talk_in("lobby").as_deref(), Some("lobby"));
        scene.follow(&entered());
        assert_eq!(scene.place(), named("lobby"));
        scene.ask(&Task::Leave { place: scene.place() });
        assert_eq!(scene.place(), Place::First);
    }
}
