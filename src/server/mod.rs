//! Layer 3: the server's driver. It connects the hub with sockets, clock, log and systemd, and
//! makes no decisions.
//!
//! ```text
//! socket ─ connection ─▶ engine: hub ─▶ log ─▶ hub ─▶ fanout ─▶ feed ─▶
//!     outgoing ─ connection ─ socket
//! ```
//!
//! There is a task for each connection and each listener, and one for the engine, which owns the
//! hub, the log and the fan-out. The engine shares with a connection only its outbox and the feeds
//! of its rooms.

mod acceptor;
mod admission;
mod announce;
mod backup;
mod connection;
mod control;
mod descriptors;
mod engine;
mod error_log;
mod fanout;
mod feed;
mod group_rates;
mod line_limiter;
mod listen;
mod listen_address;
mod memory_budget;
mod message_rate;
mod metrics;
mod outbox;
mod outboxes;
mod public_urls;
mod quota_log;
mod reload;
mod replication;
mod service;
mod status;
mod tcp_way_in;
mod tls;
mod trusted_proxies;
mod unproven;
mod user_sockets;
mod web;

pub use backup::BackupSettings;
pub use control::{
    ClaimListing, ControlAnswer, ControlList, ControlRequest, ControlSocket, InvitationListing,
    InviteRequest, IssuedInvitation, RoleListing, RoomListing, SanctionListing,
    connect as connect_control,
};
pub use fanout::FanoutLimits;
pub use listen::ListenError;
pub use listen_address::{ListenAddress, ListenAddressError};
pub use reload::ReloadResult;
pub use replication::{FollowSettings, FollowStatus, PromotionAnswer};
pub use status::{
    BackupStatus, PressureStatus, Status, StoreKind, StoreState, StoreStatus, TlsStatus,
};
pub use tls::TlsSettings;
pub use user_sockets::running_servers;
pub use web::WebSettings;
pub(crate) use web::is_remote as is_remote_url;

use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::acceptor::Acceptor;
use self::admission::Admission;
use self::control::Control;
use self::descriptors::DescriptorLimit;
use self::engine::{Engine, EngineInput};
use self::group_rates::{GroupRates, Limit};
use self::listen::Bound;
use self::metrics::MetricsSource;
use self::public_urls::PublicUrls;
use self::reload::Reloader;
use self::replication::{End, FollowState, Followers, Role, RoleControl};
use self::status::StatusSource;
use self::tcp_way_in::TcpWayIn;
use self::tls::{Handshakes, TlsWayIn};
use self::trusted_proxies::TrustedProxies;
use self::unproven::Unproven;
use self::web::{WebTlsWayIn, WebWayIn};
use crate::log::{LogOpenError, LogSettings, MemoryLimits, OpenedLog, Replaced, StoreError};
use crate::model::{Access, HubSettings, IpNetwork, Sequence};
use crate::os::Clock;
use crate::systemd;
use crate::tls::{DamagedIdentity, Identity, IdentityError, StoredIdentity};

/// Time after which clients of a stopping server should reconnect, in milliseconds: about the
/// duration of a restart.
const RESTART_RETRY_AFTER: u32 = 2_000;

/// Maximum time for which a stopping server waits until its advertisement is withdrawn from the
/// network.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(400);

/// All settings of a server. `config` builds them.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Settings of the hub.
    pub hub: HubSettings,
    /// Addresses to listen on. Empty: the default port on all addresses.
    pub listen: Vec<ListenAddress>,
    /// True if the server listens on [`Self::listen`]. False: only TLS and browsers lead in.
    pub plain: bool,
    /// Way in over TLS.
    pub tls: TlsSettings,
    /// Way in for browsers.
    pub web: WebSettings,
    /// Addresses to listen on for who reads the metrics. Empty: no listener.
    pub metrics: Vec<ListenAddress>,
    /// Networks of trusted proxies, whose connections begin with a PROXY header, or over HTTP have
    /// `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Kind of the log (on disk or in memory), and its settings.
    pub log: LogSettings,
    /// Limits of the memory for unsent frames.
    pub backlog: FanoutLimits,
    /// Place of the control socket, for status reports and requests.
    pub control: ControlSocket,
    /// True if the server is advertised on the local network.
    pub announce: bool,
    /// Settings of the nightly backups; `None`: no backups. A log in memory is not backed up.
    pub backup: Option<BackupSettings>,
    /// Server that this one follows; `None`: none. It needs a log on disk.
    pub follow: Option<FollowSettings>,
}

impl Default for ServerSettings {
    /// Returns the settings of `chat-server` without any options, but without a control socket and
    /// TLS, and with `hub.retention` unlimited.
    fn default() -> Self {
        Self {
            hub: HubSettings::default(),
            listen: Vec::new(),
            plain: true,
            tls: TlsSettings::default(),
            web: WebSettings::default(),
            metrics: Vec::new(),
            trusted_proxies: Vec::new(),
            log: LogSettings::Memory(MemoryLimits::default()),
            backlog: FanoutLimits::default(),
            control: ControlSocket::None,
            announce: true,
            backup: None,
            follow: None,
        }
    }
}

impl ServerSettings {
    /// Returns true if what an address says about its clients' addresses is believed.
    fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|it| it.contains(address))
    }
}

/// Error of a server that cannot start or continue.
#[derive(Debug, Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The log cannot be opened.
    #[error("cannot open the log")]
    Log(#[from] StoreError),
    /// The engine has ended without a request, or opening or closing the log has panicked. Both are
    /// bugs.
    #[error("a bug has ended the server's engine")]
    Engine,
    /// The server was replaced by a follower while it ran.
    #[error(
        "this server was replaced by another one, so it has ended, and does not start again: {0}. To have it follow the new server, start it with `chat-server follow HOST`"
    )]
    Superseded(Replaced),
    /// The log is a server's own, and is to be a follower's copy.
    #[error(
        "the database in {} is a server's own, with messages in it, so it cannot follow another server: move chat.db away, or give another directory",
        .0.display()
    )]
    FollowsOwn(PathBuf),
    /// A server without a log on disk is to follow another one.
    #[error("a follower keeps its copy on a disk: set data-dir")]
    FollowsNowhere,
    /// Neither plain TCP nor TLS nor the way in for browsers is on.
    #[error("nobody could get in: plain and web are off, and there is no TLS. Turn one of them on")]
    NoWayIn,
    /// The key and certificate that the server has made for itself cannot be used.
    #[error(
        "the server's key for TLS, in its database, cannot be used ({0}): restore a backup, or set tls-certificate and tls-key, or turn off tls and web-tls"
    )]
    Identity(#[source] IdentityError),
    /// The operating system has no random numbers.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
}

impl From<LogOpenError> for ServerError {
    fn from(error: LogOpenError) -> Self {
        match error {
            LogOpenError::Store(error) => Self::Log(error),
            LogOpenError::Random(error) => Self::Random(error),
        }
    }
}

/// Runs a server until `stop` completes. Then closes all connections and returns, within two
/// seconds unless the disk takes longer to store accepted messages. While it runs, applies the
/// configurations from `reloads`, except for settings that need a restart. Waits for listening
/// addresses that the machine does not have yet. Also serves the control socket, makes backups and
/// advertises the server, as the settings say; if one of these fails, logs that and goes on.
/// Notifies systemd when it is ready, and when it stops.
///
/// # Errors
/// [`ServerError`] if the server cannot start, or if its engine has ended.
pub async fn run(
    mut settings: ServerSettings,
    stop: impl Future<Output = ()>,
    reloads: mpsc::Receiver<ReloadResult>,
) -> Result<(), ServerError> {
    let mut stop = pin!(stop);
    let reloads = Arc::new(Mutex::new(reloads));
    loop {
        let role = tokio::select! {
            role = replication::prepare(&settings) => role?,
            () = &mut stop => return Ok(()),
        };
        match serve(settings.clone(), role, stop.as_mut(), reloads.clone()).await? {
            (None, _) => return Ok(()),
            (Some(End::Reopen), current) => {
                tracing::info!("opening the log again");
                // What was reloaded meanwhile stays. What a follower has other than set does not.
                let ServerSettings { announce, mut log, .. } = settings;
                if let LogSettings::Disk(store) = &mut log {
                    store.retention = current.hub.retention;
                }
                settings = ServerSettings { announce, log, ..current };
            }
            (Some(End::Superseded(replaced)), _) => return Err(ServerError::Superseded(replaced)),
        }
    }
}

/// Runs a server in one role, until `stop` completes or its role ends. In the second case, returns
/// the reason. Also returns the settings that were in force at the end. Everything else is as for
/// [`run`].
///
/// # Errors
/// Those of [`run`].
async fn serve(
    mut settings: ServerSettings,
    role: Role,
    stop: Pin<&mut impl Future<Output = ()>>,
    reloads: Arc<Mutex<mpsc::Receiver<ReloadResult>>>,
) -> Result<(Option<End>, ServerSettings), ServerError> {
    let is_closed = !settings.plain
        && settings.tls.listen.is_none()
        && settings.web.listen.is_none()
        && settings.web.tls_listen.is_none();
    if is_closed {
        return Err(ServerError::NoWayIn);
    }
    let clock = Clock::start();
    if let (Role::Follower(_), LogSettings::Disk(store)) = (&role, &mut settings.log) {
        store.is_follower = true;
        // Clients would take it for the server, which has the same id.
        settings.announce = false;
    }
    let log = settings.log.clone();
    // Opening a large log blocks for a while.
    let opened = tokio::task::spawn_blocking(|| log.open()).await;
    let OpenedLog { log, restored, server_id, server_key, replica, identity } =
        opened.map_err(|_| ServerError::Engine)??;
    let is_empty = restored.head == Sequence::ZERO;

    let descriptors = DescriptorLimit::read();
    descriptors.lower_max_connections(&mut settings.hub);
    let tls_addresses = tls::bind_all(&settings)?;
    settings.hub.offers_tls = tls::is_offered(&settings, &tls_addresses);
    let at = (restored.log_id, restored.head);
    let (mut engine, handle) =
        Engine::new(settings.hub.clone(), restored, log, settings.backlog, clock);
    if !settings.metrics.is_empty() {
        engine.measure_latency();
    }
    let end = watch::Sender::new(None);
    let control = replica.map(|log| RoleControl { log, end: end.clone() });
    let follow_state = watch::Sender::new(FollowState::default());
    let is_follower = matches!(role, Role::Follower(_));
    if let (Some(control), LogSettings::Disk(store)) = (&control, &settings.log) {
        let directory = (!is_follower).then(|| store.directory.clone());
        let followers = Followers::new(directory, handle.clone(), control.clone(), clock);
        engine.set_followers(followers);
    }
    let current = watch::Sender::new(settings.clone());
    let listening = Arc::new(watch::Sender::new(Vec::new()));
    let web_listening = Arc::new(watch::Sender::new(Vec::new()));
    let web_tls_listening = Arc::new(watch::Sender::new(Vec::new()));
    let group_rates = Arc::new(GroupRates::new(Limit::of_messages(&settings.hub)));
    let handshake_rates = Arc::new(GroupRates::new(Limit::of_handshakes(&settings.hub)));
    let own_identity = own_identity(&settings, identity)?;
    let tls_listening = Arc::new(watch::Sender::new(Vec::new()));
    let admission = Admission {
        next_id: Arc::new(AtomicU64::new(1)),
        head: engine.head(),
        budget: engine.budget(),
        engine: handle.clone(),
        settings: current.subscribe(),
        group_rates: group_rates.clone(),
        server_key,
        clock,
        lingering: descriptors.lingering_permits(),
    };
    let permits = descriptors.permits();
    let urls = PublicUrls {
        listening: listening.subscribe(),
        tls: tls_listening.subscribe(),
        web: web_listening.subscribe(),
        web_tls: web_tls_listening.subscribe(),
        settings: current.subscribe(),
    };
    let handshakes = Handshakes {
        rates: handshake_rates.clone(),
        settings: current.subscribe(),
        own: own_identity.clone(),
        clock,
    };
    let web = WebWayIn::new(admission.clone(), urls.clone());
    let web_tls_acceptor = Acceptor {
        way_in: WebTlsWayIn { web: web.clone(), handshakes: handshakes.clone() },
        permits: permits.clone(),
        listening: web_tls_listening.clone(),
        clock,
    };
    let web_acceptor = Acceptor {
        way_in: web.clone(),
        permits: permits.clone(),
        listening: web_listening.clone(),
        clock,
    };
    let proxies = TrustedProxies::new(current.subscribe(), descriptors.unproven_permits(), clock);
    let tls_acceptor = Acceptor {
        way_in: TlsWayIn {
            admission: admission.clone(),
            proxies: proxies.clone(),
            unproven: Unproven::default(),
            handshakes,
        },
        permits: permits.clone(),
        listening: tls_listening.clone(),
        clock,
    };
    let acceptor = Acceptor {
        way_in: TcpWayIn { admission, proxies },
        permits,
        listening: listening.clone(),
        clock,
    };
    let addresses = bind_all(&settings)?;
    let web_addresses = web::bind_all(&settings.web)?;
    let web_tls_addresses = web::bind_all_tls(&settings.web)?;
    let metrics_addresses = metrics::bind_all(&settings.metrics)?;
    tracing::info!("{}", startup_summary(&settings, is_empty, own_identity.as_ref()));
    let mut helpers = JoinSet::new();
    let (backup_sender, backup) = watch::channel(None);
    helpers.spawn(backup::make_backups(server_id, clock, current.subscribe(), backup_sender));
    if let (Some(control), LogSettings::Disk(store)) = (control.clone(), &settings.log) {
        let store = store.clone();
        match role {
            Role::Server(None) => {}
            Role::Server(Some(former)) => {
                let telling = replication::tell_former_server(former, store, at.0, control);
                helpers.spawn(telling);
            }
            Role::Follower(followed) => {
                let state = follow_state.clone();
                helpers.spawn(replication::follow(followed, store, at, control, clock, state));
            }
        }
    }
    if let Some(socket) = Control::open(&settings) {
        let status_source = StatusSource {
            engine: handle.clone(),
            listening: listening.subscribe(),
            own_identity,
            urls: urls.clone(),
            backup: backup.clone(),
            clock,
            role: control.filter(|_| is_follower),
            follow_state: is_follower.then(|| follow_state.subscribe()),
        };
        helpers.spawn(socket.serve(current.subscribe(), status_source));
    }
    let announcing = announce::announce(
        server_id,
        current.subscribe(),
        announce::Listening {
            plain: listening.subscribe(),
            tls: tls_listening.subscribe(),
            web: web_listening.subscribe(),
        },
    );
    // In a set, so that it is aborted if the server ends early.
    let mut announcer = JoinSet::new();
    announcer.spawn(announcing);
    drop((listening, web_listening, web_tls_listening, tls_listening));
    // The control socket is open before the first "listening on" line is printed.
    let mut listeners = JoinSet::new();
    for bound in addresses {
        listeners.spawn(acceptor.clone().run(bound));
    }
    for bound in tls_addresses {
        listeners.spawn(tls_acceptor.clone().run(bound));
    }
    for bound in web_addresses {
        listeners.spawn(web_acceptor.clone().run(bound));
    }
    for bound in web_tls_addresses {
        listeners.spawn(web_tls_acceptor.clone().run(bound));
    }
    let metrics_source =
        MetricsSource::new(handle.clone(), current.subscribe(), backup.clone(), clock);
    let metrics_acceptor = Acceptor {
        way_in: web.for_metrics(metrics_source),
        permits: metrics::permits(),
        listening: Arc::new(watch::Sender::new(Vec::new())),
        clock,
    };
    for bound in metrics_addresses {
        listeners.spawn(metrics_acceptor.clone().run(bound));
    }
    drop((acceptor, tls_acceptor, web_acceptor, web_tls_acceptor, metrics_acceptor));
    let config_problem = watch::Sender::new(None);
    helpers.spawn(service::update_status_line(
        engine.connected_users(),
        config_problem.subscribe(),
        backup,
        urls,
        handle.clone(),
        clock,
    ));
    helpers.spawn(service::feed_watchdog(handle.clone()));
    let reloader = Reloader {
        current: current.clone(),
        engine: handle.clone(),
        group_rates,
        handshake_rates,
        clock,
        descriptors,
        config_problem,
    };
    helpers.spawn(reloader.run(reloads));
    let mut engine = tokio::spawn(engine.run());
    systemd::notify_ready();

    let mut ended = end.subscribe();
    let outcome = tokio::select! {
        () = stop => None,
        why = ended.wait_for(Option::is_some) => why.ok().and_then(|it| *it),
        // Nothing works without the engine, so let systemd restart the service.
        _ = &mut engine => return Err(ServerError::Engine),
    };
    if outcome != Some(End::Reopen) {
        systemd::notify_stopping();
    }
    // This also ends the advertisement on the network.
    listeners.abort_all();
    handle.send_eventually(EngineInput::ShutDown { retry_after: RESTART_RETRY_AFTER });
    let log = engine.await.map_err(|_| ServerError::Engine)?;
    // Accepted messages are stored, even if the disk takes long.
    let closed = tokio::task::spawn_blocking(|| log.close()).await;
    closed.map_err(|_| ServerError::Engine)?;
    if timeout(GOODBYE_TIMEOUT, announcer.join_next()).await.is_err() {
        tracing::debug!("the network was not told of the end in time");
    }
    // This also removes the file of the control socket.
    helpers.shutdown().await;
    let current = current.borrow().clone();
    Ok((outcome, current))
}

/// Returns a line for the owner: the server's name, where it keeps messages, whether users need a
/// password, whether clients find it, and the fingerprint of its key for TLS. `is_empty`: true if
/// the log has never had a message. The line then says so, because the data directory may be
/// mistyped. `own`: identity for TLS that the server has made for itself.
fn startup_summary(settings: &ServerSettings, is_empty: bool, own: Option<&Identity>) -> String {
    let log = match &settings.log {
        LogSettings::Memory(_) => "messages are kept in memory until the server stops".to_owned(),
        LogSettings::Disk(store) => {
            let found = if is_empty { ", where there are none yet" } else { "" };
            format!("messages are kept in {}{found}", store.directory.display())
        }
    };
    let access = match (&settings.hub.password, settings.hub.access) {
        (Some(_), Access::Everybody) => "the password lets users in",
        (None, Access::Everybody) => "everybody who reaches it may join",
        (Some(_), Access::Invited) => "whoever is invited and has the password may join",
        (None, Access::Invited) => "whoever is invited may join",
    };
    let discovery = if settings.announce { "chat-client can find it on this network" } else { "" };
    let tls = match (settings.tls.certificate.as_ref().or(own), &settings.tls.listen, &settings.log)
    {
        (Some(identity), Some(_), _) => format!("with TLS ({})", identity.fingerprint()),
        (None, _, LogSettings::Memory(_)) => "without TLS, as it keeps no key".to_owned(),
        _ => "without TLS".to_owned(),
    };
    let name = format!("this is “{}”", settings.hub.server_name);
    let parts = [name.as_str(), &log, access, discovery, &tls];
    parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Returns the identity for TLS that the server has made for itself: `stored`, from the log. `None`
/// if there is no way in over TLS or https, if the owner has given another one, or if nothing is stored
/// because the log is in memory.
///
/// # Errors
/// [`ServerError::Identity`].
fn own_identity(
    settings: &ServerSettings,
    stored: Option<Result<StoredIdentity, DamagedIdentity>>,
) -> Result<Option<Identity>, ServerError> {
    let has_tls = settings.tls.listen.is_some() || settings.web.tls_listen.is_some();
    let is_needed = has_tls && settings.tls.certificate.is_none();
    let Some(stored) = stored.filter(|_| is_needed) else { return Ok(None) };
    let identity = stored.map_err(IdentityError::from).and_then(|it| Identity::from_stored(&it));
    identity.map(Some).map_err(ServerError::Identity)
}

/// Binds to all addresses for plain TCP; if there are none, to the default address. Binds to none
/// without plain TCP. An address that the machine does not have yet gives [`Bound::NotYet`].
///
/// # Errors
/// [`ListenError`] of the first address that fails.
fn bind_all(settings: &ServerSettings) -> Result<Vec<Bound>, ListenError> {
    match settings.listen.as_slice() {
        _ if !settings.plain => Ok(Vec::new()),
        [] => Ok(vec![listen::bind(&listen::default_address())?]),
        addresses => addresses.iter().map(listen::bind).collect(),
    }
}
