//! The engine: a link, and a reader that splits what its connection receives into frames.

use std::time::Duration;

use pi_chat::json::{RequestObject, error_object};
use pi_chat::link::{Input, Link, SavedSession, Settings};
use pi_chat::model::{
    ChatCommand, ClaimAction, Command, Dialect, IdentityKey, InvitationCode, InvitationHash,
    Moment, Password, Request, RequestTag,
};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{
    Decoded, Proof, ProofSignature, ServerFrame, ServerHello, binding, feature,
};
use serde::Deserialize;
use serde_json::Value;

use crate::outputs::{encode_challenge, encode_event, encode_output, encode_unsent};
use crate::session::SessionText;
use crate::unsent::{format_unsent, restore_unsent};

/// Name of the program in `hello`.
const PROGRAM: &str = "pi-chat-web";

/// Version of the program in `hello`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Id of the request for a link code, as JSON.
const LINK_ID: &str = "\"link\"";

/// Longest time to wait for an answer when the user leaves.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the page says at the start, as JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    /// Username to request.
    name: String,
    /// Rooms to join; if empty, the lobby.
    rooms: Vec<String>,
    /// Random number, below 2^53.
    seed: u64,
    /// Session of an earlier page: the JSON text of an output `persist`. `None` if there is none.
    session: Option<String>,
    /// Messages that an earlier page has not sent: the text of its last output `unsent`. `None` if
    /// there are none.
    unsent: Option<String>,
    /// Code of an invitation; `None` if there is none.
    invite: Option<String>,
}

/// The client's engine on one server.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Link: decides everything.
    link: Link,
    /// Reader of the present connection.
    reader: FrameReader,
    /// Session of an earlier page, until the first connection.
    saved: Option<SavedSession>,
    /// Events of this module, which no link reports: invalid requests.
    errors: Vec<Value>,
    /// Text of the last output `unsent`.
    unsent: String,
    /// `server_hello` of a server that takes proofs of keys, until the page has made one.
    hello: Option<ServerHello>,
    /// True if the page has not been asked yet to prove a key for `hello`.
    is_to_prove: bool,
}

impl Engine {
    /// Creates the engine from the JSON text of a [`Start`]; `None` if it is not valid. A session
    /// or a code that is not valid counts as none.
    pub(crate) fn start(text: &str) -> Option<Self> {
        let start: Start = serde_json::from_str(text).ok()?;
        let settings = Settings {
            username: start.name,
            rooms: start.rooms,
            password: None,
            invite: start.invite.and_then(|it| it.parse::<InvitationCode>().ok()),
            observe: true,
            retry_first_connect: true,
            can_prompt: true,
            can_ask_name: true,
            program: PROGRAM,
            version: VERSION,
            seed: start.seed,
        };
        let mut link = Link::new(settings);
        let unsent = start.unsent.unwrap_or_default();
        restore_unsent(&mut link, &unsent);
        Some(Self {
            link,
            reader: FrameReader::from_server(),
            saved: start.session.and_then(|it| SessionText::parse(&it)),
            errors: Vec::new(),
            unsent,
            hello: None,
            is_to_prove: false,
        })
    }

    /// Appends all outputs to `out`, encoded. If the unacknowledged messages have changed, they come
    /// first: the page saves them before it sends anything.
    pub(crate) fn encode_outputs(&mut self, out: &mut Vec<u8>) {
        let unsent = format_unsent(&self.link);
        if unsent != self.unsent {
            encode_unsent(&unsent, out);
            self.unsent = unsent;
        }
        for object in self.errors.drain(..) {
            encode_event(&object, out);
        }
        while let Some(output) = self.link.poll_output() {
            encode_output(&output, out);
        }
        if let Some(hello) = self.hello.as_ref().filter(|_| self.is_to_prove) {
            encode_challenge(&hello.challenge, &hello.server_key, out);
            self.is_to_prove = false;
        }
    }

    /// Handles an open connection, whose `hello` is sent.
    pub(crate) fn on_connected(&mut self, now: f64) {
        self.reader = FrameReader::from_server();
        self.hello = None;
        let saved = self.saved.take();
        self.link.handle_input(moment(now), Input::Connected { saved, proof: None });
    }

    /// Handles a connection that could not be opened.
    pub(crate) fn on_connect_failed(&mut self, now: f64, reason: String) {
        self.link.handle_input(moment(now), Input::ConnectFailed { reason });
    }

    /// Handles the end of the connection.
    pub(crate) fn on_disconnected(&mut self, now: f64, reason: String) {
        self.link.handle_input(moment(now), Input::Disconnected { reason });
    }

    /// Handles received bytes: whole frames, or any part of the stream. Holds back the
    /// `server_hello` of a server that takes proofs of keys.
    pub(crate) fn on_received(&mut self, now: f64, bytes: &[u8]) {
        let (link, now) = (&mut self.link, moment(now));
        link.handle_input(now, Input::BytesReceived);
        let outcome = self.reader.feed(bytes, |body| {
            match ServerFrame::decode(body) {
                Decoded::Frame(ServerFrame::ServerHello(hello)) if takes_proofs(&hello) => {
                    self.hello = Some(hello);
                    self.is_to_prove = true;
                }
                frame => link.handle_input(now, Input::Received(frame)),
            }
            true
        });
        if outcome.is_err() {
            link.handle_input(now, Input::FramingError);
        }
    }

    /// Handles the answer to the output `challenge`: key and signature of a proof, or anything else
    /// if the page proves no key. The join follows.
    pub(crate) fn on_proved(&mut self, now: f64, proof: &[u8]) {
        if let Some(hello) = self.hello.take() {
            self.link.set_proof(proof_of(proof));
            let hello = Decoded::Frame(hello.into());
            self.link.handle_input(moment(now), Input::Received(hello));
        }
    }

    /// Handles a request, as JSON text. Reports one that is not valid as an `error` event.
    pub(crate) fn on_request(&mut self, now: f64, text: &str) {
        let request = RequestObject::parse(text)
            .and_then(|object| object.into_request(Dialect::Server, PATIENCE));
        match request {
            Ok(request) => self.link.handle_input(moment(now), Input::Request(request)),
            Err(invalid) => {
                let mut object = error_object(0, &invalid.text);
                if let (Some(fields), Some(id)) = (object.as_object_mut(), invalid.id) {
                    fields.insert("id".to_owned(), id);
                }
                self.errors.push(object);
            }
        }
    }

    /// Handles the hash of a link code. Does nothing if it has another length.
    pub(crate) fn on_link(&mut self, now: f64, hash: &[u8]) {
        if let Ok(hash) = hash.try_into() {
            let command = ClaimAction::LinkHash(InvitationHash(hash));
            let tag = RequestTag(Some(LINK_ID.into()));
            let request = Request { tag, command: Command::Chat(ChatCommand::Claim(command)) };
            self.link.handle_input(moment(now), Input::Request(request));
        }
    }

    /// Handles another username.
    pub(crate) fn on_name(&mut self, now: f64, name: String) {
        self.command(now, Command::Name(name));
    }

    /// Handles the code of an invitation. A text that is none counts as no invitation.
    pub(crate) fn on_invite(&mut self, now: f64, code: &str) {
        self.command(now, Command::Invite(code.parse().ok()));
    }

    /// Handles the server's password.
    pub(crate) fn on_password(&mut self, now: f64, password: String) {
        self.command(now, Command::Password(Password(password)));
    }

    /// Runs timers.
    pub(crate) fn on_wake(&mut self, now: f64) {
        self.link.handle_input(moment(now), Input::Wake);
    }

    /// Passes a command without a tag to the link.
    fn command(&mut self, now: f64, command: Command) {
        let request = Request { tag: RequestTag::default(), command };
        self.link.handle_input(moment(now), Input::Request(request));
    }
}

/// Returns true if a server takes proofs of keys.
fn takes_proofs(hello: &ServerHello) -> bool {
    let ServerHello { features, challenge, server_key, .. } = hello;
    features & feature::IDENTITY != 0 && *challenge != [0; 32] && *server_key != [0; 32]
}

/// Returns the proof of a page's key with this key and signature; `None` if their length is wrong.
fn proof_of(bytes: &[u8]) -> Option<Proof> {
    let (key, signature) = bytes.split_first_chunk()?;
    let signature = ProofSignature(signature.try_into().ok()?);
    Some(Proof { key: IdentityKey(*key), binding: binding::WEB_ORIGIN, signature })
}

/// Converts milliseconds since the page was loaded to the link's time. What is no time counts as
/// the start.
fn moment(milliseconds: f64) -> Moment {
    Moment::after_start(Duration::try_from_secs_f64(milliseconds / 1_000.0).unwrap_or_default())
}
