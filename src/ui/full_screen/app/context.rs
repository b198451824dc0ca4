//! Stretches of a room's history: older messages of a conversation, and the messages around one that
//! was found.
//!
//! The lines of a conversation reach from its oldest message to the newest one of the room without a
//! hole. Messages around an older one are a conversation of their own, the [`Context`], until they
//! reach the conversation's oldest message; then they become part of it.
//!
//! The server gives only what is before a sequence, so newer messages are found by asking a step
//! ahead. As sequences are those of all rooms, a step may hold few messages of the room or none.

use std::collections::{BTreeMap, VecDeque};

use super::conversation::{Conversation, Older, Place, Scroll};
use super::line::MessageLine;
use super::{App, Output};
use crate::model::{ChatCommand, Command, NameKey, Request, RequestTag, RoomSelector, Sequence};
use crate::text;

/// Number of messages that are requested at a time; a server gives no more.
const PAGE: u16 = 100;

/// Number of sequences after a message that was found, or after those of a context, up to which newer
/// messages are requested at first. It is smaller than [`PAGE`], so that there can be no hole.
const STEP: u64 = 60;

/// What is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The messages before those of the conversation.
    Older,
    /// The messages around this one.
    Around(Sequence),
    /// The messages before those of the context.
    ContextOlder,
    /// The messages after those of the context.
    ContextNewer,
    /// Nothing any more: the user has gone elsewhere.
    Dropped,
}

/// Request for messages that is on its way. The server answers in order.
#[derive(Debug)]
pub(super) struct Load {
    /// Tag of the request.
    tag: RequestTag,
    /// Room.
    room: String,
    /// Messages before this one were requested; 0: the newest.
    before: Sequence,
    /// Maximum number of messages.
    limit: u16,
    /// What is requested.
    kind: Kind,
    /// What has come so far; `None` instead of a message whose author is ignored.
    messages: BTreeMap<Sequence, Option<MessageLine>>,
}

impl Load {
    /// Returns true if the messages around a found one are requested.
    pub(super) fn is_around(&self) -> bool {
        matches!(self.kind, Kind::Around(_))
    }

    /// Returns true if the context is to get the messages.
    const fn is_of_context(&self) -> bool {
        matches!(self.kind, Kind::ContextOlder | Kind::ContextNewer)
    }
}

/// Messages around an older one, in place of a conversation's own lines.
pub struct Context {
    /// Lines: messages of a room without a hole.
    pub conversation: Conversation,
    /// All messages of the room before this one, from the first line on, are here.
    covered: Sequence,
    /// Number of sequences from there up to which newer messages are requested next.
    step: u64,
}

impl App {
    /// Returns what is shown: the messages around one that was found, or else the conversation.
    #[must_use]
    pub fn shown(&self) -> &Conversation {
        match &self.context {
            Some(context) => &context.conversation,
            None => self.conversations.current(),
        }
    }

    /// Returns what is shown, to change it.
    pub(super) fn shown_mut(&mut self) -> &mut Conversation {
        match &mut self.context {
            Some(context) => &mut context.conversation,
            None => self.conversations.current_mut(),
        }
    }

    /// Returns true if something else than the end of the conversation is shown.
    #[must_use]
    pub fn is_reading_back(&self) -> bool {
        self.context.is_some() || self.conversations.current().scroll != Scroll::End
    }

    /// Shows a message where it was said, with what is around it.
    pub(super) fn open_context(&mut self, room: &str, sequence: Sequence) {
        let place = Place::Room(room.to_owned());
        let Some(index) = self.conversations.index_of(&place) else {
            let room = crate::ui::safe::safe_name(room);
            return self.note(&text!("note-not-in-room", room = room), true);
        };
        self.show_conversation(index);
        self.close_context();
        let conversation = self.conversations.current_mut();
        if let Some(at) = conversation.index_of_sequence(sequence) {
            conversation.marked = Some(sequence);
            return self.center(at);
        }
        let ahead = Sequence(sequence.0.saturating_add(1 + STEP));
        // The conversation's own lines begin there.
        let before = conversation.first_sequence().map_or(ahead, |it| it.min(ahead));
        self.load(room.to_owned(), before, PAGE, Kind::Around(sequence));
    }

    /// Returns to the conversation, and forgets which message was looked for.
    pub(super) fn close_context(&mut self) {
        self.context = None;
        self.conversations.current_mut().marked = None;
        for load in &mut self.loads {
            if load.is_around() || load.is_of_context() {
                load.kind = Kind::Dropped;
            }
        }
    }

    /// Shows this many older messages at the user's request.
    pub(super) fn show_older(&mut self, limit: u16) {
        self.close_context();
        let conversation = self.conversations.current_mut();
        if !matches!(conversation.place, Place::Room(_)) {
            return self.note(&text!("note-no-history"), true);
        }
        if conversation.older != Older::Requested {
            conversation.older = Older::Unknown;
        }
        self.load_older(limit);
    }

    /// Requests older messages of what is shown, unless they are on their way or there are none.
    pub(super) fn load_older(&mut self, limit: u16) {
        let kind = if self.context.is_some() { Kind::ContextOlder } else { Kind::Older };
        let shown = self.shown_mut();
        let Place::Room(room) = shown.place.clone() else { return };
        if shown.older != Older::Unknown {
            return;
        }
        shown.older = Older::Requested;
        let before = shown.first_sequence().unwrap_or_default();
        self.load(room, before, limit, kind);
    }

    /// Requests the messages after those of the context, unless they are on their way.
    pub(super) fn load_newer(&mut self) {
        if self.loads.iter().any(|it| it.kind == Kind::ContextNewer) || !self.connection.is_up() {
            return;
        }
        let Some(context) = &self.context else { return };
        let Place::Room(room) = context.conversation.place.clone() else { return };
        let ahead = Sequence(context.covered.0.saturating_add(context.step));
        let first = self.conversations.current().first_sequence();
        let before = first.map_or(ahead, |it| it.min(ahead));
        self.load(room, before, PAGE, Kind::ContextNewer);
    }

    /// Returns true if messages around a found one are on their way.
    #[must_use]
    pub(super) fn is_opening(&self) -> bool {
        self.loads.iter().any(Load::is_around)
    }

    /// Requests messages of a room.
    fn load(&mut self, room: String, before: Sequence, limit: u16, kind: Kind) {
        let tag = self.new_tag();
        let command = ChatCommand::History {
            room: RoomSelector::Named(room.clone()),
            before: Some(before),
            limit,
        };
        let request = Request { tag: tag.clone(), command: Command::Chat(command) };
        self.outputs.push_back(Output::Request(request));
        self.loads.push_back(Load { tag, room, before, limit, kind, messages: BTreeMap::new() });
    }

    /// Takes a requested message; `None` instead of one whose author is ignored. Gives it back if
    /// none was requested of this room. A message comes again if the connection was lost meanwhile.
    pub(super) fn take_loaded(
        &mut self,
        room: &str,
        sequence: Sequence,
        line: Option<MessageLine>,
    ) -> Option<MessageLine> {
        let key = NameKey::of(room);
        match self.loads.front_mut().filter(|it| NameKey::of(&it.room) == key) {
            Some(load) => {
                if load.messages.len() < usize::from(load.limit) {
                    load.messages.insert(sequence, line);
                }
                None
            }
            None => line,
        }
    }

    /// Shows the messages of a request whose answer is complete. `more`: there are older ones.
    /// Returns false if none has this tag.
    pub(super) fn finish_load(&mut self, tag: &RequestTag, more: bool) -> bool {
        let Some(load) = self.take_load(tag) else { return false };
        match load.kind {
            Kind::Older => self.add_older(load, more),
            Kind::Around(sequence) => self.show_around(load, sequence, more),
            Kind::ContextOlder => {
                let older = if more { Older::Unknown } else { Older::None };
                if let Some(context) = &mut self.context {
                    context.conversation.older = older;
                }
                self.add_to_context(load.messages);
            }
            Kind::ContextNewer => self.add_newer(load),
            Kind::Dropped => {}
        }
        true
    }

    /// Forgets a request that was refused. Scrolling requests the messages again.
    pub(super) fn fail_load(&mut self, tag: &RequestTag) {
        let Some(load) = self.take_load(tag) else { return };
        let conversation = match load.kind {
            Kind::Older => self.conversations.find_mut(&Place::Room(load.room)),
            Kind::ContextOlder => self.context.as_mut().map(|it| &mut it.conversation),
            Kind::Around(_) | Kind::ContextNewer | Kind::Dropped => None,
        };
        if let Some(conversation) = conversation {
            conversation.older = Older::Unknown;
        }
    }

    /// Takes out the request with this tag; `None` if there is none.
    fn take_load(&mut self, tag: &RequestTag) -> Option<Load> {
        let at = self.loads.iter().position(|it| it.tag == *tag)?;
        self.loads.remove(at)
    }

    /// Adds older messages to a conversation, unless it begins elsewhere now.
    fn add_older(&mut self, load: Load, more: bool) {
        let lines = self.numbered(load.messages);
        let Some(conversation) = self.conversations.find_mut(&Place::Room(load.room)) else {
            return;
        };
        let first = conversation.first_sequence();
        let fits = load.before == Sequence::default() || first == Some(load.before);
        conversation.older = if more || !fits { Older::Unknown } else { Older::None };
        if fits {
            conversation.add_all(lines);
        }
    }

    /// Shows the messages around one that was found.
    fn show_around(&mut self, load: Load, sequence: Sequence, more: bool) {
        let mut conversation = Conversation::new(Place::Room(load.room));
        conversation.older = if more { Older::Unknown } else { Older::None };
        conversation.marked = Some(sequence);
        conversation.add_all(self.numbered(load.messages));
        if conversation.lines().is_empty() {
            return self.note(&text!("note-message-gone"), true);
        }
        self.context = Some(Context { conversation, covered: load.before, step: STEP });
        self.join_context();
        let conversation = self.shown();
        // If it is there no more, the one before it.
        let last = conversation.lines().len().saturating_sub(1);
        let at = conversation.index_of_sequence(sequence).unwrap_or(last);
        self.center(at);
    }

    /// Adds newer messages to the context, unless there may be a hole before them. If there are
    /// none, asks further ahead.
    fn add_newer(&mut self, load: Load) {
        let is_full = load.messages.len() >= usize::from(load.limit);
        let Some(context) = &mut self.context else { return };
        let covered = context.covered;
        let mut fresh = load.messages;
        let is_overlapping = fresh.first_key_value().is_some_and(|(first, _)| *first < covered);
        fresh.retain(|it, _| *it >= covered);
        if is_full && !is_overlapping {
            context.step = context.step.div_ceil(4);
            return self.load_newer();
        }
        if fresh.len() < usize::from(PAGE / 4) {
            context.step = context.step.saturating_mul(2);
        }
        context.covered = covered.max(load.before);
        let is_empty = !fresh.values().any(Option::is_some);
        self.add_to_context(fresh);
        let has_end = self.conversations.current().first_sequence().is_some();
        if !self.join_context() && is_empty && has_end {
            self.load_newer();
        }
        self.fill_window();
    }

    /// Adds messages to the context.
    fn add_to_context(&mut self, messages: BTreeMap<Sequence, Option<MessageLine>>) {
        let lines = self.numbered(messages);
        if let Some(context) = &mut self.context {
            // What is read stays where it is while lines are added below.
            if context.conversation.scroll == Scroll::End
                && let Some(last) = context.conversation.lines().back()
            {
                context.conversation.scroll = Scroll::At { line: last.id, below: 0 };
            }
            context.conversation.add_all(lines);
        }
    }

    /// Makes the context part of the conversation, if nothing is missing between them. Returns true
    /// if it does, or if there is no context.
    fn join_context(&mut self) -> bool {
        let first = self.conversations.current().first_sequence();
        let is_apart = |it: &Context| first.is_none_or(|first| first > it.covered);
        if self.context.as_ref().is_some_and(is_apart) {
            return false;
        }
        let Some(Context { conversation, .. }) = self.context.take() else { return true };
        for load in self.loads.iter_mut().filter(|it| it.kind == Kind::ContextOlder) {
            load.kind = Kind::Older;
        }
        let lowest = match conversation.scroll {
            Scroll::At { line, below } => Some((conversation.index_of(line), below)),
            Scroll::End => None,
        };
        let lowest = lowest.and_then(|(at, below)| Some((conversation.sequence_at(at)?, below)));
        let current = self.conversations.current_mut();
        current.older = conversation.older;
        current.marked = conversation.marked;
        current.take_older(conversation);
        // Of a message that was in both, the conversation has kept its own line.
        let lowest = lowest.and_then(|(sequence, below)| {
            let line = current.lines().get(current.index_of_sequence(sequence)?)?.id;
            Some(Scroll::At { line, below })
        });
        current.scroll = lowest.unwrap_or_default();
        true
    }

    /// Gives messages the numbers of lines.
    fn numbered(
        &mut self,
        messages: BTreeMap<Sequence, Option<MessageLine>>,
    ) -> Vec<(super::LineId, MessageLine)> {
        messages.into_values().flatten().map(|it| (self.line_id(), it)).collect()
    }
}

/// Requests that are on their way, oldest first.
pub(super) type Loads = VecDeque<Load>;
