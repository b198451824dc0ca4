//! Link codes, by which a further device of the user gets the claimed username.

use super::safe::{safe_line, safe_name};
use crate::model::{ChatCommand, ClaimAction, InvitationCode, LINK_CODE_SECONDS, LinkCode};
use crate::os::random_bytes;
#[cfg(feature = "client")]
use crate::qr_code::{QrCode, TerminalStyle};
use crate::text;

/// Returns the line that says what `/unlink` does, for a user who has not said that it shall.
pub(super) fn unlink_question() -> String {
    format!("-- {}", text!("link-unlink-question"))
}

/// Makes a link code. Returns the command for the engine.
///
/// # Errors
/// The operating system's random source fails. The error text is for the user.
pub(super) fn request_link() -> Result<ChatCommand, String> {
    let bits = random_bytes().map_err(|_| text!("link-no-random"))?;
    Ok(ChatCommand::Claim(ClaimAction::Link(InvitationCode::from_random(bits))))
}

/// Renders a link code, with what to do on the other device. On a terminal, `is_terminal`, adds the
/// link as a QR code, if `width` columns are enough; `None`: that many are there. It is the link to
/// the server's page, if it has one: a telephone opens that.
pub(super) fn link_code_text(made: &LinkCode, is_terminal: bool, width: Option<usize>) -> String {
    let LinkCode { name, code, link, page_link, .. } = made;
    let (name, minutes) = (safe_name(name), LINK_CODE_SECONDS / 60);
    let mut lines =
        vec![text!("link-code", code = code.to_string(), minutes = minutes, name = name)];
    let link = link.as_deref().map(safe_line);
    if let Some(link) = &link {
        lines.push(text!("link-command", command = format!("chat-client '{link}'")));
    }
    let page = page_link.as_deref().map(safe_line);
    match &page {
        Some(page) => lines.push(text!("link-page", address = page)),
        None if link.is_some() => {
            let ending = format!("/#{}{code}", InvitationCode::LINK_KEY);
            lines.push(text!("link-page-unknown", ending = ending));
        }
        None => {}
    }
    let lines = lines.iter().map(|it| format!("-- {it}"));
    #[cfg_attr(not(feature = "client"), expect(unused_mut))]
    let mut text = lines.collect::<Vec<_>>().join("\n");
    #[cfg(feature = "client")]
    if is_terminal
        && let Some(link) = page.or(link)
        && let Some(code) = draw(&link, width)
    {
        text = format!("{text}\n{}", code.trim_end_matches('\n'));
    }
    #[cfg(not(feature = "client"))]
    let _ = (is_terminal, width);
    text
}

/// Draws a text as a QR code for a terminal of this width, in columns; `None` if that is too narrow.
#[cfg(feature = "client")]
fn draw(text: &str, width: Option<usize>) -> Option<String> {
    let style = TerminalStyle::of_terminal(true, |name| std::env::var(name).ok());
    let code = QrCode::with_fixed_mask(text).ok()?;
    let is_wide_enough = width.is_none_or(|it| it >= style.columns(&code));
    is_wide_enough.then(|| style.draw(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestTag;

    /// The text has the code, the name and how to use it; without a link only the code.
    #[test]
    fn link_code_is_shown_with_what_to_do() {
        let code = InvitationCode::from_random([7; 10]);
        let (tag, name) = (RequestTag::default(), "anna".to_owned());
        let link = Some(format!("chats://pi.local/#fingerprint=00&invite={code}"));
        let mut made = LinkCode { tag, name, code, link, page_link: None };
        let told = link_code_text(&made, false, None);
        assert!(told.starts_with(&format!("-- {code} is the code")) && told.contains("5 minutes"));
        assert!(told.contains("makes you anna"), "{told}");
        assert!(
            told.contains(&format!("chat-client 'chats://pi.local/#fingerprint=00&invite={code}'"))
        );
        assert!(told.contains(&format!("with /#invite={code} behind")), "{told}");
        #[cfg(feature = "client")]
        for (width, is_drawn) in [(None, true), (Some(200), true), (Some(20), false)] {
            let with_code = link_code_text(&made, true, width);
            assert_eq!(with_code.lines().count() > told.lines().count() + 15, is_drawn);
            assert!(with_code.starts_with(&told), "{with_code}");
        }
        let chats = link_code_text(&made, true, None);
        let page = format!("http://pi.local:2480/#invite={code}");
        made.page_link = Some(page.clone());
        let told = link_code_text(&made, false, None);
        assert!(told.contains("chat-client 'chats://pi.local/"), "{told}");
        assert!(told.ends_with(&format!("\n-- Or open in a browser there: {page}")), "{told}");
        #[cfg(feature = "client")]
        {
            // What a telephone scans is the page.
            let drawn = link_code_text(&made, true, None);
            let expected = draw(&page, None).unwrap();
            assert!(drawn.ends_with(expected.trim_end_matches('\n')) && drawn.starts_with(&told));
            assert!(!chats.ends_with(expected.trim_end_matches('\n')));
        }
        (made.link, made.page_link) = (None, None);
        assert_eq!(link_code_text(&made, true, None).lines().count(), 1);
    }

    /// Each code is another one.
    #[test]
    fn codes_differ() {
        assert_ne!(request_link(), request_link());
    }
}
