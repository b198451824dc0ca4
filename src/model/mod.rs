//! Floor 0: the words that everything else is said in.
//!
//! A value that has a type of its own here has been validated by that type's
//! constructor, and nobody checks it again.

mod address;
mod bucket;
mod code;
mod entry;
mod event;
mod id;
pub mod limits;
mod name;
mod peer;
mod request;
mod safe;
mod search;
mod session;
mod settings;
mod text;
mod time;

pub use address::{AddressError, HostAddress, instance, is_entry};
pub use bucket::TokenBucket;
pub use code::{ErrorCode, NoticeCode};
pub use entry::{Draft, Logged, SharedEntry, Target};
pub use event::{
    Admitted, DirectMessage, Event, Found, Joined, Message, PeerReport, Reach, Refusal, State,
};
pub use id::{LogId, Position, Reference, Sequence, ServerId, ServerIdError, SessionId, Token};
pub use name::{NameError, NameKey, RoomName, Username};
pub use peer::{Heard, Lamport, PeerId, RoomClock, Way};
pub use request::{Command, Password, PeerTask, Place, Request, Search, Tag, Task};
pub use safe::{REPLACEMENT, is_dangerous, safe_text};
pub use search::{Phrase, SearchError, SearchQuery, SearchText};
pub use session::{SessionRecord, TokenHash};
pub use settings::{HubSettings, Retention, SettingsError};
pub use text::{MessageText, Style, TextError};
pub use time::{Moment, Timestamp};
