//! View state: dialect, names, rooms and members. Events and typed commands update it; the screen
//! and the input reader read it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::recent_messages::RecentMessages;
use super::{NameQuestion, SharedIgnoreList};
pub use crate::model::Dialect;
use crate::model::{
    ChatCommand, DirectMessage, Event, Message, ModerationEvent, NameKey, RequestTag, RoomSelector,
    SearchRequest,
};

/// Maximum number of member names kept of each room. Further names are ignored.
const MAX_MEMBERS_PER_ROOM: usize = 1_000;

/// View state: dialect, names, rooms and members. Events and typed commands update it; the screen
/// and the input reader read it.
#[derive(Debug, Default)]
pub struct ViewState {
    /// Dialect of commands; it never changes.
    pub dialect: Dialect,
    /// The user's own name; `None` before the first join.
    pub own_name: Option<String>,
    /// Joined rooms in the server's spelling, in the order in which they were entered.
    pub rooms: Vec<String>,
    /// Joined room that was selected as the target of typed lines. `None`: the first joined room is
    /// the target.
    pub selected_room: Option<String>,
    /// Room that the user has asked to enter, as typed; `None` if there is none. Until the request
    /// is answered, typed lines go to this room. Once entered, the room is selected.
    pending_room: Option<String>,
    /// Names of the known members of each room, sorted, by the key of the room's name.
    members: BTreeMap<NameKey, Vec<String>>,
    /// Search for the page before the last search result. `None` before the first result, if there
    /// are no older messages, or if the log has changed since.
    pub older_search: Option<SearchRequest>,
    /// Topic of each room that has one, by the key of the room's name.
    topics: BTreeMap<NameKey, String>,
    /// Messages that were shown lately, to remove one of them.
    pub recent_messages: RecentMessages,
    /// True if a person at a keyboard types the lines: who writes into a room has read it.
    pub has_reader: bool,
    /// Names of the commands about the window, with their slash; empty where lines are printed.
    pub window_commands: &'static [&'static str],
    /// Number of invalid input lines so far.
    pub input_errors: usize,
    /// Question for another username. It is open after a username was refused, until the user
    /// answers.
    pub name_question: NameQuestion,
    /// Names that the user ignores. Events with such names update this state as any other.
    pub ignore_list: SharedIgnoreList,
}

/// View state shared by screen and input reader, which run in different threads.
#[derive(Clone, Debug, Default)]
pub struct SharedViewState(Arc<Mutex<ViewState>>);

impl SharedViewState {
    /// Creates an empty view state with this dialect.
    #[must_use]
    pub fn with_dialect(dialect: Dialect) -> Self {
        Self(Arc::new(Mutex::new(ViewState { dialect, ..ViewState::default() })))
    }

    /// Locks the view state, calls a function with it, and returns the function's result. The
    /// function must not call `with` of the same state, because that would deadlock.
    pub fn with<T>(&self, with: impl FnOnce(&mut ViewState) -> T) -> T {
        // If a thread has panicked while it held the lock, the state is valid nevertheless, because
        // no update panics halfway.
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ViewState {
    /// Updates names, rooms, members, the target of typed lines, the older search and the name
    /// question for an event. Each [`Screen`](super::Screen) calls it for every event, before it
    /// shows the event.
    pub fn update(&mut self, event: &Event) {
        match event {
            Event::JoinedServer(joined) => {
                self.own_name = Some(joined.username.clone());
                self.rooms.clone_from(&joined.rooms);
                self.keep_selection_if_joined();
                self.members.clear();
                self.topics.clear();
                self.older_search.take_if(|_| joined.log_changed);
                if joined.log_changed {
                    self.recent_messages.clear();
                }
            }
            Event::JoinedMesh(admitted) => {
                self.own_name = Some(admitted.username.clone());
                self.rooms = vec![admitted.room.clone()];
                self.keep_selection_if_joined();
                self.members = BTreeMap::new();
                self.set_members(&admitted.room, admitted.members.iter());
            }
            Event::NameWanted { name, .. } => self.name_question.open(name),
            Event::Renamed { to, .. } => self.own_name = Some(to.clone()),
            Event::Message(message) => {
                let Message { from, sequence, session, person, .. } = message;
                self.ignore_list.note_author(from, *sequence, *session, *person);
                self.recent_messages.add(message);
            }
            Event::Direct(message) => {
                let DirectMessage { from, sequence, from_session, from_person, .. } = message;
                self.ignore_list.note_author(from, *sequence, *from_session, *from_person);
            }
            Event::Moderation(ModerationEvent::MessageRemoved { message, .. }) => {
                self.recent_messages.mark_removed(*message);
            }
            Event::Moderation(ModerationEvent::Topic { room, topic, .. }) => {
                let key = NameKey::of(room);
                match topic {
                    Some(topic) => self.topics.insert(key, topic.clone()),
                    None => self.topics.remove(&key),
                };
            }
            Event::Entered { room, .. } => {
                self.topics.remove(&NameKey::of(room));
                if !self.rooms.contains(room) {
                    self.rooms.push(room.clone());
                }
                if self.pending_room.take_if(|it| is_same_room(it, room)).is_some() {
                    self.selected_room = Some(room.clone());
                }
            }
            // Only requests to enter a room carry a tag.
            Event::Refused(refusal) if refusal.tag.0.is_some() => {
                let refused = self.pending_room.take_if(|it| enter_tag(it) == refusal.tag);
                // The reason may be that the room is joined already. Then select it.
                if let Some(room) = refused {
                    self.select_room(&room);
                }
            }
            Event::Left { room, .. } => {
                self.rooms.retain(|it| it != room);
                self.members.remove(&NameKey::of(room));
                self.topics.remove(&NameKey::of(room));
                if self.selected_room.as_ref() == Some(room) {
                    self.selected_room = None;
                }
            }
            Event::Roster { room, names, .. } => {
                self.set_members(room, names.iter().flatten());
            }
            Event::SearchResult(found) => self.older_search = found.older(),
            Event::Presence { room, joined, left, .. } => {
                let present = self.members.entry(NameKey::of(room)).or_default();
                let (Some(joined), Some(left)) = (joined, left) else {
                    present.clear();
                    return;
                };
                present.retain(|it| !left.contains(it) && !joined.contains(it));
                let free = MAX_MEMBERS_PER_ROOM.saturating_sub(present.len());
                present.extend(joined.iter().take(free).cloned());
                sort_names(present);
            }
            _ => {}
        }
    }

    /// Clears the selection if its room is not joined. Otherwise updates the room's spelling to the
    /// server's current one.
    fn keep_selection_if_joined(&mut self) {
        let Some(selected) = self.selected_room.take() else { return };
        self.selected_room = self.rooms.iter().find(|it| is_same_room(it, &selected)).cloned();
    }

    /// Returns the selector of the room to which typed lines go: the room being entered, otherwise
    /// the selected room, otherwise the first joined room.
    #[must_use]
    pub fn target_room(&self) -> RoomSelector {
        let chosen = self.pending_room.as_ref().or(self.selected_room.as_ref());
        chosen.cloned().map_or(RoomSelector::First, RoomSelector::Named)
    }

    /// Returns the name of the room to which typed lines go. A room that is being entered has the
    /// spelling that the user typed. Returns `None` if no room is joined or being entered.
    #[must_use]
    pub fn current_room(&self) -> Option<&str> {
        let chosen = self.pending_room.as_deref().or(self.selected_room.as_deref());
        chosen.or(self.rooms.first().map(String::as_str))
    }

    /// Updates the target of typed lines for a command that is about to be requested. Returns the
    /// tag that the request must carry.
    ///
    /// - `Enter` makes its room the target at once. Only `Enter` has a tag, by which its refusal is
    ///   recognized.
    /// - `Leave` of a named room clears the target if it is that room, even while the room is
    ///   being entered.
    /// - Other commands change nothing.
    pub fn prepare_request(&mut self, command: &ChatCommand) -> RequestTag {
        match command {
            ChatCommand::Enter { room } => {
                self.pending_room = Some(room.clone());
                enter_tag(room)
            }
            ChatCommand::Leave { room: RoomSelector::Named(room) } => {
                self.pending_room.take_if(|it| is_same_room(it, room));
                self.selected_room.take_if(|it| is_same_room(it, room));
                RequestTag::default()
            }
            _ => RequestTag::default(),
        }
    }

    /// Selects a room as the target of typed lines, and returns its name.
    ///
    /// - A joined room is selected, and takes the place of a room that is being entered. Its name
    ///   is returned in the server's spelling.
    /// - A room that is being entered is the target already. Its name is returned as typed.
    /// - For any other room, returns `None` and changes nothing.
    pub fn select_room(&mut self, room: &str) -> Option<String> {
        if let Some(pending_room) = self.pending_room.as_ref().filter(|it| is_same_room(it, room)) {
            return Some(pending_room.clone());
        }
        let found = self.rooms.iter().find(|it| is_same_room(it, room))?.clone();
        self.pending_room = None;
        self.selected_room = Some(found.clone());
        Some(found)
    }

    /// Returns the topic of the current room: that of [`Self::current_room`]. `None` if it has
    /// none, or none is known.
    #[must_use]
    pub fn current_topic(&self) -> Option<&str> {
        self.topics.get(&NameKey::of(self.current_room()?)).map(String::as_str)
    }

    /// Sets the members of a room.
    fn set_members<'a>(&mut self, room: &str, names: impl Iterator<Item = &'a String>) {
        let mut names: Vec<_> = names.take(MAX_MEMBERS_PER_ROOM).cloned().collect();
        sort_names(&mut names);
        self.members.insert(NameKey::of(room), names);
    }

    /// Returns the first `limit` names of the known members of a room, the user's own included,
    /// sorted, and the number of all.
    #[must_use]
    pub fn first_members(&self, room: &str, limit: usize) -> (Vec<String>, usize) {
        let names = self.members.get(&NameKey::of(room)).map_or(&[][..], Vec::as_slice);
        (names.iter().take(limit).cloned().collect(), names.len())
    }

    /// Returns the names of all known members of all rooms, the user's own included, sorted and
    /// without duplicates.
    #[must_use]
    pub fn member_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.members.values().flatten().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns true if more than one room is joined, so that displayed lines must name their room.
    #[must_use]
    pub fn has_several_rooms(&self) -> bool {
        self.rooms.len() > 1
    }
}

/// Sorts names by their keys.
fn sort_names(names: &mut [String]) {
    names.sort_by_cached_key(|it| NameKey::of(it));
}

/// Returns true if two spellings name the same room: their name keys are equal.
fn is_same_room(one: &str, other: &str) -> bool {
    NameKey::of(one) == NameKey::of(other)
}

/// Returns the tag of the request to enter a room. It holds the room's name as typed.
fn enter_tag(room: &str) -> RequestTag {
    RequestTag(Some(room.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        JoinedServer, Message, Refusal, Retention, SearchResult, Sequence, SessionId, Style,
        Timestamp,
    };

    /// Returns the state of a user in the lobby who has asked to enter the kitchen, and the
    /// request's tag.
    fn view_entering_kitchen() -> (ViewState, RequestTag) {
        let mut view = ViewState { rooms: vec!["lobby".to_owned()], ..ViewState::default() };
        let tag = view.prepare_request(&ChatCommand::Enter { room: "KITCHEN".to_owned() });
        (view, tag)
    }

    /// Returns the event that the kitchen has been entered.
    fn kitchen_entered() -> Event {
        Event::Entered { tag: RequestTag::default(), room: "kitchen".to_owned(), members: 1 }
    }

    /// Returns the selector of a named room.
    fn named_room(room: &str) -> RoomSelector {
        RoomSelector::Named(room.to_owned())
    }

    /// Typed lines go to a room as soon as the user asks to enter it, and after it is entered. If
    /// the request is refused, they go to the previous room. If the refused room is joined already,
    /// they go to that room.
    #[test]
    fn typed_lines_follow_request_to_enter_room() {
        let (mut view, tag) = view_entering_kitchen();
        assert_eq!(
            (view.target_room(), view.current_room()),
            (named_room("KITCHEN"), Some("KITCHEN"))
        );
        view.update(&kitchen_entered());
        assert_eq!(view.target_room(), named_room("kitchen"));
        let (mut view, _) = view_entering_kitchen();
        let refused = |tag: &RequestTag| {
            let (text, to, message) = (String::new().into(), String::new(), None);
            Event::Refused(Refusal { tag: tag.clone(), code: 1, text, to, message })
        };
        view.update(&refused(&RequestTag::default()));
        assert_eq!(view.target_room(), named_room("KITCHEN"));
        view.update(&refused(&tag));
        assert_eq!((view.target_room(), view.current_room()), (RoomSelector::First, Some("lobby")));
        // A room that is joined already cannot be entered, but it is selected.
        view.rooms.push("kitchen".to_owned());
        let tag = view.prepare_request(&ChatCommand::Enter { room: "Kitchen".to_owned() });
        view.update(&refused(&tag));
        assert_eq!(view.target_room(), named_room("kitchen"));
    }

    /// If the selected room is not joined after a reconnect, it is no longer the target of typed
    /// lines.
    #[test]
    fn selected_room_that_is_lost_on_reconnect_is_no_target() {
        let joined = |rooms: &[&str]| {
            Event::JoinedServer(JoinedServer {
                session: SessionId(1),
                username: "anna".to_owned(),
                server_name: String::new(),
                server_program: String::new(),
                rooms: rooms.iter().copied().map(str::to_owned).collect(),
                time: Timestamp(0),
                max_text: 4_096,
                is_durable: false,
                retention: Retention::default(),
                session_kept: true,
                position_kept: true,
                log_changed: false,
            })
        };
        let mut view = ViewState::default();
        view.update(&joined(&["lobby", "kitchen"]));
        view.select_room("kitchen");
        view.update(&joined(&["lobby", "Kitchen"]));
        assert_eq!(view.current_room(), Some("Kitchen"));
        view.update(&joined(&["lobby"]));
        assert_eq!((view.target_room(), view.current_room()), (RoomSelector::First, Some("lobby")));
    }

    /// After a search result, the older search is for the page before it. If there is no such page,
    /// there is no older search.
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
            person: None,
            lamport: None,
            tag: RequestTag::default(),
        };
        let search = SearchRequest { text: "tea".to_owned(), limit: 1, ..SearchRequest::default() };
        let mut found = SearchResult {
            tag: RequestTag::default(),
            search,
            messages: vec![message],
            more: true,
        };
        let mut view = ViewState::default();
        view.update(&Event::SearchResult(found.clone()));
        let older = view.older_search.clone().unwrap();
        assert_eq!(older, SearchRequest { before: Some(Sequence(7)), ..found.search.clone() });
        found.more = false;
        view.update(&Event::SearchResult(found));
        assert_eq!(view.older_search, None);
    }

    /// A switch to a room that is being entered is cancelled by leaving it, or by selecting another
    /// room.
    #[test]
    fn pending_room_is_dropped_by_leave_or_other_selection() {
        let (mut view, _) = view_entering_kitchen();
        view.prepare_request(&ChatCommand::Leave { room: view.target_room() });
        assert_eq!(view.target_room(), RoomSelector::First);
        view.update(&kitchen_entered());
        assert_eq!(view.target_room(), RoomSelector::First);

        let (mut view, _) = view_entering_kitchen();
        assert_eq!(view.select_room("kitchen").as_deref(), Some("KITCHEN"));
        assert_eq!(view.select_room("lobby").as_deref(), Some("lobby"));
        view.update(&kitchen_entered());
        assert_eq!(view.target_room(), named_room("lobby"));
        view.prepare_request(&ChatCommand::Leave { room: view.target_room() });
        assert_eq!(view.target_room(), RoomSelector::First);
    }
}
