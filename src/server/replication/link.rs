//! The follower's connection to its server: TLS, the proof of the owner's key, frames.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use thiserror::Error;
use tokio::io::Interest;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::FollowSettings;
use crate::hub::ReplicationRequest;
use crate::identity::{ChannelBinding, KeyPair, ProofContext, TLS_EXPORTER_LABEL};
use crate::log::{FollowedServer, ReplicaError};
use crate::model::{ErrorCode, IdentityKey};
use crate::tls::{Fingerprint, TlsSocket};
use crate::wire::FrameReader;
use crate::wire::tcp::{
    ClientFrame, Decoded, Hello, MAGIC, Pong, Replica, Replicate, ServerFrame, ServerHello,
    VERSION, feature,
};

/// Maximum time to connect, and to be greeted.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Silence of the server after which the connection counts as lost. The server asks for a sign of
/// life after 30 seconds, which is something to hear.
const SILENCE: Duration = Duration::from_secs(75);

/// Length of a read, in bytes.
const READ_SIZE: usize = 16 << 10;

/// Why a follower does not get anything from its server.
#[derive(Debug, Error)]
pub(super) enum FollowError {
    /// The file with the owner's key cannot be used.
    #[error("cannot use the owner's key in {0}: {1}")]
    Key(String, String),
    /// The connection cannot be made, or has ended.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is no TLS at that address.
    #[error("{0}")]
    Tls(String),
    /// Another key than the expected one.
    #[error(
        "another server answers there, or somebody sits in between: its fingerprint is {0}. Nothing was sent to it"
    )]
    Fingerprint(Fingerprint),
    /// Another server than that of the copy. It was not told an epoch, which would end it.
    #[error(
        "another server answers there than the one that this is a copy of, so nothing was asked of \
         it: correct the address, or move chat.db away to follow that one"
    )]
    OtherServer,
    /// The server cannot be followed.
    #[error("that server cannot be followed: it is too old, or keeps nothing on a disk")]
    NotProvided,
    /// The server refuses.
    #[error("the server refuses ({0}): {1}")]
    Refused(u16, String),
    /// What the server sends cannot be used.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The database cannot be used.
    #[error("{0}")]
    Store(String),
    /// The server has another log now, so the copy has to begin anew.
    #[error("the server has begun another log, so the copy is made anew")]
    OtherLog,
}

impl FollowError {
    /// Returns true if the server has refused with this code.
    pub(super) fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Self::Refused(number, _) if *number == code.number())
    }
}

/// Connection to the server.
pub(super) struct Link {
    /// Socket.
    socket: TlsSocket,
    /// Received bytes that are no whole frame.
    reader: FrameReader,
    /// Bodies of frames that were received and not taken.
    bodies: VecDeque<Vec<u8>>,
    /// Fingerprint of the server.
    pub(super) fingerprint: Fingerprint,
    /// Number of bytes of `replica` frames that were taken.
    pub(super) taken: u64,
    /// Called when something was received.
    pub(super) on_heard: Option<Box<dyn Fn() + Send>>,
}

impl Link {
    /// Connects to the server, and asks to follow it. `known`: what is known of it. If the settings
    /// have no fingerprint, it must have the one known; and it must be the server of the copy, if
    /// there is one.
    ///
    /// # Errors
    /// [`FollowError`].
    pub(super) async fn open(
        settings: &FollowSettings,
        known: &FollowedServer,
        request: ReplicationRequest,
    ) -> Result<Self, FollowError> {
        let key = read_key(settings)?;
        let opening = Self::greet(settings, known, &key, request);
        timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| io::Error::from(ErrorKind::TimedOut))?
    }

    /// Connects, greets and asks.
    async fn greet(
        settings: &FollowSettings,
        known: &FollowedServer,
        key: &KeyPair,
        request: ReplicationRequest,
    ) -> Result<Self, FollowError> {
        let address = &settings.server.address.address;
        let mut failed = io::Error::from(ErrorKind::NotFound);
        let mut connected = None;
        for place in lookup_host((address.host.as_str(), address.port)).await? {
            match TcpStream::connect(place).await {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => failed = error,
            }
        }
        let stream = connected.ok_or(failed)?;
        let (socket, fingerprint) = crate::tls::connect(stream)
            .await
            .map_err(|error| FollowError::Tls(error.to_string()))?;
        if settings.expected(known.fingerprint).is_some_and(|it| it != fingerprint) {
            return Err(FollowError::Fingerprint(fingerprint));
        }
        let reader = FrameReader::from_server();
        let bodies = VecDeque::new();
        let mut link = Self { socket, reader, bodies, fingerprint, taken: 0, on_heard: None };
        let hello = Hello {
            magic: MAGIC,
            min_version: VERSION,
            max_version: VERSION,
            features: feature::IDENTITY | feature::REPLICATION,
            client_name: "chat-server".to_owned(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        link.send(&hello.into()).await?;
        let hello = loop {
            match ServerFrame::decode(&link.next_body().await?) {
                Decoded::Frame(ServerFrame::ServerHello(hello)) => break hello,
                Decoded::Frame(ServerFrame::Error(error)) => {
                    return Err(FollowError::Refused(error.code, error.text));
                }
                _ => {}
            }
        };
        let ServerHello { features, challenge, server_key, .. } = hello;
        if features & feature::REPLICATION == 0 {
            return Err(FollowError::NotProvided);
        }
        let exporter = link.socket.exporter(TLS_EXPORTER_LABEL).ok_or(FollowError::NotProvided)?;
        let server_key = IdentityKey(server_key);
        if known.server_key.is_some_and(|it| it != server_key) {
            return Err(FollowError::OtherServer);
        }
        let binding = ChannelBinding::of_exporter(exporter);
        let proof = Box::new(key.prove(&ProofContext { challenge, server_key, binding }));
        let ReplicationRequest { log_id, position, epoch } = request;
        link.send(&Replicate { proof, log_id, position, epoch }.into()).await?;
        Ok(link)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) async fn send(&mut self, frame: &ClientFrame) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match self.socket.try_write(&[IoSlice::new(rest)]) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.socket.ready(Interest::WRITABLE).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the body of the next frame.
    ///
    /// # Errors
    /// The connection is lost, or what comes is no frame.
    async fn next_body(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(body) = self.bodies.pop_front() {
                return Ok(body);
            }
            self.socket.ready(Interest::READABLE).await?;
            self.read()?;
        }
    }

    /// Reads once, if there is something to read. It is not `async`, so that the buffer is not kept.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_SIZE];
        let count = match self.socket.try_read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if let Some(on_heard) = &self.on_heard {
            on_heard();
        }
        let bodies = &mut self.bodies;
        let fed = self.reader.feed(buffer.get(..count).unwrap_or_default(), |body| {
            bodies.push_back(body.to_vec());
            true
        });
        fed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// Returns the next part of the log. Answers pings meanwhile.
    ///
    /// # Errors
    /// [`FollowError`]: the connection is over.
    pub(super) async fn next_part(&mut self) -> Result<Replica, FollowError> {
        loop {
            let body = timeout(SILENCE, self.next_body())
                .await
                .map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
            if let Some(part) = Replica::decode(&body) {
                // As long as the whole frame, with its length.
                self.taken += body.len() as u64 + 2;
                return Ok(part.map_err(ReplicaError::from)?);
            }
            match ServerFrame::decode(&body) {
                Decoded::Frame(ServerFrame::Ping(ping)) => {
                    self.send(&Pong { token: ping.token }.into()).await?;
                }
                Decoded::Frame(ServerFrame::Error(error)) => {
                    return Err(FollowError::Refused(error.code, error.text));
                }
                _ => {}
            }
        }
    }
}

/// Reads the owner's key.
///
/// # Errors
/// [`FollowError::Key`].
fn read_key(settings: &FollowSettings) -> Result<KeyPair, FollowError> {
    let path = &settings.key;
    let fails = |why: &str| FollowError::Key(path.display().to_string(), why.to_owned());
    let bytes = std::fs::read(path).map_err(|error| fails(&error.to_string()))?;
    let seed = <[u8; 32]>::try_from(bytes).map_err(|_| fails("it has not 32 bytes"))?;
    Ok(KeyPair::from_seed(&seed))
}
