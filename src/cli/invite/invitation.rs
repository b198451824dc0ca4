//! Addresses and links that lead to the server.

use std::fmt;

use anyhow::{Result, anyhow, ensure};
use serde::Serialize;

use crate::cli::control::ControlArgs;
use crate::cli::status;
use crate::server::{Status, TlsStatus, is_remote_url};

/// Maximum length of a URL, in bytes. Its QR code can be read on paper and in a terminal.
const MAX_URL: usize = 300;

/// Why browsers find no way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPage {
    /// The server has no page, or does not listen for browsers.
    SwitchedOff,
    /// Only this machine reaches the page, at this address.
    OnlyHere(String),
}

impl fmt::Display for NoPage {
    /// Says why, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwitchedOff => f.write_str(
                "the page is not installed (web-root), or the port for browsers is switched off (web)",
            ),
            Self::OnlyHere(url) => write!(
                f,
                "only this machine reaches the page, at {url}. web-listen says where the server \
                 listens, and --url names an address that a proxy has"
            ),
        }
    }
}

/// Where people find the server, with a browser or with `chat-client`. Its fields are the JSON keys
/// of the output.
#[derive(Debug, Serialize)]
pub(super) struct Invitation {
    /// Name of the server; `None` if it could not be asked.
    pub(super) name: Option<String>,
    /// Address for browsers in the QR code; `None` if they find no way in.
    pub(super) url: Option<String>,
    /// All addresses for browsers, best first: first that in the QR code.
    urls: Vec<String>,
    /// Fingerprint of the server's key, as people compare it; `None` without TLS, or if the server
    /// could not be asked.
    pub(super) fingerprint: Option<String>,
    /// Links for `chat-client`, best first; empty without TLS.
    pub(super) links: Vec<String>,
    /// True if the addresses are the server's own, on its network.
    #[serde(skip)]
    pub(super) is_local: bool,
    /// Why browsers find no way in; `None` if they do.
    #[serde(skip)]
    pub(super) no_page: Option<NoPage>,
}

impl Invitation {
    /// Asks the server for its name and its addresses, and returns the invitation as [`Self::of`]
    /// does.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) fn collect(url: Option<&str>, socket: &ControlArgs) -> Result<Self> {
        Self::of(url, status::query(socket))
    }

    /// Returns the invitation to the server with this status. `url` replaces all its addresses; then
    /// the server need not run. If it is an address of the server's own, the links for `chat-client`
    /// are those with the same host; otherwise there are none.
    ///
    /// # Errors
    /// The server could not be asked.
    pub(super) fn of(url: Option<&str>, status: Result<Status>) -> Result<Self> {
        if let Some(url) = url {
            let status = status.ok();
            let is_local = status.as_ref().is_some_and(|it| is_one_of(url, &it.web));
            let (name, tls) = status.map(|it| (it.name, it.tls)).unzip();
            let (fingerprint, mut links) =
                tls.flatten().map(|it| (it.fingerprint, it.links)).unzip();
            // Elsewhere, the server's own addresses may lead nowhere.
            links.iter_mut().for_each(|it: &mut Vec<String>| {
                it.retain(|link| is_local && host_of(link).eq_ignore_ascii_case(host_of(url)));
            });
            return Ok(Self {
                name,
                url: Some(url.to_owned()),
                urls: vec![url.to_owned()],
                fingerprint,
                links: links.unwrap_or_default(),
                is_local,
                no_page: None,
            });
        }
        let status = status?;
        Ok(Self::new(status.name, status.web, status.tls))
    }

    /// Returns the invitation to a server with this name, these addresses for browsers, best first,
    /// and this way in over TLS.
    fn new(name: String, urls: Vec<String>, tls: Option<TlsStatus>) -> Self {
        let no_page = match urls.first() {
            None => Some(NoPage::SwitchedOff),
            Some(url) if !is_remote_url(url) => Some(NoPage::OnlyHere(url.clone())),
            Some(_) => None,
        };
        let urls = if no_page.is_some() { Vec::new() } else { urls };
        let (fingerprint, mut links) = tls.map(|it| (it.fingerprint, it.links)).unzip();
        links.iter_mut().for_each(|it: &mut Vec<String>| it.retain(|link| is_remote_url(link)));
        Self {
            name: Some(name),
            url: urls.first().cloned(),
            urls,
            fingerprint,
            links: links.unwrap_or_default(),
            is_local: true,
            no_page,
        }
    }

    /// Returns what is in the QR code: the address for browsers, or else the best link for
    /// `chat-client`.
    ///
    /// # Errors
    /// There is neither. The text says what to do.
    pub(super) fn address(&self) -> Result<&str> {
        let address = self.url.as_deref().or_else(|| self.links.first().map(String::as_str));
        let why = self.no_page.as_ref().unwrap_or(&NoPage::SwitchedOff);
        address.ok_or_else(|| anyhow!("browsers find no way in: {why}"))
    }

    /// Checks that the code of an invitation can come behind the address for browsers.
    ///
    /// # Errors
    /// The address has a fragment already.
    pub(super) fn check_room_for_code(&self) -> Result<()> {
        let has_fragment = self.url.as_ref().is_some_and(|it| it.contains('#'));
        ensure!(
            !has_fragment,
            "with a code, the URL must not have a #, because the code goes there"
        );
        Ok(())
    }

    /// Returns the other addresses for browsers.
    pub(super) fn other_urls(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().skip(1).map(String::as_str)
    }

    /// Returns the name of the server in quotation marks, or what to call it without a name.
    pub(super) fn quoted_name(&self) -> String {
        self.name.as_ref().map_or("the chat".to_owned(), |it| format!("“{it}”"))
    }
}

/// Returns the host of a URL or of a link, with the brackets of IPv6.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

/// Returns true if a URL is one of these. A slash at its end does not matter.
fn is_one_of(url: &str, urls: &[String]) -> bool {
    let bare = |it: &str| it.trim_end_matches('/').to_ascii_lowercase();
    urls.iter().any(|it| bare(it) == bare(url))
}

/// Checks a URL of the command line.
///
/// # Errors
/// The text says what is wrong.
pub(super) fn parse_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Err("a URL begins with http:// or https://".to_owned());
    };
    if rest.is_empty() || rest.starts_with(['/', '?', '#', ':']) {
        return Err("this URL has no host".to_owned());
    }
    if !text.bytes().all(|c| c.is_ascii_graphic()) {
        return Err("a URL can have only visible ASCII characters".to_owned());
    }
    if text.len() > MAX_URL {
        return Err(format!("a URL can have at most {MAX_URL} bytes here"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error of a server with these addresses.
    fn error_of(urls: &[&str]) -> String {
        let urls = urls.iter().map(|it| (*it).to_owned()).collect();
        let invitation = Invitation::new("attic".to_owned(), urls, None);
        assert_eq!(invitation.url, None);
        invitation.address().unwrap_err().to_string()
    }

    #[test]
    fn address_that_leads_nowhere_is_an_error_that_says_what_to_do() {
        assert!(error_of(&[]).contains("web-root"));
        for url in
            ["http://127.0.0.1:2480/", "http://[::1]:2480/", "http://[::1]/", "http://127.0.0.2/"]
        {
            assert!(error_of(&[url]).contains("web-listen"), "{url}");
        }
    }

    /// Without a page the link for `chat-client` leads to the server.
    #[test]
    fn without_a_page_the_link_is_the_address() {
        let link = "chats://192.0.2.7/#fingerprint=00";
        for urls in [&[][..], &["http://127.0.0.1:2480/".to_owned()]] {
            let tls = TlsStatus {
                listening: Vec::new(),
                fingerprint: "00000".to_owned(),
                sha256: "00".to_owned(),
                links: vec!["chats://127.0.0.1/#fingerprint=00".to_owned(), link.to_owned()],
            };
            let invitation = Invitation::new("attic".to_owned(), urls.to_vec(), Some(tls));
            assert_eq!(invitation.address().unwrap(), link);
            assert!(invitation.url.is_none() && invitation.no_page.is_some());
        }
    }

    #[test]
    fn first_address_is_the_best() {
        let urls = ["http://attic-chat.local:2480/", "http://192.0.2.7:2480/"];
        let invitation =
            Invitation::new("attic".to_owned(), urls.map(str::to_owned).to_vec(), None);
        assert_eq!(invitation.address().unwrap(), urls[0]);
        assert_eq!(invitation.other_urls().collect::<Vec<_>>(), urls[1..]);
    }

    #[test]
    fn host_is_what_stands_before_port_and_path() {
        for (url, host) in [
            ("http://pi.local", "pi.local"),
            ("http://pi.local:2480/", "pi.local"),
            ("http://[2001:db8::1]/", "[2001:db8::1]"),
            ("chats://[2001:db8::1]:2430/#fingerprint=00", "[2001:db8::1]"),
            ("chats://192.0.2.7/#fingerprint=00", "192.0.2.7"),
        ] {
            assert_eq!(host_of(url), host);
        }
        let urls = ["http://attic-chat.local:2480/".to_owned()];
        assert!(is_one_of("http://Attic-chat.local:2480", &urls));
        assert!(!is_one_of("http://attic-chat.local/", &urls));
    }

    #[test]
    fn only_urls_of_pages_are_taken() {
        for url in ["http://pi.local:2480", "https://chat.example.org/?a=b#c"] {
            assert_eq!(parse_url(url).as_deref(), Ok(url));
        }
        for url in
            ["", "pi.local", "ftp://pi.local", "http://", "http:///x", "http://a b", "http://é"]
        {
            assert!(parse_url(url).is_err(), "{url}");
        }
        assert!(parse_url(&format!("http://{}", "x".repeat(300))).is_err());
    }
}
