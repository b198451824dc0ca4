//! What is asked of the link, on its way to the server.

use super::contract::{End, Output};
use super::outbox::Hints;
use super::{Leaving, Link, MAX_WAITING, MAX_WAITING_BYTES, Phase};
use crate::model::{
    Command, Event, MessageText, Moment, NameKey, Place, Refusal, Request, Tag, Task,
};
use crate::wire::tcp::feature;

/// Why a server that does not do it is not asked: it would never answer.
const CANNOT_SEARCH: &str = "This server cannot search.";

/// Messages that are sent before the first of them is acknowledged.
const MAX_ON_WIRE: usize = 64;

impl Link {
    /// Somebody wants something done. It is done now or, while there is no
    /// connection, in its turn when there is one again.
    pub(super) fn on_request(&mut self, now: Moment, request: Request) {
        let Request { tag, command } = request;
        match command {
            Command::Do(Task::History { place, before, limit }) => {
                let limit = limit.clamp(1, 100);
                self.take(tag, Task::History { place, before, limit });
            }
            Command::Do(Task::Search(search)) => self.take_search(tag, search),
            Command::Do(task) if task.message().is_some() => self.take_message(tag, task),
            Command::Do(task) => self.take(tag, task),
            Command::DoAsPeer(_) => self.show(Event::Refused(Refusal {
                tag,
                code: 0,
                text: "That can be done among peers only.".to_owned(),
                to: String::new(),
                message: None,
            })),
            Command::Password(password) => {
                self.settings.password = Some(password);
                if self.phase == Phase::Asking {
                    self.connect();
                }
            }
            Command::Finish { patience } => {
                self.leaving = Some(Leaving { patience, progress: now });
            }
            Command::Quit => self.leave(),
        }
    }

    /// Takes a message if its text may be sent at all.
    fn take_message(&mut self, tag: Tag, task: Task) {
        let text = task.message().unwrap_or_default();
        let most = self.welcome.as_ref().map(|it| it.max_text);
        let is_too_long = most.is_some_and(|most| text.len() > usize::from(most));
        match MessageText::new(text) {
            Ok(_) if !is_too_long => self.take(tag, task),
            Ok(_) => {
                let (have, most) = (text.len(), most.unwrap_or_default());
                let why = format!("The message has {have} bytes; the server takes {most}.");
                self.refuse(tag, 0, why, &task);
            }
            Err(wrong) => {
                let why = format!("Not sent: {wrong} (it has {} bytes).", text.len());
                self.refuse(tag, 0, why, &task);
            }
        }
    }

    /// Puts it in its place in the queue and sends what can be sent.
    pub(super) fn take(&mut self, tag: Tag, task: Task) {
        let bytes = self.outbox.bytes() + task.message().map_or(0, str::len);
        if self.outbox.len() >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            let why = format!(
                "Not sent: {} messages are waiting for the server already.",
                self.outbox.len()
            );
            self.refuse(tag, 0, why, &task);
            return;
        }
        self.outbox.push(tag, task);
        self.pump();
    }

    /// Sends everything that has not been sent on this connection, in
    /// order. Call it whenever there is something new, and after every
    /// answer.
    pub(super) fn pump(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        let Some(session) = self.sessions.last().copied() else {
            return;
        };
        let mut messages = self.outbox.messages_on_wire();
        while let Some(task) = self.outbox.next() {
            if messages >= MAX_ON_WIRE && task.message().is_some() {
                return;
            }
            messages += usize::from(task.message().is_some());
            let is_search = matches!(task, Task::Search(_));
            if is_search && self.features & feature::SEARCH == 0 {
                self.refuse_next(CANNOT_SEARCH);
                continue;
            }
            let (place, is_enter) = (task.place().cloned(), matches!(task, Task::Enter { .. }));
            match place.as_ref().map(|place| find_room(&self.rooms, place)) {
                Some(Ok(room)) => task.settle(&room),
                Some(Err(why)) => {
                    self.refuse_next(why);
                    continue;
                }
                None => {}
            }
            let target = task.target();
            let hints = Hints {
                pinned: if place.is_none() && !is_enter { self.pins.of(&target) } else { None },
                oldest: self.seen.oldest(&target),
            };
            if let Some(frame) = self.outbox.send_next(session, &hints) {
                self.put(Output::Send(frame));
            }
        }
    }

    /// Does not send what would be sent next.
    fn refuse_next(&mut self, why: &str) {
        if let Some(item) = self.outbox.drop_next() {
            self.refuse(item.tag, 0, why.to_owned(), &item.task);
        }
    }

    /// Ends because the server does not let us in.
    pub(super) fn turned_away(&mut self, code: u16, text: String) {
        let code = crate::model::ErrorCode::from_number(code);
        self.conclude(End::Refused { code, reason: text });
    }
}

/// Which room is meant. A name that is not among `rooms` is taken as it is:
/// its `enter` may be on the way, and the server knows best.
fn find_room(rooms: &[String], place: &Place) -> Result<String, &'static str> {
    match place {
        Place::Named(name) => {
            let key = NameKey::of(name);
            let known = rooms.iter().find(|it| NameKey::of(it) == key);
            Ok(known.unwrap_or(name).clone())
        }
        Place::Only if rooms.len() > 1 => Err("You are in several rooms: say which one."),
        Place::Only | Place::First => {
            rooms.first().cloned().ok_or("You are in no room: enter one first.")
        }
    }
}
