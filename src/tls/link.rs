//! Links to servers: address, fingerprint and invitation in one text (`docs/protocol/tls.md`,
//! section 3).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Fingerprint;
use crate::model::limits::DEFAULT_TLS_PORT;
use crate::model::{AddressError, HostAddress, InvitationCode, Scheme, ServerAddress};

/// What stands before the fingerprint behind the `#` of a link.
const FINGERPRINT: &str = "fingerprint=";

/// Server as people name it: an address, or a link, which is an address with the fingerprint of the
/// server, an invitation to it, or both. An address with a fingerprint is one for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLink {
    /// Address of the server.
    pub address: ServerAddress,
    /// Fingerprint that the server must have; `None` if the text has none.
    pub fingerprint: Option<Fingerprint>,
    /// Invitation to the server; `None` if the text has none.
    pub invite: Option<InvitationCode>,
}

/// Reason why a text is neither an address nor a link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A fingerprint follows an address that does not demand TLS.
    #[error("only an address with chats:// before it has a fingerprint behind it")]
    NotTls,
    /// What follows the `#` has neither fingerprint nor invitation, or several fingerprints, or one
    /// that is not 64 hexadecimal digits.
    #[error("the link is damaged: #fingerprint= and 64 hexadecimal digits belong at its end")]
    Fingerprint,
    /// What follows the `#` has several invitations, or one that can be none.
    #[error(
        "the link is damaged: #invite= and an invitation of 16 letters and digits belong at its end"
    )]
    Invite,
}

impl ServerLink {
    /// Returns the link to a server that is reached over TLS at this host name or address and port.
    #[must_use]
    pub const fn new(address: HostAddress, fingerprint: Fingerprint) -> Self {
        let address = ServerAddress { scheme: Some(Scheme::Tls), address };
        Self { address, fingerprint: Some(fingerprint), invite: None }
    }
}

/// Returns the value of this key (with its “=”) in what follows the `#` of a link. `None` if it is
/// missing.
///
/// # Errors
/// It is there several times: `damaged`.
fn value_of<'a>(
    fragment: &'a str,
    key: &str,
    damaged: LinkError,
) -> Result<Option<&'a str>, LinkError> {
    let mut values = fragment.split('&').filter_map(|it| it.strip_prefix(key));
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(damaged),
    }
}

impl FromStr for ServerLink {
    type Err = LinkError;

    /// Parses an address like [`ServerAddress`], or a link.
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let error = match text.parse() {
            Ok(address) => return Ok(Self { address, fingerprint: None, invite: None }),
            Err(error) => error,
        };
        // An instance name may have a “#” too, so the last one counts.
        let Some((address, fragment)) = text.trim().rsplit_once('#') else {
            return Err(error.into());
        };
        let address: ServerAddress = address.parse()?;
        let digits = value_of(fragment, FINGERPRINT, LinkError::Fingerprint)?;
        let code = value_of(fragment, InvitationCode::LINK_KEY, LinkError::Invite)?;
        if code.is_none() && digits.is_none() {
            return Err(LinkError::Fingerprint);
        }
        if digits.is_some() && address.scheme != Some(Scheme::Tls) {
            return Err(LinkError::NotTls);
        }
        let fingerprint = digits.map(|it| Fingerprint::from_hex(&it.to_ascii_lowercase()));
        let fingerprint = fingerprint.transpose().or(Err(LinkError::Fingerprint))?;
        let invite = code.map(|it| it.parse().or(Err(LinkError::Invite))).transpose()?;
        Ok(Self { address, fingerprint, invite })
    }
}

impl fmt::Display for ServerLink {
    /// Writes the address with its scheme, without the default port of TLS, and behind it the
    /// fingerprint, then the invitation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerAddress { scheme, address } = &self.address;
        let shown = address.to_string();
        let shown = match scheme {
            Some(Scheme::Tls) => {
                let usual = format!(":{DEFAULT_TLS_PORT}");
                format!("chats://{}", shown.strip_suffix(&usual).unwrap_or(&shown))
            }
            Some(Scheme::Plain) => format!("chat://{shown}"),
            None => shown,
        };
        f.write_str(&shown)?;
        if let Some(fingerprint) = self.fingerprint {
            write!(f, "/#{FINGERPRINT}{}", fingerprint.to_hex())?;
        }
        if let Some(invite) = &self.invite {
            let separator = if self.fingerprint.is_some() { "&" } else { "/#" };
            write!(f, "{separator}{}{}", InvitationCode::LINK_KEY, invite)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code of an invitation.
    const CODE: &str = "ABCD-EFGH-JKMN-PQRS";

    /// Returns the cell of the page in the row that begins so.
    fn cell(row: &str) -> String {
        let page = include_str!("../../docs/protocol/tls.md");
        let line = page.lines().find(|it| it.starts_with(row)).unwrap();
        line.split('`').nth(1).unwrap().to_owned()
    }

    /// The example of the page is parsed and written again.
    #[test]
    fn link_is_that_of_the_page() {
        let text = cell("| link |");
        let link: ServerLink = text.parse().unwrap();
        let address = HostAddress { host: "pi-chat.local".to_owned(), port: DEFAULT_TLS_PORT };
        let hex = cell("| fingerprint |").replace(' ', "");
        assert_eq!(link, ServerLink::new(address, Fingerprint::from_hex(&hex).unwrap()));
        assert_eq!(link.to_string(), text);
    }

    /// Each spelling of a link has the fingerprint, and what is written is parsed again.
    #[test]
    fn links_are_read_in_all_spellings() {
        let hex = "00aF".repeat(16);
        for (address, rest, host, port) in [
            ("chats://pi", "", "pi", 2_429),
            ("CHATS://pi/", "", "pi", 2_429),
            (" chats://[2001:db8::1]:7/", "&x=y", "2001:db8::1", 7),
            ("chats://a #1._pi-chat._tcp.local", "", "a #1._pi-chat._tcp.local", 2_429),
        ] {
            let link: ServerLink = format!("{address}#fingerprint={hex}{rest}").parse().unwrap();
            let expected = HostAddress { host: host.to_owned(), port };
            let fingerprint = Fingerprint::from_hex(&hex.to_lowercase()).unwrap();
            assert_eq!(link, ServerLink::new(expected, fingerprint), "{address}");
            assert_eq!(link.to_string().parse(), Ok(link));
        }
        for text in ["pi", "chat://pi:7", "chats://pi", "a #1._pi-chat._tcp.local"] {
            assert_eq!(text.parse::<ServerLink>().unwrap().fingerprint, None, "{text}");
        }
    }

    /// A link may have an invitation, with a fingerprint or without, and without TLS.
    #[test]
    fn links_have_invitations() {
        let hex = "0".repeat(64);
        for (text, has_fingerprint) in [
            (format!("chats://pi/#fingerprint={hex}&invite={CODE}"), true),
            (format!("chats://pi:7/#invite={CODE}"), false),
            (format!("chat://pi:7/#invite={CODE}"), false),
        ] {
            let link: ServerLink = text.parse().unwrap();
            assert_eq!(link.fingerprint.is_some(), has_fingerprint, "{text}");
            assert_eq!(link.invite.map(|it| it.to_string()).as_deref(), Some(CODE));
            assert_eq!(link.to_string(), text);
        }
        let link: ServerLink = "pi#x=y&invite=abcdefghjkmnpqrs".parse().unwrap();
        assert_eq!(link.invite.unwrap().to_string(), CODE);
    }

    /// A link without a whole fingerprint is never taken for an address.
    #[test]
    fn damaged_links_are_refused() {
        let hex = "0".repeat(64);
        for fragment in [
            String::new(),
            "fingerprint=".to_owned(),
            "fingerprint".to_owned(),
            hex.clone(),
            format!("fingerprint={}", &hex[1..]),
            format!("fingerprint={hex}0"),
            format!("fingerprint={hex}&fingerprint={hex}"),
            format!("fingerprint={}é", &hex[2..]),
            format!("finger={hex}"),
            format!("fingerprint={hex}:7"),
        ] {
            let parsed = format!("chats://pi/#{fragment}").parse::<ServerLink>();
            assert_eq!(parsed, Err(LinkError::Fingerprint), "{fragment}");
        }
        for (fragment, error) in [
            ("invite=", LinkError::Invite),
            ("invite=abc", LinkError::Invite),
            (&format!("invite={CODE}&invite={CODE}"), LinkError::Invite),
            (&format!("invite={CODE}&fingerprint=00"), LinkError::Fingerprint),
        ] {
            let parsed = format!("chats://pi/#{fragment}").parse::<ServerLink>();
            assert_eq!(parsed, Err(error), "{fragment}");
        }
        for address in ["pi", "chat://pi", "pi:7"] {
            let parsed = format!("{address}#fingerprint={hex}").parse::<ServerLink>();
            assert_eq!(parsed, Err(LinkError::NotTls), "{address}");
        }
        for address in ["", "https://pi", "a b", "chats://"] {
            let parsed = format!("{address}#fingerprint={hex}").parse::<ServerLink>();
            assert!(matches!(parsed, Err(LinkError::Address(_))), "{address}");
        }
    }
}
