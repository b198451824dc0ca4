//! Layer 0: the shared vocabulary of all layers: identifiers, names, texts, times, limits, error
//! codes, settings, and the requests and events between user interface and engines.
//!
//! A value with a type of its own was validated by that type's constructor. Do not validate it
//! again.

mod address;
mod address_group;
mod bucket;
mod code;
mod entry;
mod event;
mod fact;
mod fold;
mod id;
mod invitation;
mod length;
pub mod limits;
mod line;
mod moderation_command;
mod moderation_request;
mod moderation_text;
mod name;
mod network;
mod page_url;
mod peer;
mod read_mark;
mod request;
mod sanitize;
mod search;
mod sentence;
mod session;
#[cfg(feature = "server")]
mod session_references;
mod settings;
mod text;
mod time;

pub use address::{
    AddressError, HostAddress, Scheme, ServerAddress, instance_label, is_service_instance,
};
pub use address_group::AddressGroup;
pub use bucket::TokenBucket;
#[cfg(feature = "ui")]
pub use code::invited_name;
pub use code::{ErrorCode, NoticeCode};
pub use entry::{Draft, LogEntry, SharedEntry, Target};
pub use event::{
    ConnectionState, DirectMessage, Event, JoinedMesh, JoinedServer, Message, PeerReport,
    PeerRoute, Refusal, RosterNote, RosterStatus, SearchResult, Security,
};
#[cfg(feature = "ui")]
pub use event::{LINK_CODE_SECONDS, LinkCode};
pub use fact::{
    Actor, ClaimEnd, Fact, FactDraft, ModerationAction, NamedSession, RemovedMessage, Role,
    RoomSetting, Sanction, SanctionKind, Scope, SharedFact,
};
#[cfg(feature = "host-unicode")]
pub use fold::set_host_fold;
pub use id::{
    IdentityKey, LogId, Position, Reference, Sequence, ServerId, ServerIdError, SessionId, Token,
};
pub use invitation::{
    Invitation, InvitationCode, InvitationCodeError, InvitationHash, InvitationId,
    InvitationIdError, InvitationUses, InvitationUsesError,
};
pub use length::{SanctionLength, SanctionLengthError, SlowMode, SlowModeError};
pub use line::{LineError, Reason, Topic};
pub use moderation_command::{
    ListedRoom, ListedSanction, ModerationCommand, ModerationEvent, Place, Sanctioning, UserAction,
};
pub use moderation_request::{ModerationRequest, UserSelector};
pub use moderation_text::done_text;
#[cfg(feature = "ui")]
pub use name::NAME_RULE;
pub use name::{NameError, NameKey, RoomName, Username, strip_room_prefix};
pub use network::{IpNetwork, NetworkError};
pub use page_url::PageUrl;
pub use peer::{Lamport, Path, PathSet, PeerId, RoomClock};
pub use read_mark::{PersonReadMarks, ReadMark};
pub use request::{
    ChatCommand, ClaimAction, Command, Dialect, Password, PeerCommand, Request, RequestTag,
    RoomSelector, SearchRequest,
};
pub use sanitize::{
    REPLACEMENT, displayable_chars, is_unsafe_char, safe_line, safe_name, sanitize_text,
};
pub use search::{Phrase, SearchError, SearchQuery, SearchTerms};
#[cfg(feature = "link")]
pub use sentence::LinkSentence;
pub use sentence::Sentence;
#[cfg(feature = "peer")]
pub use sentence::{MeshSentence, rounded_duration};
pub use session::{SessionRecord, TokenHash};
#[cfg(feature = "server")]
pub use session_references::SessionReferences;
pub use settings::{Access, ClaimPolicy, HubSettings, Retention, SettingsError};
pub use text::{AnnouncementError, AnnouncementText, MessageText, Style, TextError};
pub use time::{Moment, Timestamp};
