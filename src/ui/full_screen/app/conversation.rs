//! Conversation: the lines of a room or of the direct messages with one person, what of it is
//! unread, and how far it is scrolled.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::line::{Content, Line, LineId, MessageLine, PendingMessage, PresenceLine};
use crate::model::{NameKey, RequestTag, Sequence, Style};
use crate::text;
use crate::ui::full_screen::composer::Draft;
use crate::ui::safe::safe_name;

/// Maximum number of lines kept of a conversation. Beyond it, the oldest are forgotten.
const MAX_LINES: usize = 10_000;

/// Maximum length of the texts kept of a conversation, in bytes. Beyond it, the oldest lines are
/// forgotten.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What a conversation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// What the program says before the user is in a room.
    Start,
    /// A room, in the server's spelling.
    Room(String),
    /// Direct messages with one person.
    Direct(String),
}

impl Place {
    /// Returns the label of the place: `#lobby`, `@bob`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Start => text!("place-start"),
            Self::Room(room) => format!("#{}", safe_name(room)),
            Self::Direct(name) => format!("@{}", safe_name(name)),
        }
    }

    /// Returns true if both are the same, in any spelling.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Start, Self::Start) => true,
            (Self::Room(one), Self::Room(other)) | (Self::Direct(one), Self::Direct(other)) => {
                NameKey::of(one) == NameKey::of(other)
            }
            _ => false,
        }
    }
}

/// What calls for the user's attention in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// Every message.
    All,
    /// Messages that name the user.
    Mentions,
    /// Nothing.
    Nothing,
}

impl Attention {
    /// Returns true if a message calls for it.
    #[must_use]
    pub const fn is_for(self, is_mention: bool) -> bool {
        match self {
            Self::All => true,
            Self::Mentions => is_mention,
            Self::Nothing => false,
        }
    }
}

/// How far a conversation is scrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scroll {
    /// At its end: new lines are shown as they come.
    #[default]
    End,
    /// The lowest row that is shown belongs to this line; `below` more rows of it are hidden below
    /// the window.
    At {
        /// The line.
        line: LineId,
        /// Number of its rows below the window.
        below: usize,
    },
}

/// State of the request for older messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Older {
    /// There may be older messages.
    #[default]
    Unknown,
    /// They were requested.
    Requested,
    /// There are none.
    None,
    /// There may be some, but no more lines are kept.
    Full,
}

/// Lines of a room or of the direct messages with one person.
pub struct Conversation {
    /// What it is about.
    pub place: Place,
    /// Lines, oldest first.
    lines: VecDeque<Line>,
    /// Length of all texts, in bytes.
    bytes: usize,
    /// The user's messages on their way, in the order in which they were sent. They are shown below
    /// the lines.
    pending: Vec<PendingMessage>,
    /// Number of messages that the user has not seen.
    pub unread: usize,
    /// Number of those that name the user or are direct messages.
    pub mentions: usize,
    /// First line that was new when the user looked here; a mark is shown above it. `None`: no mark.
    pub new_from: Option<LineId>,
    /// How far the user has read on another device, or earlier; `None`: not known.
    pub read_mark: Option<Sequence>,
    /// How far the user has read, as this device has told or was told; `None`: not yet.
    pub told_mark: Option<Sequence>,
    /// True once the history that the user got when they came has been shown: what is missing then
    /// was missed.
    pub has_history: bool,
    /// How far it is scrolled.
    pub scroll: Scroll,
    /// State of the request for older messages.
    pub older: Older,
    /// What the user was typing here.
    pub draft: Draft,
    /// Number of people, as far as it is known.
    pub people: Option<u32>,
    /// True if the user has written here.
    pub has_own: bool,
    /// Message that the user has looked for, which is marked; `None`: none.
    pub marked: Option<Sequence>,
}

impl Conversation {
    /// Creates an empty conversation.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self {
            place,
            lines: VecDeque::new(),
            bytes: 0,
            pending: Vec::new(),
            unread: 0,
            mentions: 0,
            new_from: None,
            read_mark: None,
            told_mark: None,
            has_history: false,
            scroll: Scroll::default(),
            older: Older::default(),
            draft: Draft::default(),
            people: None,
            has_own: false,
            marked: None,
        }
    }

    /// Returns the lines, oldest first.
    #[must_use]
    pub const fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// Returns the user's messages on their way, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[PendingMessage] {
        &self.pending
    }

    /// Returns the index of a line. If it is gone, returns that of the oldest line after it.
    #[must_use]
    pub fn index_of(&self, id: LineId) -> usize {
        // Ids do not grow with the index where older messages were added later.
        self.lines.iter().position(|it| it.id == id).unwrap_or(0)
    }

    /// Returns the index of the message with this sequence; `None` if it is not here.
    #[must_use]
    pub fn index_of_sequence(&self, sequence: Sequence) -> Option<usize> {
        self.lines.iter().position(|it| sequence_of(it) == Some(sequence))
    }

    /// Returns the sequence of the message with this index; `None` if there is none.
    #[must_use]
    pub fn sequence_at(&self, index: usize) -> Option<Sequence> {
        self.lines.get(index).and_then(sequence_of)
    }

    /// Adds messages, as [`Self::add_message`] does, which are neither new nor missed.
    pub fn add_all(&mut self, messages: Vec<(LineId, MessageLine)>) {
        for (id, message) in messages {
            let _ = self.add_message(id, message);
        }
    }

    /// Adds a message. One of the server's log is placed by its sequence, and replaces the one that
    /// is there already; others go to the end. Returns true if it was not there before.
    pub fn add_message(&mut self, id: LineId, message: MessageLine) -> bool {
        self.has_own |= message.own;
        let at = match message.sequence {
            Some(sequence) => match self.place_of(sequence) {
                Ok(at) => {
                    if let Some(line) = self.lines.get_mut(at) {
                        self.bytes = self.bytes.saturating_sub(bytes_of(line)) + message.text.len();
                        line.content = Content::Message(message);
                    }
                    return false;
                }
                Err(at) => at,
            },
            None => self.lines.len(),
        };
        self.insert(at, Line { id, content: Content::Message(message) });
        true
    }

    /// Returns the index of the message with this sequence, or as an error the index at which it is
    /// to be inserted: directly before the next later message, or else at the end.
    fn place_of(&self, sequence: Sequence) -> Result<usize, usize> {
        // Nearly always the message is the latest, so this begins at the end.
        let mut place = self.lines.len();
        for (at, line) in self.lines.iter().enumerate().rev() {
            match sequence_of(line) {
                Some(it) if it == sequence => return Ok(at),
                Some(it) if it < sequence => break,
                Some(_) => place = at,
                None => {}
            }
        }
        Err(place)
    }

    /// Adds a text of the program.
    pub fn add_note(&mut self, id: LineId, text: String, is_error: bool) {
        let content = Content::Note { text, is_error };
        self.insert(self.lines.len(), Line { id, content });
    }

    /// Returns the program's texts at the end, at most three, oldest first.
    #[must_use]
    pub fn last_notes(&self) -> Vec<String> {
        let notes = self.lines.iter().rev().map_while(|it| match &it.content {
            Content::Note { text, .. } => Some(text.clone()),
            Content::Message(_) | Content::Presence(_) => None,
        });
        let mut notes: Vec<_> = notes.take(3).collect();
        notes.reverse();
        notes
    }

    /// Returns true if no more lines are kept: adding one forgets the oldest.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines.len() >= MAX_LINES || self.bytes + usize::from(u16::MAX) >= MAX_BYTES
    }

    /// Adds people who have come or left, to the last line if that is about such changes too.
    pub fn add_presence(&mut self, id: LineId, joined: &[String], left: &[String]) {
        if joined.is_empty() && left.is_empty() {
            return;
        }
        let has_room = |it: &Line| match &it.content {
            Content::Presence(line) => !line.is_full(),
            Content::Message(_) | Content::Note { .. } => false,
        };
        if !self.lines.back().is_some_and(has_room) {
            let content = Content::Presence(PresenceLine::default());
            self.insert(self.lines.len(), Line { id, content });
        }
        if let Some(Line { content: Content::Presence(line), .. }) = self.lines.back_mut() {
            left.iter().for_each(|it| line.leave(it));
            joined.iter().for_each(|it| line.join(it));
        }
    }

    /// Adds a message of the user that is on its way.
    pub fn add_pending(&mut self, pending: PendingMessage) {
        self.has_own = true;
        self.pending.push(pending);
    }

    /// Removes a message from those on their way, because its answer has come. Returns it; `None`
    /// if there is none with this tag.
    pub fn take_pending(&mut self, tag: &RequestTag) -> Option<PendingMessage> {
        let at = self.pending.iter().position(|it| it.tag == *tag)?;
        Some(self.pending.remove(at))
    }

    /// Replaces the text of a message by a note that it was removed. Returns true if it was there.
    pub fn remove_message(&mut self, sequence: Sequence) -> bool {
        let line = self.lines.iter_mut().find(|it| sequence_of(it) == Some(sequence));
        let Some(Line { content: Content::Message(message), .. }) = line else { return false };
        self.bytes = self.bytes.saturating_sub(message.text.len());
        message.style = Style::REMOVED;
        message.text.clear();
        true
    }

    /// Returns the sequence of the oldest message of the server's log; `None` if there is none.
    #[must_use]
    pub fn first_sequence(&self) -> Option<Sequence> {
        self.lines.iter().find_map(sequence_of)
    }

    /// Returns the sequence of the latest message of the server's log; `None` if there is none.
    #[must_use]
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.lines.iter().rev().find_map(sequence_of)
    }

    /// Removes all lines. Messages on their way stay.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.scroll = Scroll::End;
        self.new_from = None;
        if self.older != Older::Requested {
            self.older = Older::Unknown;
        }
    }

    /// Marks everything as seen: the user looks at the end of the conversation.
    pub const fn mark_seen(&mut self) {
        self.unread = 0;
        self.mentions = 0;
    }

    /// Notes that the user looks away: what comes from now on is new to them.
    pub const fn look_away(&mut self) {
        if self.unread == 0 {
            self.new_from = None;
        }
    }

    /// Returns true if a message is new to the user, although it was there before they came: it is
    /// beyond what they have read, or was missed.
    #[must_use]
    pub fn is_missed(&self, sequence: Option<Sequence>) -> bool {
        match (self.read_mark, sequence) {
            (Some(read), Some(sequence)) => sequence > read,
            _ => self.has_history,
        }
    }

    /// Notes that the user has read this far on another device. What is beyond stays unread.
    pub fn read_elsewhere(&mut self, sequence: Sequence) {
        self.read_mark = Some(sequence);
        self.told_mark = Some(sequence);
        let is_beyond = |it: &&Line| sequence_of(it).is_some_and(|it| it > sequence);
        let messages = self.lines.iter().rev().take_while(is_beyond_or_other(sequence));
        let messages = messages.filter(is_beyond).filter_map(|it| match &it.content {
            Content::Message(message) if !message.own => Some(message.is_mention),
            _ => None,
        });
        let (mut count, mut mentions) = (0, 0);
        for is_mention in messages {
            count += 1;
            mentions += usize::from(is_mention);
        }
        self.unread = self.unread.min(count);
        self.mentions = self.mentions.min(mentions);
        if self.unread == 0 {
            self.new_from = None;
        }
    }

    /// Adds the messages of another conversation, which are older. Lines about other things are
    /// left out.
    pub fn take_older(&mut self, other: Self) {
        let messages = other.lines.into_iter().filter_map(|it| match it.content {
            Content::Message(message) => Some((it.id, message)),
            Content::Presence(_) | Content::Note { .. } => None,
        });
        self.add_all(messages.collect());
    }

    /// Notes that the server's log is another one: no message here has a place in it.
    pub fn forget_log(&mut self) {
        for line in &mut self.lines {
            if let Content::Message(message) = &mut line.content {
                message.sequence = None;
            }
        }
        (self.read_mark, self.marked, self.older) = (None, None, Older::Unknown);
    }

    /// Inserts a line, and forgets the oldest ones beyond the limits.
    fn insert(&mut self, at: usize, line: Line) {
        self.bytes += bytes_of(&line);
        self.lines.insert(at, line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            if let (Scroll::At { line, .. }, Some(next)) = (self.scroll, self.lines.front())
                && line == oldest.id
            {
                self.scroll = Scroll::At { line: next.id, below: 0 };
            }
            self.bytes = self.bytes.saturating_sub(bytes_of(&oldest));
            // What was forgotten can be requested again.
            if self.older == Older::None {
                self.older = Older::Unknown;
            }
        }
    }
}

/// Returns a function that is false for a message that is not beyond this sequence.
fn is_beyond_or_other(sequence: Sequence) -> impl Fn(&&Line) -> bool {
    move |line| sequence_of(line).is_none_or(|it| it > sequence)
}

/// Returns the sequence of a message of the server's log; `None` for other lines.
const fn sequence_of(line: &Line) -> Option<Sequence> {
    match &line.content {
        Content::Message(message) => message.sequence,
        Content::Presence(_) | Content::Note { .. } => None,
    }
}

/// Returns the length of a line's texts, in bytes.
const fn bytes_of(line: &Line) -> usize {
    match &line.content {
        Content::Message(message) => message.text.len(),
        Content::Presence(_) => 0,
        Content::Note { text, .. } => text.len(),
    }
}
