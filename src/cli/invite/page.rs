//! The page to print: one sheet of A4, in English and German, for a wall or a door. It needs no
//! other file.

use super::invitation::Invitation;
use super::wifi::Wifi;
use crate::qr_code::{QrCode, escape_markup};

/// Style of the page.
const STYLE: &str = include_str!("page.css");

/// Width of a line, in points, with a reserve.
const LINE_WIDTH: usize = 500;

/// Smallest and largest size of the server's name and of the address, in points. What is too long
/// for a line in the smallest one takes several.
const LARGE_SIZES: (usize, usize) = (13, 34);

/// Maximum number of other addresses on the page.
const MAX_OTHERS: usize = 2;

/// Returns the page as HTML. `address`: address for browsers or link for `chat-client`, of the code;
/// `wifi`: Wi-Fi to join first, with its code.
pub(super) fn html(
    invitation: &Invitation,
    address: &str,
    code: &QrCode,
    wifi: Option<&(QrCode, Wifi)>,
) -> String {
    let name = invitation.name.as_deref().unwrap_or("Chat");
    let (title_size, title) = (size_of(name), escape_markup(name));
    let network = wifi.map_or(String::new(), |(code, wifi)| wifi_step(code, wifi));
    let heading = match wifi {
        Some(_) => "<h2>2. Chat</h2>\n",
        None => "",
    };
    let code = code.to_svg(address);
    let (size, shown) = (size_of(address), escape_markup(address));
    let others: String = invitation
        .other_urls()
        .take(MAX_OTHERS)
        .map(|it| format!("<p class=\"other\">or / oder&ensp;{}</p>\n", escape_markup(it)))
        .collect();
    let how = match invitation.url {
        Some(_) => how(wifi.is_some(), invitation.is_local),
        None => how_in_a_terminal(wifi.is_some()),
    };
    let encrypted = encrypted(invitation);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1 dir=\"auto\" style=\"font-size: {title_size}pt\">{title}</h1>\n\
         <div class=\"steps\">\n{network}<section class=\"step\">\n{heading}{code}</section>\n\
         </div>\n<div>\n<p class=\"address\" style=\"font-size: {size}pt\">{shown}</p>\n\
         {others}</div>\n{how}{encrypted}</body>\n</html>\n"
    )
}

/// Returns the part of the page for those who come with `chat-client`, encrypted: link and
/// fingerprint. Empty for a server without TLS.
fn encrypted(invitation: &Invitation) -> String {
    let Some(fingerprint) = &invitation.fingerprint else { return String::new() };
    let link = invitation
        .links
        .first()
        // Without a page it is the address.
        .filter(|_| invitation.url.is_some())
        .map_or(String::new(), |it| format!("<p>chat-client {}</p>\n", escape_markup(it)));
    format!(
        "<div class=\"key\">\n<p>Encrypted, in a terminal; key of the server / \
         <span lang=\"de\">Verschlüsselt, im Terminal; Schlüssel des Servers</span>: \
         <b>{fingerprint}</b></p>\n{link}</div>\n"
    )
}

/// Returns the part of the page by which phones join a Wi-Fi.
fn wifi_step(code: &QrCode, wifi: &Wifi) -> String {
    let ssid = escape_markup(&wifi.ssid);
    let code = code.to_svg(&format!("Wi-Fi {}", wifi.ssid));
    let password =
        wifi.password.as_ref().map_or("<p>no password / ohne Passwort</p>".to_owned(), |it| {
            format!("<p class=\"words\">Password / Passwort<br><b>{}</b></p>", escape_markup(it))
        });
    format!(
        "<section class=\"step\">\n<h2>1. Wi-Fi <small lang=\"de\">WLAN</small></h2>\n{code}\
         <p class=\"words\"><b dir=\"auto\">{ssid}</b></p>\n{password}\n</section>\n"
    )
}

/// Returns what to do, in both languages. `has_wifi`: true if there are two codes. `is_local`: true
/// if the address is known on this network only.
fn how(has_wifi: bool, is_local: bool) -> String {
    let (english, german) = match (has_wifi, is_local) {
        (true, _) => (
            "Scan code 1 with the camera of your phone to join the Wi-Fi, then code 2 to get to \
             the chat.",
            "Scanne mit der Kamera deines Telefons Code 1, dann bist du im WLAN, und danach \
             Code 2: Er führt zum Chat.",
        ),
        (false, true) => (
            "Join the Wi-Fi here, then scan the code with the camera of your phone.",
            "Verbinde dich mit dem WLAN hier und scanne dann den Code mit der Kamera deines \
             Telefons.",
        ),
        (false, false) => (
            "Scan the code with the camera of your phone.",
            "Scanne den Code mit der Kamera deines Telefons.",
        ),
    };
    format!(
        "<div class=\"how\">\n<p>{english} Or type the address into a browser. Choose a name and \
         talk: there is nothing to install.</p>\n<p lang=\"de\">{german} Oder tippe die Adresse \
         in einen Browser. Wähle einen Namen und rede mit: Du musst nichts installieren.</p>\n\
         </div>\n"
    )
}

/// Returns what to do where browsers find no way in, in both languages. `has_wifi`: true if there
/// are two codes.
fn how_in_a_terminal(has_wifi: bool) -> String {
    let (english, german) = match has_wifi {
        true => (
            "Scan code 1 to join the Wi-Fi. Then type chat-client and the link of code 2 in a \
             terminal",
            "Scanne Code 1, dann bist du im WLAN. Tippe danach in einem Terminal chat-client und \
             den Link von Code 2",
        ),
        false => (
            "Join the Wi-Fi here, then type chat-client and the link of the code in a terminal",
            "Verbinde dich mit dem WLAN hier und tippe dann in einem Terminal chat-client und den \
             Link des Codes",
        ),
    };
    format!(
        "<div class=\"how\">\n<p>{english}: it stands below the code. Choose a name and talk.</p>\n\
         <p lang=\"de\">{german}: Er steht unter dem Code. Wähle einen Namen und rede mit.</p>\n\
         </div>\n"
    )
}

/// Returns the size in which a text fits on a line, within [`LARGE_SIZES`].
fn size_of(text: &str) -> usize {
    size_between(LARGE_SIZES, text)
}

/// Returns the size in which a text fits on a line of A4, in points, between the smallest and the
/// largest. Characters of a bold font are about six tenths as wide as it is high.
pub(super) fn size_between((smallest, largest): (usize, usize), text: &str) -> usize {
    (LINE_WIDTH * 10 / (6 * text.chars().count().max(1))).clamp(smallest, largest)
}
