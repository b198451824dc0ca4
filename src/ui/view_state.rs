//! What the input has to know of what the screen has shown: where one is,
//! and who is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Event, NameKey, Place, Search, Tag, Task};

/// Names of a room that are remembered.
const MAX_MEMBERS_PER_ROOM: usize = 1_000;

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
pub struct ViewState {
    /// Whom one talks with.
    pub dialect: Dialect,
    /// What one is called.
    pub own_name: Option<String>,
    /// Rooms that one is in, in the order in which one entered them.
    pub rooms: Vec<String>,
    /// Where a typed line goes, if that was chosen.
    pub selected_room: Option<String>,
    /// The room that one has asked to enter, to talk there: typed lines go
    /// there already.
    pending_room: Option<String>,
    /// Who is there, by room.
    members: BTreeMap<NameKey, Vec<String>>,
    /// What brings the page before that of the last search.
    pub older_search: Option<Search>,
    /// Lines of the input that made no sense.
    pub input_errors: usize,
}

/// A scene that input and screen have in common.
#[derive(Clone, Debug, Default)]
pub struct SharedViewState(Arc<Mutex<ViewState>>);

impl SharedViewState {
    /// A scene for this dialect.
    #[must_use]
    pub fn with_dialect(dialect: Dialect) -> Self {
        Self(Arc::new(Mutex::new(ViewState { dialect, ..ViewState::default() })))
    }

    /// Looks at it, or changes it. Do not call it from within `with`.
    pub fn with<T>(&self, with: impl FnOnce(&mut ViewState) -> T) -> T {
        // A scene is never half changed, so that of a thread that panicked
        // is as good as any.
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ViewState {
    /// Follows what happens. Call it for every event, before it is shown.
    pub fn update(&mut self, event: &Event) {
        match event {
            Event::Welcome(joined) => {
                self.own_name = Some(joined.username.clone());
                self.rooms.clone_from(&joined.rooms);
                self.members.clear();
                self.older_search.take_if(|_| joined.log_changed);
            }
            Event::Admitted(admitted) => {
                self.own_name = Some(admitted.username.clone());
                self.rooms = vec![admitted.room.clone()];
                let names = admitted.members.iter().take(MAX_MEMBERS_PER_ROOM).cloned().collect();
                self.members = BTreeMap::from([(NameKey::of(&admitted.room), names)]);
            }
            Event::Renamed { to, .. } => self.own_name = Some(to.clone()),
            Event::Entered { room, .. } => {
                if !self.rooms.contains(room) {
                    self.rooms.push(room.clone());
                }
                if self.pending_room.take_if(|it| is_same_room(it, room)).is_some() {
                    self.selected_room = Some(room.clone());
                }
            }
            // Only requests to enter bear a tag.
            Event::Refused(refusal) if refusal.tag.0.is_some() => {
                let refused = self.pending_room.take_if(|it| enter_tag(it) == refusal.tag);
                // Unless one is there already.
                if let Some(room) = refused {
                    self.select_room(&room);
                }
            }
            Event::Left { room, .. } => {
                self.rooms.retain(|it| it != room);
                self.members.remove(&NameKey::of(room));
                if self.selected_room.as_ref() == Some(room) {
                    self.selected_room = None;
                }
            }
            Event::Roster { room, names, .. } => {
                let names = names.iter().flatten().take(MAX_MEMBERS_PER_ROOM).cloned().collect();
                self.members.insert(NameKey::of(room), names);
            }
            Event::Found(found) => self.older_search = found.older(),
            Event::Presence { room, joined, left, .. } => {
                let present = self.members.entry(NameKey::of(room)).or_default();
                let (Some(joined), Some(left)) = (joined, left) else {
                    present.clear();
                    return;
                };
                present.retain(|it| !left.contains(it) && !joined.contains(it));
                let free = MAX_MEMBERS_PER_ROOM.saturating_sub(present.len());
                present.extend(joined.iter().take(free).cloned());
            }
            _ => {}
        }
    }

    /// Where a typed line goes.
    #[must_use]
    pub fn target_place(&self) -> Place {
        let chosen = self.pending_room.as_ref().or(self.selected_room.as_ref());
        chosen.cloned().map_or(Place::First, Place::Named)
    }

    /// The room that a typed line goes to, if one is in any.
    #[must_use]
    pub fn current_room(&self) -> Option<&str> {
        let chosen = self.pending_room.as_deref().or(self.selected_room.as_deref());
        chosen.or(self.rooms.first().map(String::as_str))
    }

    /// One asks to do something: lines that are typed after it go where it
    /// will have led. Gives the tag that the request must bear.
    pub fn prepare_request(&mut self, task: &Task) -> Tag {
        match task {
            Task::Enter { room } => {
                self.pending_room = Some(room.clone());
                enter_tag(room)
            }
            Task::Leave { place: Place::Named(room) } => {
                self.pending_room.take_if(|it| is_same_room(it, room));
                self.selected_room.take_if(|it| is_same_room(it, room));
                Tag::default()
            }
            _ => Tag::default(),
        }
    }

    /// Chooses where typed lines go; the room's name as the server spells
    /// it, or `None` if one is not in it.
    pub fn select_room(&mut self, room: &str) -> Option<String> {
        if let Some(pending_room) = self.pending_room.as_ref().filter(|it| is_same_room(it, room)) {
            return Some(pending_room.clone());
        }
        let found = self.rooms.iter().find(|it| is_same_room(it, room))?.clone();
        self.pending_room = None;
        self.selected_room = Some(found.clone());
        Some(found)
    }

    /// Everybody who is in one of the rooms, each once.
    #[must_use]
    pub fn member_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.members.values().flatten().cloned().collect();
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
fn is_same_room(one: &str, other: &str) -> bool {
    NameKey::of(one) == NameKey::of(other)
}

/// The tag of the request to enter a room.
fn enter_tag(room: &str) -> Tag {
    Tag(Some(room.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Found, Message, Refusal, Sequence, SessionId, Style, Timestamp};

    /// Somebody in the lobby who has asked to enter the kitchen.
    fn view_entering_kitchen() -> (ViewState, Tag) {
        let mut view = ViewState { rooms: vec!["lobby".to_owned()], ..ViewState::default() };
        let tag = view.prepare_request(&Task::Enter { room: "KITCHEN".to_owned() });
        (view, tag)
    }

    /// The kitchen has been entered.
    fn kitchen_entered() -> Event {
        Event::Entered { tag: Tag::default(), room: "kitchen".to_owned(), members: 1 }
    }

    /// One in this room.
    fn named_place(room: &str) -> Place {
        Place::Named(room.to_owned())
    }

    /// Lines go to a room as soon as one has asked to enter it, and to the
    /// old one again if that was refused.
    #[test]
    fn typed_lines_go_to_pending_room_until_refused() {
        let (mut view, tag) = view_entering_kitchen();
        assert_eq!(
            (view.target_place(), view.current_room()),
            (named_place("KITCHEN"), Some("KITCHEN"))
        );
        view.update(&kitchen_entered());
        assert_eq!(view.target_place(), named_place("kitchen"));
        let (mut view, _) = view_entering_kitchen();
        let refused = |tag: &Tag| {
            let (text, to, message) = (String::new(), String::new(), None);
            Event::Refused(Refusal { tag: tag.clone(), code: 1, text, to, message })
        };
        view.update(&refused(&Tag::default()));
        assert_eq!(view.target_place(), named_place("KITCHEN"));
        view.update(&refused(&tag));
        assert_eq!((view.target_place(), view.current_room()), (Place::First, Some("lobby")));
        // A room in which one is already cannot be entered, but talked in.
        view.rooms.push("kitchen".to_owned());
        let tag = view.prepare_request(&Task::Enter { room: "Kitchen".to_owned() });
        view.update(&refused(&tag));
        assert_eq!(view.target_place(), named_place("kitchen"));
    }

    /// The next page is that before the last answer, for as long as there is
    /// one.
    #[test]
    fn search_result_determines_next_older_page() {
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
        let mut view = ViewState::default();
        view.update(&Event::Found(found.clone()));
        let older = view.older_search.clone().unwrap();
        assert_eq!(older, Search { before: Some(Sequence(7)), ..found.search.clone() });
        found.more = false;
        view.update(&Event::Found(found));
        assert_eq!(view.older_search, None);
    }

    /// One leaves, or chooses another room, before one is in.
    #[test]
    fn pending_room_is_dropped_by_leave_or_other_selection() {
        let (mut view, _) = view_entering_kitchen();
        view.prepare_request(&Task::Leave { place: view.target_place() });
        assert_eq!(view.target_place(), Place::First);
        view.update(&kitchen_entered());
        assert_eq!(view.target_place(), Place::First);

        let (mut view, _) = view_entering_kitchen();
        assert_eq!(view.select_room("kitchen").as_deref(), Some("KITCHEN"));
        assert_eq!(view.select_room("lobby").as_deref(), Some("lobby"));
        view.update(&kitchen_entered());
        assert_eq!(view.target_place(), named_place("lobby"));
        view.prepare_request(&Task::Leave { place: view.target_place() });
        assert_eq!(view.target_place(), Place::First);
    }
}
