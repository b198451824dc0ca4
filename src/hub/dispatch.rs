//! A frame has come: `docs/protocol/tcp.md`, sections 15 and 16.

use super::Hub;
use super::contract::{ConnectionId, Now};
use crate::model::{ErrorCode, Reference};
use crate::wire::tcp::{ClientFrame, Error, Pong, Received};

impl Hub {
    /// Takes a frame. If something is being read for its connection, or has
    /// to be taken up by it first, the frame waits for its turn; if too many
    /// do, the log is at fault. (A client that takes nothing is not read
    /// either.)
    pub(super) fn received(&mut self, now: Now, id: ConnectionId, frame: Received<ClientFrame>) {
        let most = self.most_waiting;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_closing() {
            return;
        }
        connection.hear(now.moment);
        match connection.wait_or_pass(frame) {
            Some(frame) => self.process(now, id, frame),
            None if connection.waiting() > most => {
                self.fail(now, id, ErrorCode::Internal);
            }
            None => {}
        }
    }

    /// Takes up the frames that have waited, until one of them makes the
    /// others wait again. Call it when what was waited for is there.
    pub(super) fn process_waiting(&mut self, now: Now, id: ConnectionId) {
        while let Some(frame) = self.connections.get_mut(&id).and_then(|it| it.next_waiting()) {
            self.process(now, id, frame);
        }
    }

    /// Steps 3 to 9 of the page: deals with a frame whose turn has come.
    fn process(&mut self, now: Now, id: ConnectionId, frame: Received<ClientFrame>) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if let Some(code) = connection.fault(&frame) {
            let (kind, reference) = match &frame {
                Received::Frame(frame) => (frame.kind(), reference_of(frame)),
                Received::Malformed(kind) => (*kind, Reference::NONE),
                Received::Ignored => (0, Reference::NONE),
            };
            return self.close(now, id, Error::about(code, kind, reference));
        }
        let Received::Frame(frame) = frame else {
            return;
        };
        if is_request(&frame) && reference_of(&frame) == Reference::NONE {
            return self.refuse(id, ErrorCode::ReferenceInvalid, frame.kind(), Reference::NONE);
        }
        match (frame, connection.joined()) {
            (ClientFrame::Hello(hello), _) => self.hello(now, id, &hello),
            (ClientFrame::Join(join), _) => self.join(now, id, &join),
            (ClientFrame::Ping(ping), _) => self.deliver(id, Pong { token: ping.token }),
            (ClientFrame::Pong(_), _) | (_, None) => {}
            (ClientFrame::Say(say), Some(session)) => self.say(id, session, &say),
            (ClientFrame::Direct(direct), Some(session)) => {
                self.direct(now.moment, id, session, &direct);
            }
            (ClientFrame::Enter(enter), Some(session)) => {
                self.enter(now.moment, id, session, &enter);
            }
            (ClientFrame::Leave(leave), Some(session)) => {
                self.leave(now.moment, id, session, &leave);
            }
            (ClientFrame::History(history), Some(session)) => self.history(id, session, &history),
            (ClientFrame::Members(members), Some(session)) => self.members(id, session, &members),
            (ClientFrame::Search(search), Some(session)) => self.search(id, session, &search),
        }
    }

    /// Tells a connection that what it asked for was not done.
    pub(super) fn refuse(
        &mut self,
        id: ConnectionId,
        code: ErrorCode,
        kind: u16,
        reference: Reference,
    ) {
        self.deliver(id, Error::about(code, kind, reference));
    }
}

/// Whether a frame asks for something by a reference of its own, which must
/// be there. (Messages have references, too: `messages` checks those.)
const fn is_request(frame: &ClientFrame) -> bool {
    matches!(
        frame,
        ClientFrame::Enter(_)
            | ClientFrame::Leave(_)
            | ClientFrame::History(_)
            | ClientFrame::Members(_)
            | ClientFrame::Search(_)
    )
}

/// The reference of a frame, none if it has none.
const fn reference_of(frame: &ClientFrame) -> Reference {
    match frame {
        ClientFrame::Say(it) => it.reference,
        ClientFrame::Direct(it) => it.reference,
        ClientFrame::Enter(it) => it.reference,
        ClientFrame::Leave(it) => it.reference,
        ClientFrame::History(it) => it.reference,
        ClientFrame::Members(it) => it.reference,
        ClientFrame::Search(it) => it.reference,
        ClientFrame::Hello(_)
        | ClientFrame::Join(_)
        | ClientFrame::Ping(_)
        | ClientFrame::Pong(_) => Reference::NONE,
    }
}
