//! Moderation commands of the server's owner: `chat-server role`, `kick`, `ban` and so on. They
//! reach the server on this machine over the control socket.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use super::control::{self, ControlArgs, NoAnswer};
use super::invitations::{ClaimsArgs, InvitationsArgs};
use super::moderation_output::{
    write_claims, write_invitations, write_roles, write_rooms, write_sanctions,
};
use crate::model::{
    ModerationRequest, Reason, Role, RoomName, RoomSetting, SanctionKind, SanctionLength, Scope,
    Sequence, SessionId, SlowMode, Topic, UserSelector, Username,
};
use crate::os::Clock;
use crate::server::{ControlAnswer, ControlList, ControlRequest};

/// Text for the owner if the server does not answer a request for a moderation action.
const PERHAPS_DONE: &str = "it may have been done, or will be when the server can write to its disk (`chat-server audit` shows what was done; `bans`, `role list`, `rooms`, `invitations` and `claims` show what is in force)";

/// Moderation commands.
#[derive(Debug, Subcommand)]
pub(super) enum ModerationCommand {
    /// Give, take away and list roles: owners and moderators of the server or of a room
    ///
    /// A role belongs to the session of whoever has the name now, and comes back with them when
    /// they reconnect. Somebody who loses what their client has saved, or is away for more than
    /// a day, loses the role: give it again.
    #[command(subcommand)]
    Role(RoleCommand),

    /// Send somebody out of the server or of a room; they may come back
    Kick(KickArgs),

    /// Keep somebody out of the server or of a room
    ///
    /// It applies to the name and to whoever has it now, under every name. It survives a
    /// restart, and ends by itself. A second ban of the same name replaces the first one.
    Ban(BanArgs),

    /// Lift a ban
    Unban(LiftArgs),

    /// List the bans and mutes in force
    Bans(ListArgs),

    /// Keep somebody from writing, on the server or in a room
    Mute(MuteArgs),

    /// Lift a mute
    Unmute(LiftArgs),

    /// Let everybody write in a room only once in an interval
    Slow(SlowArgs),

    /// Let only moderators and owners write in a room
    Moderated(ModeratedArgs),

    /// Set the topic of a room; without a text, remove it
    Topic(TopicArgs),

    /// List the rooms that exist, with their topics
    Rooms(ListArgs),

    /// Remove a message: its text is overwritten in the database at once
    ///
    /// Clients show a placeholder in its place. Backups that were made before keep the text.
    Remove(RemoveArgs),

    /// List the invitations made with `chat-server invite --code`, or revoke one
    ///
    /// The codes are not kept, so they cannot be listed. An invitation that is over or used up is
    /// listed for another 30 days.
    Invitations(InvitationsArgs),

    /// List the claimed names, or release one
    ///
    /// A claimed name is kept for whoever has the key with which it was claimed.
    Claims(ClaimsArgs),
}

/// Commands for roles.
#[derive(Debug, Subcommand)]
pub(super) enum RoleCommand {
    /// Give a role
    Add(RoleAddArgs),
    /// Take a role away
    Remove(RoleRemoveArgs),
    /// List the roles in force
    List(ListArgs),
}

/// Flags of a command for the whole server or one room.
#[derive(Args, Debug)]
struct ScopeArgs {
    /// Only in this room [default: on the whole server]
    #[arg(long, value_name = "ROOM", value_parser = RoomName::new)]
    room: Option<RoomName>,
}

impl ScopeArgs {
    /// Returns the scope that the flags select.
    fn scope(&self) -> Scope {
        self.room.clone().map_or(Scope::Server, Scope::Room)
    }
}

/// Role on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// May remove messages, send people out, ban and mute, and set topics and modes
    Moderator,
    /// May also make moderators
    Owner,
}

impl From<RoleName> for Role {
    /// Returns the role with this name.
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Moderator => Self::Moderator,
            RoleName::Owner => Self::Owner,
        }
    }
}

/// Arguments of `role add`.
#[derive(Args, Debug)]
pub(super) struct RoleAddArgs {
    /// Who gets it: a name that is in use now, or was used last by somebody who may come back
    #[arg(value_parser = Username::new)]
    name: Username,

    /// The role
    role: RoleName,

    /// Only if this session has the name now, as `role list`, `audit` and `export` show it
    #[arg(long, value_name = "NUMBER")]
    session: Option<u64>,

    /// Where the role counts.
    #[command(flatten)]
    scope: ScopeArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `role remove`.
#[derive(Args, Debug)]
pub(super) struct RoleRemoveArgs {
    /// Who loses it: the name now, or the one that `role list` shows
    #[arg(value_parser = Username::new)]
    name: Username,

    /// Which session, if `role list` shows several of this name; without it the one that has the
    /// name now, or else the first one
    #[arg(long, value_name = "NUMBER")]
    session: Option<u64>,

    /// Where the role counts.
    #[command(flatten)]
    scope: ScopeArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of a command that lists something.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Print one JSON object (docs/status.md)
    #[arg(long)]
    json: bool,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `kick`.
#[derive(Args, Debug)]
pub(super) struct KickArgs {
    /// Name of the person
    #[arg(value_parser = Username::new)]
    name: Username,

    /// Reason, which the person is told
    #[arg(long, value_name = "TEXT", value_parser = Reason::new)]
    reason: Option<Reason>,

    /// Where.
    #[command(flatten)]
    scope: ScopeArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `ban`.
#[derive(Args, Debug)]
pub(super) struct BanArgs {
    /// Name of the person, who need not be in
    #[arg(value_parser = Username::new)]
    name: Username,

    /// For how long: 10m, 2h, 3d or forever
    #[arg(value_name = "LENGTH", default_value = "forever")]
    length: SanctionLength,

    /// Also ban the address that they have now, and so everybody in the same house. Says how many
    /// people that would send out, and does it only with --yes
    #[arg(long)]
    address: bool,

    /// With --address, really do it
    #[arg(long, requires = "address")]
    yes: bool,

    /// Reason, which the person is told
    #[arg(long, value_name = "TEXT", value_parser = Reason::new)]
    reason: Option<Reason>,

    /// Where.
    #[command(flatten)]
    scope: ScopeArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `mute`.
#[derive(Args, Debug)]
pub(super) struct MuteArgs {
    /// Name of the person, who need not be in
    #[arg(value_parser = Username::new)]
    name: Username,

    /// For how long: 10m, 2h, 3d or forever
    #[arg(value_name = "LENGTH", default_value = "forever")]
    length: SanctionLength,

    /// Reason, which the person is told
    #[arg(long, value_name = "TEXT", value_parser = Reason::new)]
    reason: Option<Reason>,

    /// Where.
    #[command(flatten)]
    scope: ScopeArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `unban` and `unmute`.
#[derive(Args, Debug)]
pub(super) struct LiftArgs {
    /// The name that `bans` shows
    #[arg(value_parser = Username::new)]
    name: Username,

    /// Where.
    #[command(flatten)]
    scope: ScopeArgs,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `slow`.
#[derive(Args, Debug)]
pub(super) struct SlowArgs {
    /// Room
    #[arg(value_parser = RoomName::new)]
    room: RoomName,

    /// Time between two messages of one person: 10s, 1m, up to 1h, or off
    #[arg(value_name = "INTERVAL")]
    interval: SlowMode,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Switch on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Switch it on
    On,
    /// Switch it off
    Off,
}

/// Arguments of `moderated`.
#[derive(Args, Debug)]
pub(super) struct ModeratedArgs {
    /// Room
    #[arg(value_parser = RoomName::new)]
    room: RoomName,

    /// Whether
    switch: Switch,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `topic`.
#[derive(Args, Debug)]
pub(super) struct TopicArgs {
    /// Room
    #[arg(value_parser = RoomName::new)]
    room: RoomName,

    /// The topic: one line
    #[arg(value_name = "TEXT", value_parser = Topic::new)]
    topic: Option<Topic>,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

/// Arguments of `remove`.
#[derive(Args, Debug)]
pub(super) struct RemoveArgs {
    /// Room of the message
    #[arg(value_parser = RoomName::new)]
    room: RoomName,

    /// Sequence of the message, as `chat-server export` and `chat-client --json` show it
    #[arg(value_name = "SEQUENCE")]
    message: u64,

    /// Reason, for the audit log and the clients
    #[arg(long, value_name = "TEXT", value_parser = Reason::new)]
    reason: Option<Reason>,

    /// Control socket.
    #[command(flatten)]
    socket: ControlArgs,
}

impl ModerationCommand {
    /// Performs the command, and prints the result or the error. Returns exit code 0 if it was
    /// carried out, otherwise 1.
    pub(super) fn run(self) -> ExitCode {
        match self.perform() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                super::print_error(&error);
                ExitCode::FAILURE
            }
        }
    }

    /// Performs the command, and prints the result.
    ///
    /// # Errors
    /// The server cannot be reached, does not answer in time, or refuses. Or a ban by address was
    /// not confirmed.
    fn perform(self) -> Result<()> {
        match self {
            Self::Role(command) => command.perform(),
            Self::Ban(command) => command.perform(),
            Self::Bans(command) => command.print(ControlList::Sanctions),
            Self::Rooms(command) => command.print(ControlList::Rooms),
            Self::Invitations(command) => command.perform(),
            Self::Claims(command) => command.perform(),
            Self::Kick(KickArgs { name, reason, scope, socket }) => {
                let user = holder_of(name);
                act(&socket, ModerationRequest::Kick { scope: scope.scope(), user, reason })
            }
            Self::Mute(MuteArgs { name, length, reason, scope, socket }) => {
                let (scope, user) = (scope.scope(), holder_of(name));
                act(&socket, ModerationRequest::Mute { scope, user, length, reason })
            }
            Self::Unban(command) => command.lift(SanctionKind::Ban),
            Self::Unmute(command) => command.lift(SanctionKind::Mute),
            Self::Slow(SlowArgs { room, interval, socket }) => {
                let setting = RoomSetting::SlowMode(interval);
                act(&socket, ModerationRequest::SetRoom { room, setting })
            }
            Self::Moderated(ModeratedArgs { room, switch, socket }) => {
                let setting = RoomSetting::Moderated(switch == Switch::On);
                act(&socket, ModerationRequest::SetRoom { room, setting })
            }
            Self::Topic(TopicArgs { room, topic, socket }) => {
                let setting = RoomSetting::Topic(topic);
                act(&socket, ModerationRequest::SetRoom { room, setting })
            }
            Self::Remove(RemoveArgs { room, message, reason, socket }) => {
                let message = Sequence(message);
                act(&socket, ModerationRequest::Remove { room, message, reason })
            }
        }
    }
}

impl RoleCommand {
    /// Performs the command, and prints the result.
    ///
    /// # Errors
    /// As [`ModerationCommand::perform`].
    fn perform(self) -> Result<()> {
        match self {
            Self::Add(RoleAddArgs { name, role, session, scope, socket }) => {
                let user = UserSelector { username: name, session: session.map(SessionId) };
                let (scope, role) = (scope.scope(), Some(role.into()));
                act(&socket, ModerationRequest::SetRole { scope, user, role })
            }
            Self::Remove(RoleRemoveArgs { name, session, scope, socket }) => {
                let user = UserSelector { username: name, session: session.map(SessionId) };
                let scope = scope.scope();
                act(&socket, ModerationRequest::SetRole { scope, user, role: None })
            }
            Self::List(command) => command.print(ControlList::Roles),
        }
    }
}

impl BanArgs {
    /// Bans a user. For a ban by address that is not confirmed by `--yes`, only asks how many
    /// people it would hit.
    ///
    /// # Errors
    /// As [`ModerationCommand::perform`].
    fn perform(self) -> Result<()> {
        let is_dry_run = self.address && !self.yes;
        let request = ModerationRequest::Ban {
            scope: self.scope.scope(),
            user: holder_of(self.name),
            length: self.length,
            by_address: self.address,
            is_dry_run,
            reason: self.reason,
        };
        if is_dry_run {
            let people = people(moderate(&self.socket, request)?);
            bail!("nothing was done yet: this would send out {people}. To do it, add --yes");
        }
        act(&self.socket, request)
    }
}

impl LiftArgs {
    /// Lifts a sanction of this kind.
    ///
    /// # Errors
    /// As [`ModerationCommand::perform`]; also if there is no such sanction.
    fn lift(self, kind: SanctionKind) -> Result<()> {
        let Self { name: username, scope, socket } = self;
        let shown = username.as_str().to_owned();
        let lift = ModerationRequest::EndSanction { kind, scope: scope.scope(), username };
        if moderate(&socket, lift)? == 0 {
            bail!("nothing was done: {shown} is neither banned nor muted like that");
        }
        print("done\n")
    }
}

impl ListArgs {
    /// Queries a list from the server and prints it.
    ///
    /// # Errors
    /// As [`ModerationCommand::perform`].
    pub(super) fn print(&self, list: ControlList) -> Result<()> {
        let (answer, line) = request(&self.socket, &ControlRequest::List(list))?;
        if self.json {
            return print(&line);
        }
        print(&match answer {
            ControlAnswer::Roles(roles) => write_roles(&roles),
            ControlAnswer::Sanctions(sanctions) => write_sanctions(&sanctions),
            ControlAnswer::Rooms(rooms) => write_rooms(&rooms),
            ControlAnswer::Invitations(invitations) => {
                write_invitations(&invitations, Clock::start().time_of_day())
            }
            ControlAnswer::Claims(claims) => write_claims(&claims),
            _ => bail!("the server's answer was not expected"),
        })
    }
}

/// Selects whoever holds a username.
const fn holder_of(username: Username) -> UserSelector {
    UserSelector { username, session: None }
}

/// Performs a moderation action, and prints how many people it has hit.
///
/// # Errors
/// As [`moderate`].
fn act(socket: &ControlArgs, request: ModerationRequest) -> Result<()> {
    let hit = moderate(socket, request)?;
    print(&if hit == 0 { "done\n".to_owned() } else { format!("done: {}\n", people(hit)) })
}

/// Asks the server to perform a moderation action. Returns the number of people that it has hit.
///
/// # Errors
/// The server cannot be reached or refuses. Or it does not answer in time; then the text says that
/// the action may have been performed.
pub(super) fn moderate(socket: &ControlArgs, action: ModerationRequest) -> Result<u32> {
    match request_action(socket, &ControlRequest::Moderate(action))?.0 {
        ControlAnswer::Done(hit) => Ok(hit),
        _ => bail!("the server's answer was not expected"),
    }
}

/// Asks the server to do something. Returns the answer, parsed and as a line of JSON.
///
/// # Errors
/// As [`moderate`].
pub(super) fn request_action(
    socket: &ControlArgs,
    action: &ControlRequest,
) -> Result<(ControlAnswer, String)> {
    request(socket, action)
        .map_err(|error| if error.is::<NoAnswer>() { error.context(PERHAPS_DONE) } else { error })
}

/// Sends a request over the control socket. Returns the answer, parsed and as a line of JSON.
///
/// # Errors
/// The server cannot be reached, does not answer in time, or refuses.
fn request(socket: &ControlArgs, request: &ControlRequest) -> Result<(ControlAnswer, String)> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    let answer = control::exchange(&socket.locate()?, &line)?;
    // A server of an older version sends its status, whatever the request is.
    match serde_json::from_str(&answer)
        .context("the server has another version than this program, so nothing was done")?
    {
        ControlAnswer::Error(problem) => bail!("the server refused: {problem}"),
        parsed => Ok((parsed, answer)),
    }
}

/// Formats a number of people.
fn people(number: u32) -> String {
    if number == 1 { "1 person".to_owned() } else { format!("{number} people") }
}

/// Prints text on standard output. The stream may be closed; the exit code reports the result too.
///
/// # Errors
/// None: the type is that of the callers.
pub(super) fn print(text: &str) -> Result<()> {
    let _ = stdout().write_all(text.as_bytes());
    Ok(())
}
