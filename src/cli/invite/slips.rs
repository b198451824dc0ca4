//! The sheet to print: slips of paper on A4, in English and German, to be cut apart. Each invites one
//! user. It needs no other file.

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::code::CodeInvitation;
use super::invitation::Invitation;
use super::page::size_between;
use super::wifi::Wifi;
use crate::qr_code::{QrCode, escape_markup};

/// Style of the sheet.
const STYLE: &str = include_str!("slips.css");

/// Number of slips on a page of A4.
const SLIPS_PER_PAGE: usize = 4;

/// Smallest and largest size of the address, in points.
const ADDRESS_SIZES: (usize, usize) = (6, 12);

/// Returns the sheet as HTML. `wifi`: Wi-Fi to join first, with its code.
///
/// # Errors
/// An address is too long for a QR code.
pub(super) fn html(
    server: &Invitation,
    slips: &[CodeInvitation],
    wifi: Option<&(QrCode, Wifi)>,
) -> Result<String> {
    let title = escape_markup(server.name.as_deref().unwrap_or("Chat"));
    let network = wifi.map_or(String::new(), |(code, wifi)| wifi_step(code, wifi));
    let mut pages = String::new();
    for page in slips.chunks(SLIPS_PER_PAGE) {
        pages.push_str("<section class=\"sheet\">\n");
        for slip in page {
            pages.push_str(&slip_html(server, slip, &title, &network)?);
        }
        pages.push_str("</section>\n");
    }
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{pages}</body>\n</html>\n"
    ))
}

/// Returns a slip. `title`: name of the server; `network`: how phones join the Wi-Fi, or nothing;
/// both are markup.
///
/// # Errors
/// The address is too long for a QR code.
fn slip_html(
    server: &Invitation,
    slip: &CodeInvitation,
    title: &str,
    network: &str,
) -> Result<String> {
    let has_wifi = !network.is_empty();
    let number = if has_wifi { "<b>2. Chat</b>\n" } else { "" };
    let address = slip.address().context("there is no address for the slips")?;
    let code = QrCode::new(address)?.to_svg(address);
    let typed = server.url.as_ref().map_or(String::new(), |url| {
        let (size, url) = (size_between(ADDRESS_SIZES, url), escape_markup(url));
        format!("<p class=\"address\" style=\"font-size: {size}pt\">{url}</p>\n")
    });
    let how = match server.url {
        Some(_) => how(has_wifi, server.is_local),
        None => how_in_a_terminal(has_wifi),
    };
    let key = encrypted(server, slip);
    let invitation = &slip.issued.invitation;
    let until = invitation.until.map_or(String::new(), |it| until(it, TimeZone::system()));
    Ok(format!(
        "<article class=\"slip\">\n<div class=\"row\">\n{network}\
         <div class=\"step\">\n{number}{code}</div>\n<div class=\"words\">\n\
         <h1 dir=\"auto\">{title}</h1>\n<p class=\"code\">{}</p>\n\
         <p>For one person / <span lang=\"de\">für eine Person</span>{until}</p>\n{how}</div>\n\
         </div>\n{typed}{key}\
         </article>\n",
        slip.issued.code
    ))
}

/// Returns until when a slip may be used, to the minute, in the time zone of this machine. `until`:
/// in milliseconds since 1970. Empty for a time after the year 9999.
fn until(until: u64, zone: TimeZone) -> String {
    let until = i64::try_from(until).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    until.map_or(String::new(), |it| {
        let until = it.to_zoned(zone).strftime("%Y-%m-%d %H:%M");
        format!(", until / <span lang=\"de\">bis</span> {until}")
    })
}

/// Returns the part of a slip by which phones join a Wi-Fi.
fn wifi_step(code: &QrCode, wifi: &Wifi) -> String {
    let ssid = escape_markup(&wifi.ssid);
    let code = code.to_svg(&format!("Wi-Fi {}", wifi.ssid));
    let password = wifi
        .password
        .as_ref()
        .map_or(String::new(), |it| format!("<p class=\"password\">{}</p>\n", escape_markup(it)));
    format!(
        "<div class=\"step\">\n<b>1. Wi-Fi / <span lang=\"de\">WLAN</span></b>\n{code}\
         <p class=\"ssid\" dir=\"auto\">{ssid}</p>\n{password}</div>\n"
    )
}

/// Returns what to do, in both languages. `has_wifi`: true if there are two QR codes. `is_local`:
/// true if the address is known on this network only.
fn how(has_wifi: bool, is_local: bool) -> String {
    let (english, german) = match (has_wifi, is_local) {
        (true, _) => (
            "Scan code 1 with the camera of your phone to join the Wi-Fi, then code 2.",
            "Scanne mit der Kamera deines Telefons Code 1, dann bist du im WLAN, und danach Code 2.",
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
        "<p>{english} Or type the address below into a browser, and these 16 letters and digits \
         when it asks for your invitation. Whoever has them can come in: show them to nobody.</p>\n\
         <p lang=\"de\">{german} Oder tippe die Adresse unten in einen Browser und diese 16 \
         Buchstaben und Ziffern, wenn er nach deiner Einladung fragt. Wer sie hat, kommt damit \
         hinein: Zeig sie niemandem.</p>\n"
    )
}

/// Returns what to do where browsers find no way in, in both languages. `has_wifi`: true if there
/// are two QR codes.
fn how_in_a_terminal(has_wifi: bool) -> String {
    let (english, german) = match has_wifi {
        true => (
            "Scan code 1 to join the Wi-Fi. Then type",
            "Scanne Code 1, dann bist du im WLAN. Tippe danach",
        ),
        false => {
            ("Join the Wi-Fi here, then type", "Verbinde dich mit dem WLAN hier und tippe dann")
        }
    };
    format!(
        "<p>{english} the line below in a terminal: the code has its link. Whoever has it can come \
         in: show it to nobody.</p>\n\
         <p lang=\"de\">{german} die Zeile unten in einem Terminal: Der Code enthält den Link. Wer \
         ihn hat, kommt damit hinein: Zeig ihn niemandem.</p>\n"
    )
}

/// Returns the part of a slip for those who come with `chat-client`, encrypted: fingerprint, and the
/// command. Empty for a server without TLS.
fn encrypted(server: &Invitation, slip: &CodeInvitation) -> String {
    let Some(fingerprint) = &server.fingerprint else { return String::new() };
    // The quotation marks are for the shell, to which & has a meaning.
    let command = slip.link.as_ref().map_or(String::new(), |it| {
        let typed = escape_markup(&format!("chat-client \"{it}\""));
        format!(
            "<p>Encrypted, in a terminal / <span lang=\"de\">verschlüsselt, im Terminal</span>: \
             <code>{typed}</code></p>\n"
        )
    });
    format!(
        "<div class=\"key\">\n{command}<p>Key of the server / <span lang=\"de\">Schlüssel des \
         Servers</span>: <b>{fingerprint}</b></p>\n</div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who holds a slip reads the time of the clock on the wall, in both languages.
    #[test]
    fn slip_ends_in_local_time() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let told = until(1_774_742_459_999, berlin.clone());
        assert_eq!(told, ", until / <span lang=\"de\">bis</span> 2026-03-29 01:00");
        assert_eq!(until(u64::MAX, berlin), "");
    }
}
