//! The clients' moderation frames as requests: `docs/protocol/tcp.md`, sections 14 and 21.

use super::super::Hub;
use super::super::contract::{ConnectionId, Now};
use super::proposals::{Requester, parse_length};
use crate::model::{
    Actor, AnnouncementText, ErrorCode, ModerationRequest, NamedSession, Reason, Role, RoomName,
    RoomSetting, SanctionKind, Scope, SessionId, SlowMode, Topic, UserSelector, Username,
};
use crate::wire::tcp::{
    AnnounceRequest, ClientFrame, Moderate, Remove, RoleRequest, TopicRequest, action, flag, role,
};

impl Hub {
    /// Handles a frame that asks for a moderation action: refuses it, or requests the action. What is
    /// wrong with its texts is told only to those who are permitted to do this.
    pub(in super::super) fn handle_moderation_frame(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        frame: &ClientFrame,
    ) {
        let (about, reference) = (frame.kind(), frame.reference());
        let requester = Requester::Client { connection: id, about, reference };
        let parsed = match frame {
            ClientFrame::Topic(it) => parse_topic(it),
            ClientFrame::Remove(it) => parse_remove(it),
            ClientFrame::Moderate(it) => parse_moderate(it),
            ClientFrame::Announce(it) => parse_announce(it),
            ClientFrame::Role(it) => parse_role(it),
            _ => return,
        };
        let ParsedRequest { request, problem } = match parsed {
            Ok(parsed) => parsed,
            Err((scope, code)) => {
                let key = scope.as_ref().and_then(Scope::room).map(RoomName::key);
                let number = self.number_of(session);
                let is_guest = scope.is_some() && !self.moderation.has_role_in(number, key);
                let code = if is_guest { ErrorCode::NotPermitted } else { code };
                return self.answer_moderation(&requester, Err(code));
            }
        };
        let Some(username) = self.sessions.get(session).map(|it| it.username.clone()) else {
            return;
        };
        let actor = Actor::Session(NamedSession { session: self.number_of(session), username });
        self.request_moderation(now, requester, actor, request, problem);
    }
}

/// Request of a frame.
struct ParsedRequest {
    /// The request. An invalid name or reason is left out, or replaced by a placeholder.
    request: ModerationRequest,
    /// What is wrong with the frame. It is told only to those who are permitted to do this.
    problem: Option<ErrorCode>,
}

impl ParsedRequest {
    /// Returns a request with nothing wrong.
    const fn new(request: ModerationRequest) -> Self {
        Self { request, problem: None }
    }
}

/// Error of a frame that stands for no request, and the scope in which its sender must have a role
/// to be told; `None`: any sender is told.
type FrameError = (Option<Scope>, ErrorCode);

/// Parses the name of a room.
fn parse_room(name: &str) -> Result<RoomName, FrameError> {
    RoomName::new(name).map_err(|_| (None, ErrorCode::RoomInvalid))
}

/// Parses the name of a room; empty: the whole server.
fn parse_scope(name: &str) -> Result<Scope, FrameError> {
    if name.is_empty() { Ok(Scope::Server) } else { parse_room(name).map(Scope::Room) }
}

/// Parses a reason; empty: none. Also returns what is wrong with it.
fn parse_reason(text: &str) -> (Option<Reason>, Option<ErrorCode>) {
    match Reason::new(text) {
        _ if text.is_empty() => (None, None),
        Ok(reason) => (Some(reason), None),
        Err(_) => (None, Some(ErrorCode::TextInvalid)),
    }
}

/// Parses the name of a user and the session that must hold it; 0: any session. Also returns what
/// is wrong with the name; the selector has a placeholder then.
fn parse_user(name: &str, session: SessionId) -> (UserSelector, Option<ErrorCode>) {
    let session = (session != SessionId(0)).then_some(session);
    match Username::new(name) {
        Ok(username) => (UserSelector { username, session }, None),
        Err(_) => {
            // A session that nobody has, so that the placeholder means nobody.
            let (username, session) = (Username::from_text(""), Some(SessionId(0)));
            (UserSelector { username, session }, Some(ErrorCode::RecipientUnknown))
        }
    }
}

/// Parses `topic`.
fn parse_topic(frame: &TopicRequest) -> Result<ParsedRequest, FrameError> {
    let room = parse_room(&frame.room)?;
    let (topic, problem) = match Topic::new(&frame.text) {
        _ if frame.text.is_empty() => (None, None),
        Ok(topic) => (Some(topic), None),
        Err(_) => (None, Some(ErrorCode::TextInvalid)),
    };
    let request = ModerationRequest::SetRoom { room, setting: RoomSetting::Topic(topic) };
    Ok(ParsedRequest { request, problem })
}

/// Parses `remove`.
fn parse_remove(frame: &Remove) -> Result<ParsedRequest, FrameError> {
    let room = parse_room(&frame.room)?;
    let (reason, problem) = parse_reason(&frame.reason);
    let request = ModerationRequest::Remove { room, message: frame.sequence, reason };
    Ok(ParsedRequest { request, problem })
}

/// Parses `announce`.
fn parse_announce(frame: &AnnounceRequest) -> Result<ParsedRequest, FrameError> {
    let scope = parse_scope(&frame.room)?;
    match AnnouncementText::new(&frame.text) {
        Ok(text) => Ok(ParsedRequest::new(ModerationRequest::Announce { scope, text })),
        Err(_) => Err((Some(scope), ErrorCode::TextInvalid)),
    }
}

/// Parses `role`. An unknown role is not permitted.
fn parse_role(frame: &RoleRequest) -> Result<ParsedRequest, FrameError> {
    let scope = parse_scope(&frame.room)?;
    let role = match frame.role {
        role::NONE => None,
        role::MODERATOR => Some(Role::Moderator),
        role::OWNER => Some(Role::Owner),
        _ => return Err((None, ErrorCode::NotPermitted)),
    };
    let (user, problem) = parse_user(&frame.username, frame.session);
    let request = ModerationRequest::SetRole { scope, user, role };
    Ok(ParsedRequest { request, problem })
}

/// Parses `moderate`. An unknown action and a number out of range are not permitted.
fn parse_moderate(frame: &Moderate) -> Result<ParsedRequest, FrameError> {
    let not_permitted = || (None, ErrorCode::NotPermitted);
    let (reason, wrong_reason) = parse_reason(&frame.reason);
    let number = frame.action;
    if let action::SLOW | action::MODERATED = number {
        let room = parse_room(&frame.room)?;
        let setting = match (number, frame.seconds) {
            (action::SLOW, seconds) => u16::try_from(seconds)
                .ok()
                .and_then(|it| SlowMode::from_seconds(it).ok())
                .map(RoomSetting::SlowMode),
            (_, 0 | 1) => Some(RoomSetting::Moderated(frame.seconds == 1)),
            _ => None,
        };
        let setting = setting.ok_or_else(not_permitted)?;
        let request = ModerationRequest::SetRoom { room, setting };
        return Ok(ParsedRequest { request, problem: wrong_reason });
    }
    let scope = parse_scope(&frame.room)?;
    if !(action::KICK..=action::UNMUTE).contains(&number) {
        return Err(not_permitted());
    }
    let seconds = if let action::BAN | action::MUTE = number { frame.seconds } else { 0 };
    let length = parse_length(seconds).ok_or_else(not_permitted)?;
    let (user, wrong_name) = parse_user(&frame.username, frame.session);
    let username = user.username.clone();
    let request = match number {
        action::KICK => ModerationRequest::Kick { scope, user, reason },
        action::BAN => ModerationRequest::Ban {
            scope,
            user,
            length,
            by_address: frame.flags & flag::BY_ADDRESS != 0,
            is_dry_run: frame.flags & flag::DRY_RUN != 0,
            reason,
        },
        action::MUTE => ModerationRequest::Mute { scope, user, length, reason },
        action::UNBAN => {
            ModerationRequest::EndSanction { kind: SanctionKind::Ban, scope, username }
        }
        _ => ModerationRequest::EndSanction { kind: SanctionKind::Mute, scope, username },
    };
    Ok(ParsedRequest { request, problem: wrong_reason.or(wrong_name) })
}
