//! Dispatch of received frames: `docs/protocol/tcp.md`, sections 15 and 16.

use super::Hub;
use super::contract::{ConnectionId, Now};
use crate::model::{ErrorCode, Reference};
use crate::wire::tcp::{ClientFrame, Decoded, Error, FrameClass, Pong};

impl Hub {
    /// Handles a received frame, or defers it while the connection is blocked. Restarts the
    /// connection's ping and idle timers. Ignores frames of unknown or closing connections.
    ///
    /// If too many frames or bytes are deferred, closes the connection with error `internal`. The
    /// client reconnects, and sends its unanswered messages again.
    pub(super) fn handle_received(
        &mut self,
        now: Now,
        id: ConnectionId,
        frame: Decoded<ClientFrame>,
    ) {
        let limit = self.max_deferred_frames;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_closing() {
            return;
        }
        connection.record_activity(now.moment);
        match connection.defer_if_blocked(frame) {
            Some(frame) => self.process_frame(now, id, frame),
            None if connection.has_deferred_too_much(limit) => {
                self.close_with_code(now, id, ErrorCode::Internal);
            }
            None => {}
        }
    }

    /// Handles the deferred frames in order, until one of them blocks the connection again or
    /// closes it. Call it whenever the connection may be unblocked.
    pub(super) fn process_deferred(&mut self, now: Now, id: ConnectionId) {
        while let Some(frame) = self.connections.get_mut(&id).and_then(|it| it.next_deferred()) {
            self.process_frame(now, id, frame);
        }
    }

    /// Checks and dispatches a frame (`docs/protocol/tcp.md`, section 15, steps 3 to 9). Call it
    /// when the frame need not be deferred. Closes the connection if the frame violates the
    /// protocol. Answers a request with reference 0 by an error. Ignores [`Decoded::Ignored`]. A
    /// request of [`FrameClass::ChargedRequest`], or a person's read mark, may have to wait first
    /// (`throttle`).
    fn process_frame(&mut self, now: Now, id: ConnectionId, frame: Decoded<ClientFrame>) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if let Some(code) = connection.protocol_violation(&frame) {
            let (kind, reference) = match &frame {
                Decoded::Frame(frame) => (frame.kind(), frame.reference()),
                Decoded::Malformed(kind) => (*kind, Reference::NONE),
                Decoded::Ignored => (0, Reference::NONE),
            };
            return self.close_with_error(now, id, Error::about(code, kind, reference));
        }
        let Decoded::Frame(frame) = frame else {
            return;
        };
        // `check_reference` checks the references of messages.
        let is_request =
            matches!(frame.class(), FrameClass::RoomRequest | FrameClass::ChargedRequest);
        if is_request && frame.reference() == Reference::NONE {
            return self.send_request_error(
                id,
                ErrorCode::ReferenceInvalid,
                frame.kind(),
                Reference::NONE,
            );
        }
        if let Some(frame) = self.throttle(now, id, frame) {
            self.handle_frame(now, id, frame);
        }
    }

    /// Dispatches a frame to its handler. The frame must have passed the checks of `process_frame`,
    /// and its tokens of the rate limit must be taken. Ignores requests and messages of a
    /// connection that has not joined.
    pub(super) fn handle_frame(&mut self, now: Now, id: ConnectionId, frame: ClientFrame) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        match (frame, connection.joined_session()) {
            (ClientFrame::Hello(hello), _) => self.handle_hello(now, id, &hello),
            (ClientFrame::Join(join), _) => self.handle_join(now, id, &join),
            (ClientFrame::Ping(ping), _) => self.send_frame(id, Pong { token: ping.token }),
            (ClientFrame::Replicate(request), _) => self.handle_replicate(now, id, &request),
            (ClientFrame::Replicated(taken), _) => self.handle_replicated(id, &taken),
            (ClientFrame::Pong(_), _) | (_, None) => {}
            (ClientFrame::Say(say), Some(session)) => {
                self.handle_say(now.moment, id, session, &say)
            }
            (ClientFrame::Direct(direct), Some(session)) => {
                self.handle_direct(now.moment, id, session, &direct);
            }
            (ClientFrame::Enter(enter), Some(session)) => {
                self.handle_enter(now, id, session, &enter);
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
            (ClientFrame::Sanctions(request), Some(session)) => {
                self.handle_sanctions(id, session, &request);
            }
            (ClientFrame::Directory(request), Some(_)) => self.handle_directory(id, &request),
            (ClientFrame::Claim(claim), Some(session)) => {
                self.handle_claim(now.moment, id, session, &claim);
            }
            (ClientFrame::MarkRead(mark), Some(session)) => {
                self.handle_mark_read(now.moment, id, session, &mark);
            }
            (
                frame @ (ClientFrame::Topic(_)
                | ClientFrame::Remove(_)
                | ClientFrame::Moderate(_)
                | ClientFrame::Announce(_)
                | ClientFrame::Role(_)),
                Some(session),
            ) => self.handle_moderation_frame(now, id, session, &frame),
        }
    }

    /// Sends an error frame that answers the request of this kind and reference. The connection
    /// stays open.
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
