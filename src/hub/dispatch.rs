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
    pub(super) fn handle_received(
        &mut self,
        now: Now,
        id: ConnectionId,
        frame: Received<ClientFrame>,
    ) {
        let most = self.max_deferred_frames;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_closing() {
            return;
        }
        connection.record_activity(now.moment);
        match connection.defer_if_blocked(frame) {
            Some(frame) => self.process_frame(now, id, frame),
            None if connection.deferred_count() > most => {
                self.close_with_code(now, id, ErrorCode::Internal);
            }
            None => {}
        }
    }

    /// Takes up the frames that have waited, until one of them makes the
    /// others wait again. Call it when what was waited for is there.
    pub(super) fn process_deferred(&mut self, now: Now, id: ConnectionId) {
        while let Some(frame) = self.connections.get_mut(&id).and_then(|it| it.next_deferred()) {
            self.process_frame(now, id, frame);
        }
    }

    /// Steps 3 to 9 of the page: deals with a frame whose turn has come.
    fn process_frame(&mut self, now: Now, id: ConnectionId, frame: Received<ClientFrame>) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if let Some(code) = connection.protocol_violation(&frame) {
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
        if requires_reference(&frame) && reference_of(&frame) == Reference::NONE {
            return self.send_request_error(
                id,
                ErrorCode::ReferenceInvalid,
                frame.kind(),
                Reference::NONE,
            );
        }
        match (frame, connection.joined_session()) {
            (ClientFrame::Hello(hello), _) => self.handle_hello(now, id, &hello),
            (ClientFrame::Join(join), _) => self.handle_join(now, id, &join),
            (ClientFrame::Ping(ping), _) => self.send_frame(id, Pong { token: ping.token }),
            (ClientFrame::Pong(_), _) | (_, None) => {}
            (ClientFrame::Say(say), Some(session)) => self.handle_say(id, session, &say),
            (ClientFrame::Direct(direct), Some(session)) => {
                self.handle_direct(now.moment, id, session, &direct);
            }
            (ClientFrame::Enter(enter), Some(session)) => {
                self.handle_enter(now.moment, id, session, &enter);
            }
            (ClientFrame::Leave(leave), Some(session)) => {
                self.handle_leave(now.moment, id, session, &leave);
            }
            (ClientFrame::History(history), Some(session)) => {
                self.handle_history(id, session, &history);
            }
            (ClientFrame::Members(members), Some(session)) => {
                self.handle_members(id, session, &members);
            }
            (ClientFrame::Search(search), Some(session)) => {
                self.handle_search(id, session, &search)
            }
        }
    }

    /// Tells a connection that what it asked for was not done.
    pub(super) fn send_request_error(
        &mut self,
        id: ConnectionId,
        code: ErrorCode,
        kind: u16,
        reference: Reference,
    ) {
        self.send_frame(id, Error::about(code, kind, reference));
    }
}

/// Whether a frame asks for something by a reference of its own, which must
/// be there. (Messages have references, too: `messages` checks those.)
const fn requires_reference(frame: &ClientFrame) -> bool {
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
