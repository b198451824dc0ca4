//! Servers of IRC: a room is a channel. They do not send a message back to its sender, and a line has
//! at most 512 bytes.

use std::fs;
use std::io::Write;

use super::{Item, Member, Server, cut_line, find, version};
use crate::program::{Cores, Listening, Program, directory, free_address};

/// Length of the longest text that surely fits into a line, behind the sender and the channel.
const LONGEST_TEXT: usize = 400;

/// A server of IRC.
pub(super) enum Irc {
    /// `inspircd`.
    InspIrcd,
    /// `ngircd`.
    NgIrcd,
}

/// Configuration of `inspircd`; where it listens is in front.
const INSPIRCD: &str = r#"
<server name="irc.example.net" description="compare" network="Compare">
<admin name="compare" nick="compare" email="compare@example.net">
<connect name="all" allow="*" timeout="600" pingfreq="3600" recvq="1000000" softsendq="10000000"
  hardsendq="10000000" threshold="1000000" commandrate="1000000000" fakelag="no" localmax="100000"
  globalmax="100000" limit="100000" maxconnwarn="no" resolvehostnames="no" useident="no">
<performance softlimit="100000" somaxconn="1024">
<dns server="127.0.0.1" timeout="1">
<log method="file" type="*" level="default" target="inspircd.log">
<pid file="inspircd.pid">
"#;

/// Configuration of `ngircd`; the port stands behind it.
const NGIRCD: &str = "[Global]\nName = irc.example.net\nInfo = compare\nMotdPhrase = compare\n\
    ServerUID = root\nServerGID = root\nListen = 127.0.0.1\n\
    [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\n\
    PingTimeout = 3600\nPongTimeout = 3600\n\
    [Options]\nDNS = no\nIdent = no\nPAM = no\n[Global]\nPorts = ";

impl Server for Irc {
    fn name(&self) -> &'static str {
        match self {
            Self::InspIrcd => "inspircd",
            Self::NgIrcd => "ngircd",
        }
    }

    fn version(&self) -> Option<String> {
        version(self.name(), "--version")
    }

    fn start(&self, cores: Cores) -> Program {
        let (address, directory) = (free_address(), directory());
        let path = directory.path().join("config").to_string_lossy().into_owned();
        let port = address.port();
        let (config, flags): (_, &[_]) = match self {
            Self::InspIrcd => (
                format!("<bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">{INSPIRCD}"),
                &["--nofork", "--runasroot", "--config", &path],
            ),
            Self::NgIrcd => (format!("{NGIRCD}{port}\n"), &["--nodaemon", "--config", &path]),
        };
        fs::write(&path, config).unwrap();
        let program = find(self.name()).unwrap();
        Program::start(cores, &program, flags, directory, Listening::At(address))
    }

    fn echoes(&self) -> bool {
        false
    }

    fn joins_at_once(&self) -> usize {
        match self {
            // It lets everybody in who waits once a second.
            Self::InspIrcd => 500,
            // It looks at all connections whenever one has something to say, but keeps only ten
            // waiting that are new.
            Self::NgIrcd => 8,
        }
    }

    fn longest_text(&self) -> usize {
        LONGEST_TEXT
    }

    fn greeting(&self, member: Member) -> Vec<u8> {
        let nick = format!("u{}", member.number);
        format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n").into_bytes()
    }

    fn entrance(&self, member: Member) -> Vec<u8> {
        format!("JOIN #r{}\r\n", member.room).into_bytes()
    }

    fn say(&self, member: Member, _number: u32, text: &[u8], bytes: &mut Vec<u8>) {
        write!(bytes, "PRIVMSG #r{} :", member.room).unwrap();
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(b"\r\n");
    }

    fn cut<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Item<'a>)> {
        let (length, line) = cut_line(bytes)?;
        if let Some(token) = line.strip_prefix(b"PING ") {
            return Some((length, Item::Question([b"PONG ", token, b"\r\n"].concat())));
        }
        assert!(!line.starts_with(b"ERROR "), "{}", String::from_utf8_lossy(line));
        // The prefix, with a colon in front; the command; its target; the rest, with a colon in front.
        let mut words = line.splitn(4, |byte| *byte == b' ').skip(1);
        let item = match (words.next(), words.nth(1)) {
            (Some(b"PRIVMSG"), Some(text)) => Item::Message(&text[1..]),
            (Some(b"001"), _) => Item::Known,
            (Some(b"366"), _) => Item::Ready,
            (Some(b"433" | b"451"), _) => panic!("{}", String::from_utf8_lossy(line)),
            _ => Item::Other,
        };
        Some((length, item))
    }
}
