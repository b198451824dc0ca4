//! Links to servers: address and fingerprint in one text (`docs/protocol/tls.md`, section 3).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Fingerprint;
use crate::model::limits::DEFAULT_TLS_PORT;
use crate::model::{AddressError, HostAddress, Scheme, ServerAddress};

/// What stands before the fingerprint behind the `#` of a link.
const FINGERPRINT: &str = "fingerprint=";

/// Server as people name it: an address, or a link, which is an address for TLS with the
/// fingerprint of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLink {
    /// Address of the server.
    pub address: ServerAddress,
    /// Fingerprint that the server must have; `None` if the text is an address only.
    pub fingerprint: Option<Fingerprint>,
}

/// Reason why a text is neither an address nor a link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A `#` follows an address that does not demand TLS.
    #[error("only an address with chats:// before it has a fingerprint behind it")]
    NotTls,
    /// What follows the `#` has no fingerprint, several, or one that is not 64 hexadecimal digits.
    #[error("the link is damaged: #fingerprint= and 64 hexadecimal digits belong at its end")]
    Fingerprint,
}

impl ServerLink {
    /// Returns the link to a server that is reached over TLS at this host name or address and port.
    #[must_use]
    pub const fn new(address: HostAddress, fingerprint: Fingerprint) -> Self {
        let address = ServerAddress { scheme: Some(Scheme::Tls), address };
        Self { address, fingerprint: Some(fingerprint) }
    }
}

impl FromStr for ServerLink {
    type Err = LinkError;

    /// Parses an address like [`ServerAddress`], or a link.
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let error = match text.parse() {
            Ok(address) => return Ok(Self { address, fingerprint: None }),
            Err(error) => error,
        };
        // An instance name may have a “#” too, so the last one counts.
        let Some((address, fragment)) = text.trim().rsplit_once('#') else {
            return Err(error.into());
        };
        let address: ServerAddress = address.parse()?;
        if address.scheme != Some(Scheme::Tls) {
            return Err(LinkError::NotTls);
        }
        let mut said = fragment.split('&').filter_map(|it| it.strip_prefix(FINGERPRINT));
        let (Some(digits), None) = (said.next(), said.next()) else {
            return Err(LinkError::Fingerprint);
        };
        let fingerprint = Fingerprint::from_hex(&digits.to_ascii_lowercase());
        let fingerprint = fingerprint.or(Err(LinkError::Fingerprint))?;
        Ok(Self { address, fingerprint: Some(fingerprint) })
    }
}

impl fmt::Display for ServerLink {
    /// Writes the address with its scheme, without the default port of TLS, and the fingerprint
    /// behind it.
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
        match self.fingerprint {
            Some(it) => write!(f, "{shown}/#{FINGERPRINT}{}", it.to_hex()),
            None => f.write_str(&shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
