//! Everything that was asked of us and is not answered, in the order in
//! which it was asked. After a lost connection all of it is sent again.

use std::collections::VecDeque;

use crate::model::{Message, NameKey, Place, Reference, Sequence, SessionId, Tag, Task};
use crate::wire::tcp::{ClientFrame, Direct, Enter, History, Leave, Members, Say, Search};

impl Task {
    /// The kind of its frame.
    pub(super) const fn kind(&self) -> u16 {
        match self {
            Self::Say { .. } => 3,
            Self::Direct { .. } => 4,
            Self::Enter { .. } => 5,
            Self::Leave { .. } => 6,
            Self::History { .. } => 7,
            Self::Members { .. } => 8,
            Self::Search(_) => 11,
        }
    }

    /// Which room it is about.
    pub(super) const fn place(&self) -> Option<&Place> {
        match self {
            Self::Say { place, .. }
            | Self::Leave { place }
            | Self::History { place, .. }
            | Self::Members { place, .. } => Some(place),
            Self::Direct { .. } | Self::Enter { .. } | Self::Search(_) => None,
        }
    }

    /// Says which room it is about, once that is known.
    pub(super) fn settle(&mut self, name: &str) {
        match self {
            Self::Say { place, .. }
            | Self::Leave { place }
            | Self::History { place, .. }
            | Self::Members { place, .. } => *place = Place::Named(name.to_owned()),
            Self::Direct { .. } | Self::Enter { .. } | Self::Search(_) => {}
        }
    }

    /// What was to be said, if it is a message.
    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Say { text, .. } | Self::Direct { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whom or which room it is for, for people.
    pub(super) fn target(&self) -> String {
        match (self, self.place()) {
            (Self::Direct { to, .. }, _) => to.clone(),
            (Self::Search(search), _) => search.room.clone().unwrap_or_default(),
            (Self::Enter { room }, _) | (_, Some(Place::Named(room))) => room.clone(),
            _ => String::new(),
        }
    }

    /// Its frame, once its room is settled.
    fn frame(&self, reference: Reference, hints: &Hints, so_far: &[String]) -> ClientFrame {
        let room = self.target();
        match self {
            Self::Say { style, text, .. } => {
                Say { reference, room, style: style.0, text: text.clone() }.into()
            }
            Self::Direct { to, session, style, text } => Direct {
                reference,
                to: to.clone(),
                session: session.or(hints.pinned).unwrap_or(SessionId(0)),
                style: style.0,
                text: text.clone(),
            }
            .into(),
            Self::Enter { .. } => Enter { reference, room }.into(),
            Self::Leave { .. } => Leave { reference, room }.into(),
            Self::History { before, limit, .. } => History {
                reference,
                room,
                before: before.or(hints.oldest).unwrap_or_default(),
                limit: *limit,
            }
            .into(),
            Self::Members { .. } => {
                Members { reference, room, after: so_far.last().cloned().unwrap_or_default() }
                    .into()
            }
            Self::Search(search) => Search {
                reference,
                room,
                from: search.from.clone().unwrap_or_default(),
                text: search.text.clone(),
                since: search.since.unwrap_or_default(),
                until: search.until.unwrap_or_default(),
                before: search.before.unwrap_or_default(),
                limit: search.limit,
            }
            .into(),
        }
    }
}

/// What a frame may need to know from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hints {
    /// The session that answers to this name go to.
    pub(super) pinned: Option<SessionId>,
    /// The oldest entry of the room that was shown.
    pub(super) oldest: Option<Sequence>,
}

/// One thing that was asked.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The user interface's name for it.
    pub(super) tag: Tag,
    /// What it is.
    pub(super) task: Task,
    /// Names of members of the pages that have come.
    pub(super) so_far: Vec<String>,
    /// Messages that were found, while the answer is coming.
    pub(super) found: Vec<Message>,
    /// The number that it bears, and in which session.
    number: Option<(SessionId, Reference)>,
    /// It had a number in a log that is gone.
    was_sent: bool,

    /// It was sent on the connection that there is now.
    on_wire: bool,
}

impl Item {
    /// Something that is to be sent.
    const fn new(tag: Tag, task: Task, so_far: Vec<String>) -> Self {
        Self { tag, task, so_far, found: Vec::new(), number: None, was_sent: false, on_wire: false }
    }
}

/// All things that were asked, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The things.
    items: VecDeque<Item>,
    /// Bytes of the texts in them.
    bytes: usize,
    /// The last reference of a message in this session.
    last_message: Reference,
    /// The last reference of any other request.
    last_request: Reference,
}

impl Outbox {
    /// Nothing is unanswered.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many things are unanswered.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How much text they hold.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a thing behind the others.
    pub(super) fn push(&mut self, tag: Tag, task: Task) {
        self.bytes += task.message().map_or(0, str::len);
        self.items.push_back(Item::new(tag, task, Vec::new()));
    }

    /// How many messages are on the wire and not answered.
    pub(super) fn messages_on_wire(&self) -> usize {
        self.items.iter().filter(|item| item.on_wire && item.task.message().is_some()).count()
    }

    /// The connection is gone. A room that one has asked to leave counts as
    /// left, unless something that was said there before may have to be
    /// sent again. Gives those rooms.
    pub(super) fn forget_leaves(&mut self) -> Vec<(Tag, String)> {
        let mut left = Vec::new();
        let mut talked_in: Vec<NameKey> = Vec::new();
        self.items.retain(|item| {
            let key = NameKey::of(&item.task.target());
            match item.task {
                Task::Say { .. } => talked_in.push(key),
                Task::Leave { .. } if item.on_wire && !talked_in.contains(&key) => {
                    left.push((item.tag.clone(), item.task.target()));
                    return false;
                }
                _ => {}
            }
            true
        });
        left
    }

    /// A session has begun or goes on: which number comes next. Call it for
    /// each welcome, before anything is sent. In another log the numbers of a
    /// former session mean nothing: somebody else may have them.
    pub(super) fn welcome(
        &mut self,
        session_kept: bool,
        log_changed: bool,
        last_reference: Reference,
    ) {
        self.last_message =
            if session_kept { self.last_message.max(last_reference) } else { last_reference };
        for item in &mut self.items {
            item.on_wire = false;
            item.found.clear();
            if log_changed && !session_kept {
                item.was_sent |= item.number.take().is_some();
            }
        }
    }

    /// The first thing that is to be sent, if any. Afterwards either
    /// [`Outbox::send_next`] or [`Outbox::drop_next`] it.
    pub(super) fn next(&mut self) -> Option<&mut Task> {
        self.items.iter_mut().find(|item| !item.on_wire).map(|item| &mut item.task)
    }

    /// The frame for the first thing that is to be sent. A message that has
    /// a number in this session keeps it.
    pub(super) fn send_next(&mut self, session: SessionId, hints: &Hints) -> Option<ClientFrame> {
        let item = self.items.iter_mut().find(|item| !item.on_wire)?;
        let is_message = item.task.message().is_some();
        let kept = item.number.filter(|(within, _)| is_message && *within == session);
        let counter = if is_message { &mut self.last_message } else { &mut self.last_request };
        let reference = kept.map_or_else(
            || {
                *counter = counter.next();
                *counter
            },
            |(_, reference)| reference,
        );
        item.number = Some((session, reference));
        item.on_wire = true;
        Some(item.task.frame(reference, hints, &item.so_far))
    }

    /// Takes out the first thing that is to be sent.
    pub(super) fn drop_next(&mut self) -> Option<Item> {
        let at = self.items.iter().position(|item| !item.on_wire)?;
        self.remove(at)
    }

    /// Takes out the message with this number.
    pub(super) fn take_message(
        &mut self,
        session: SessionId,
        reference: Reference,
    ) -> Option<Item> {
        let at = self.items.iter().position(|item| {
            item.task.message().is_some() && item.number == Some((session, reference))
        })?;
        self.remove(at)
    }

    /// Takes out the request that was sent in a frame of this kind with this
    /// reference.
    pub(super) fn take_request(
        &mut self,
        session: SessionId,
        kind: u16,
        reference: Reference,
    ) -> Option<Item> {
        let at = self.items.iter().position(|item| {
            item.task.kind() == kind && item.on_wire && item.number == Some((session, reference))
        })?;
        self.remove(at)
    }

    /// The search whose answer is coming, if the messages that come now were
    /// asked for by one: requests are answered in their order.
    pub(super) fn searching(&mut self) -> Option<&mut Item> {
        let asks = |item: &&mut Item| matches!(item.task, Task::History { .. } | Task::Search(_));
        let first = self.items.iter_mut().filter(|item| item.on_wire).find(asks)?;
        matches!(first.task, Task::Search(_)).then_some(first)
    }

    /// Puts a request back in front, to be sent again: it needs more than
    /// one answer.
    pub(super) fn put_back(&mut self, tag: Tag, task: Task, so_far: Vec<String>) {
        self.items.push_front(Item::new(tag, task, so_far));
    }

    /// Takes out everything; tells of each whether it was ever sent.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Item, bool)> + '_ {
        self.bytes = 0;
        self.items.drain(..).map(|item| {
            let was_sent = item.was_sent || item.number.is_some();
            (item, was_sent)
        })
    }

    /// The server has told how it spells the room of an `enter` under way.
    /// Gives the request's tag.
    pub(super) fn entered(&mut self, reference: Reference, spelling: &str) -> Option<Tag> {
        self.items.iter_mut().find_map(|item| match &mut item.task {
            Task::Enter { room } if item.number.is_some_and(|(_, it)| it == reference) => {
                spelling.clone_into(room);
                Some(item.tag.clone())
            }
            _ => None,
        })
    }

    /// Takes out what stands at `at`.
    fn remove(&mut self, at: usize) -> Option<Item> {
        let item = self.items.remove(at)?;
        self.bytes = self.bytes.saturating_sub(item.task.message().map_or(0, str::len));
        Some(item)
    }
}

/// The sessions that were heard under a name, so that an answer goes to
/// whom it is meant for.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// Newest last.
    heard: VecDeque<(NameKey, SessionId)>,
}

impl Pins {
    /// How many are remembered.
    const MOST: usize = 1_000;

    /// Somebody with this name has written to us.
    pub(super) fn heard(&mut self, name: &str, session: SessionId) {
        self.forget(name);
        self.heard.push_back((NameKey::of(name), session));
        if self.heard.len() > Self::MOST {
            self.heard.pop_front();
        }
    }

    /// Who that was, if it was anybody.
    pub(super) fn of(&self, name: &str) -> Option<SessionId> {
        let key = NameKey::of(name);
        self.heard.iter().find(|(it, _)| *it == key).map(|(_, session)| *session)
    }

    /// The next message to this name may go to whoever holds it.
    pub(super) fn forget(&mut self, name: &str) {
        let key = NameKey::of(name);
        self.heard.retain(|(it, _)| *it != key);
    }

    /// Sessions mean nothing in another log.
    pub(super) fn clear(&mut self) {
        self.heard.clear();
    }
}
