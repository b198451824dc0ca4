//! The QR code by which somebody who has the page lets others in. It is made for each request: what
//! others have to type is where this browser has found the server.

use super::hosts::{Authority, is_remote};
use crate::qr_code::QrCode;

/// Path of the QR code.
pub(super) const INVITATION_PATH: &str = "/invite.svg";

/// Media type of the QR code.
pub(super) const INVITATION_TYPE: &str = "image/svg+xml";

/// Maximum length of a host with its port in a QR code, in bytes. Names that people have to type
/// are shorter, and a longer one would cost more than any other request.
const MAX_HOST: usize = 100;

/// Returns the QR code of the URL that leads others to the server, as SVG with the URL as its title.
/// `host`: where the request went, which is the host of the URL unless that leads nobody here but
/// this machine; `is_https`: true if the browser has used https; `urls`: returns the URLs of the
/// page, best first, and is called only if the host does not do. `None` if no URL works from other
/// machines, or the host is too long.
pub(super) fn svg(
    host: &Authority,
    is_https: bool,
    urls: impl FnOnce() -> Vec<String>,
) -> Option<String> {
    let url = match host.is_loopback() {
        true => urls().into_iter().find(|it| is_remote(it))?,
        false => {
            let (scheme, host) = (if is_https { "https" } else { "http" }, host.to_text());
            (host.len() <= MAX_HOST).then(|| format!("{scheme}://{host}/"))?
        }
    };
    Some(QrCode::with_fixed_mask(&url).ok()?.to_svg(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the URL in the title of the code for a request to this host, while the page has
    /// these URLs.
    fn url_for(host: &str, is_https: bool, urls: &[&str]) -> Option<String> {
        let urls = urls.iter().map(|it| (*it).to_owned()).collect();
        let svg = svg(&Authority::parse(host).unwrap(), is_https, || urls)?;
        let title = svg.split("<title>").nth(1)?.split("</title>").next()?;
        Some(title.to_owned())
    }

    #[test]
    fn others_are_led_where_this_browser_has_found_the_server() {
        for host in ["attic-chat.local:2480", "192.0.2.7", "[2001:db8::1]:2480"] {
            let url = Some(format!("http://{host}/"));
            assert_eq!(url_for(host, false, &["http://other.local/"]), url);
        }
        let url = Some("https://chat.example.org/".to_owned());
        assert_eq!(url_for("chat.example.org", true, &[]), url);
    }

    /// A phone cannot follow to `localhost`.
    #[test]
    fn page_of_this_machine_leads_others_to_the_best_address() {
        let urls = ["http://attic-chat.local:2480/", "http://192.0.2.7:2480/"];
        for host in [
            "localhost:2480",
            "127.0.0.1:2480",
            "[::1]:2480",
            "chat.localhost",
            "0.0.0.0",
            "[::]:1",
        ] {
            assert_eq!(url_for(host, false, &urls).as_deref(), Some(urls[0]), "{host}");
            assert_eq!(url_for(host, false, &["http://127.0.0.1:2480/"]), None, "{host}");
            assert_eq!(url_for(host, false, &[]), None, "{host}");
        }
    }

    #[test]
    fn host_that_is_too_long_gets_no_code() {
        let host = |length: usize| format!("{}.local", "a".repeat(length - 6));
        assert!(url_for(&host(100), false, &[]).is_some());
        assert_eq!(url_for(&host(101), false, &[]), None);
    }
}
