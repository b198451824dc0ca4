//! URL of the page that a server has for browsers.

use super::InvitationCode;

/// Maximum length of the URL in bytes.
const MAX_LENGTH: usize = 255;

/// URL of a server's page for browsers: `http://` or `https://`, then 1 to 247 visible characters of
/// ASCII without a fragment. Clients get it from servers, which may claim anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl(String);

impl PageUrl {
    /// Validates a URL; `None` if it is none of a page.
    #[must_use]
    pub fn new(url: String) -> Option<Self> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
        let is_valid = !rest.is_empty()
            && url.len() <= MAX_LENGTH
            && url.bytes().all(|it| it.is_ascii_graphic() && it != b'#');
        is_valid.then_some(Self(url))
    }

    /// Returns the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the link that opens the page with the code of an invitation or of a further device.
    #[must_use]
    pub fn link(&self, code: InvitationCode) -> String {
        format!("{}#{}{code}", self.0, InvitationCode::LINK_KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page has an address that a browser opens and nobody mistakes for something else.
    #[test]
    fn urls_are_visible_and_of_the_web() {
        let url = |it: &str| PageUrl::new(it.to_owned());
        let code = "0123456789ABCDEF".parse().unwrap();
        let page = url("http://pi-chat.local:2480/").unwrap();
        assert_eq!(page.link(code), "http://pi-chat.local:2480/#invite=0123-4567-89AB-CDEF");
        assert!(url("https://[2001:db8::1]/").is_some());
        for wrong in [
            "",
            "http://",
            "chats://pi/",
            "javascript:0",
            "http://a b/",
            "http://a/#x",
            "http://ä/",
        ] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
        let long = |length: usize| url(&format!("http://{}", "a".repeat(length - 7)));
        assert!(long(255).is_some() && long(256).is_none());
    }
}
