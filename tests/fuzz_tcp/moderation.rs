//! Moderation for the checks of the hub: frames of clients and requests of the command line, from
//! random bytes.

use super::bytes::Bytes;
use pi_chat::model::{
    AnnouncementText, Invitation, InvitationCode, InvitationUses, ModerationRequest, Reason,
    Reference, Role, RoomName, RoomSetting, SanctionKind, SanctionLength, Scope, Sequence,
    SessionId, SlowMode, Topic, UserSelector, Username,
};
use pi_chat::wire::tcp::{
    AnnounceRequest, Claim, ClientFrame, Directory, MarkRead, Moderate, Remove, RoleRequest,
    SanctionsRequest, TopicRequest,
};

/// Returns a moderation frame of a client. Many are invalid, and most clients may do nothing.
pub(crate) fn frame(reference: Reference, bytes: &mut Bytes<'_>) -> ClientFrame {
    let room = bytes.name();
    match bytes.u8() % 9 {
        0 => TopicRequest { reference, room, text: bytes.text() }.into(),
        1 => {
            let sequence = Sequence(bytes.number());
            Remove { reference, room, sequence, reason: bytes.text() }.into()
        }
        2 => SanctionsRequest { reference, room }.into(),
        3 => Directory { reference }.into(),
        4 => AnnounceRequest { reference, room, text: bytes.text() }.into(),
        5 => {
            let (username, session) = (bytes.name(), SessionId(bytes.number()));
            RoleRequest { reference, room, username, session, role: bytes.u8() % 4 }.into()
        }
        6 => Claim { reference, action: bytes.u8() % 6, code_hash: [bytes.u8() % 3; 32] }.into(),
        7 => MarkRead { room, sequence: Sequence(bytes.number()) }.into(),
        _ => Moderate {
            reference,
            action: bytes.u8() % 9,
            room,
            username: bytes.name(),
            session: SessionId(bytes.number() % 4),
            seconds: u32::try_from(bytes.number() % (1 << 32)).unwrap(),
            flags: bytes.u8() % 4,
            reason: bytes.text(),
        }
        .into(),
    }
}

/// Returns one of the few codes that invitations have here.
pub(crate) fn code(number: u8) -> InvitationCode {
    InvitationCode::from_random([number % 3; 10])
}

/// Returns a request of the command line; `None` if the bytes name nobody and no room.
pub(crate) fn owner_request(bytes: &mut Bytes<'_>) -> Option<ModerationRequest> {
    let kind = bytes.u8() % 16;
    let room = RoomName::new(&bytes.name()).ok();
    let scope = room.clone().map_or(Scope::Server, Scope::Room);
    let username = Username::new(&bytes.name()).ok()?;
    let session = Some(SessionId(bytes.number())).filter(|it| it.0 % 4 == 1);
    let user = UserSelector { username: username.clone(), session };
    let reason = Reason::new(&bytes.text()).ok();
    // Most sanctions end soon, so that a run goes on.
    let seconds = u32::try_from(bytes.number() % 1_000).unwrap();
    let length = SanctionLength::from_seconds(seconds).unwrap();
    let number = bytes.u8();
    Some(match kind {
        0..4 => {
            let role = [None, Some(Role::Moderator), Some(Role::Owner), Some(Role::Owner)];
            let role = role[usize::from(number % 4)];
            ModerationRequest::SetRole { scope, user, role }
        }
        4 | 5 => ModerationRequest::Kick { scope, user, reason },
        6 => {
            let (by_address, is_dry_run) = (number.is_multiple_of(8), number.is_multiple_of(3));
            ModerationRequest::Ban { scope, user, length, by_address, is_dry_run, reason }
        }
        7 => ModerationRequest::Mute { scope, user, length, reason },
        8 | 9 => {
            let is_ban = number.is_multiple_of(2);
            let kind = if is_ban { SanctionKind::Ban } else { SanctionKind::Mute };
            ModerationRequest::EndSanction { kind, scope, username }
        }
        10 | 11 => {
            let setting = match number % 3 {
                0 => RoomSetting::Topic(Topic::new(&bytes.text()).ok()),
                1 => RoomSetting::SlowMode(SlowMode::from_seconds(u16::from(number % 8)).unwrap()),
                _ => RoomSetting::Moderated(number.is_multiple_of(8)),
            };
            ModerationRequest::SetRoom { room: room?, setting }
        }
        12 => {
            let text = AnnouncementText::new(&bytes.text()).ok()?;
            ModerationRequest::Announce { scope, text }
        }
        13 => {
            let hash = code(number).hash();
            match number % 8 {
                0 => ModerationRequest::RevokeInvitation { id: hash.id() },
                1 => ModerationRequest::ReleaseClaim { username },
                _ => {
                    let uses = InvitationUses::new(1 + u16::from(number % 3)).unwrap();
                    let username = Some(username).filter(|_| number.is_multiple_of(4));
                    let permits_claim = !number.is_multiple_of(5);
                    let invitation = Invitation { hash, username, uses, length, permits_claim };
                    ModerationRequest::MakeInvitation(invitation)
                }
            }
        }
        _ => {
            let message = Sequence(bytes.number());
            ModerationRequest::Remove { room: room?, message, reason }
        }
    })
}
