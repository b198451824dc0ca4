//! `chat-server invite`, and the server's own QR code for its page: what they write is read again by
//! another library for QR codes.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{PATIENCE, Server, WITH_WEB, server_command};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Addresses of a server, as `status` tells them.
const URLS: [&str; 2] = ["http://attic-chat.local:2480/", "http://192.0.2.7:2480/"];

/// Links to a server with TLS, as `status` tells them.
const LINKS: [&str; 2] = [
    "chats://attic-chat.local/#fingerprint=\
     00000000000000010001869f000186a0000186a17fffffff80000000ffffffff",
    "chats://192.0.2.7/#fingerprint=\
     00000000000000010001869f000186a0000186a17fffffff80000000ffffffff",
];

/// Fingerprint of this server, as people compare it.
const FINGERPRINT: &str = "00000 00001 99999 00000 00001 83647 83648 67295";

/// Pixels of a module, in each direction.
const SCALE: usize = 4;

/// Reads the only QR code in a picture of dark and light modules.
fn read_code(width: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
    let pixel = |x: usize, y: usize| if is_dark(x / SCALE, y / SCALE) { 0 } else { 255 };
    let side = width * SCALE;
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side, side, pixel);
    let codes = picture.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}

/// Reads all QR codes of a text without colours, in half blocks that are the light modules.
fn codes_of_text(text: &str) -> Vec<String> {
    let is_code = |line: &str| line.contains(['█', '▀', '▄']);
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines.split(|line| !is_code(line)).filter(|it| !it.is_empty());
    blocks
        .map(|block| {
            let rows: Vec<Vec<char>> = block.iter().map(|it| it.chars().collect()).collect();
            read_code(rows[0].len(), |x, y| match rows.get(y / 2).map_or('█', |it| it[x]) {
                '█' => false,
                '▀' => y % 2 == 1,
                '▄' => y % 2 == 0,
                _ => true,
            })
        })
        .collect()
}

/// Reads all QR codes of SVG, also within HTML: paths of horizontal runs.
fn codes_of_svg(text: &str) -> Vec<String> {
    let between = |text: &str, from: &str, to: &str| {
        text.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned()
    };
    let codes = text.split("<svg").skip(1);
    codes
        .map(|code| {
            let width = between(code, "viewBox=\"0 0 ", " ").parse().unwrap();
            let mut dark = HashSet::new();
            for run in between(code, "fill=\"#000\" d=\"M", "\"").split('M') {
                let [x, y, length] = *run
                    .split([' ', 'h', 'v'])
                    .take(3)
                    .map(|it| it.parse::<usize>().unwrap())
                    .collect::<Vec<_>>()
                else {
                    panic!("{run}")
                };
                dark.extend((x..x + length).map(|x| (x, y)));
            }
            read_code(width, |x, y| dark.contains(&(x, y)))
        })
        .collect()
}

/// Answers status queries like a server that others can reach, for tests on machines without a
/// network: a real server's status with other addresses, and with TLS if there are links. The thread
/// ends with the test.
fn serve_status(directory: &TempDir, urls: &[&str], links: &[&str]) -> String {
    serve_invitations(directory, urls, links, 0).0
}

/// Requests that a server of a test has taken.
type Requests = Arc<Mutex<Vec<Value>>>;

/// Answers like [`serve_status`], and makes so many invitations, with the codes of [`code`]; then it
/// refuses. Returns the control socket, and the requests that come.
fn serve_invitations(
    directory: &TempDir,
    urls: &[&str],
    links: &[&str],
    count: usize,
) -> (String, Requests) {
    let real = directory.path().join("real");
    let _server = Server::start(&["--name", "attic <1>", "--control", real.to_str().unwrap()]);
    let status = server_command().args(["status", "--json", "--control"]).arg(&real).output();
    let mut status: Value = serde_json::from_slice(&status.unwrap().stdout).unwrap();
    assert_eq!(status["web"], json!([]));
    status["web"] = json!(urls);
    if !links.is_empty() {
        let (fingerprint, sha256) = (FINGERPRINT, links[0].split('=').nth(1));
        let listening = ["[::]:2429"];
        status["tls"] = json!({
            "listening": listening, "fingerprint": fingerprint, "sha256": sha256, "links": links,
        });
    }
    let path = directory.path().join("control");
    let listener = UnixListener::bind(&path).unwrap();
    let requests = Requests::default();
    let taken = requests.clone();
    thread::spawn(move || {
        let mut made = 0;
        for stream in listener.incoming() {
            let (mut stream, mut request) = (stream.unwrap(), String::new());
            stream.read_to_string(&mut request).unwrap();
            let request = serde_json::from_str(&request).unwrap_or(Value::Null);
            let answer = match &request {
                Value::Null => status.clone(),
                it if it["invite"].is_object() && made < count => {
                    made += 1;
                    json!({"invited": {
                        "code": code(made), "id": id(made), "name": null, "uses": 1, "left": 1,
                        "until": 60_000, "permits_claim": it["invite"]["permits_claim"],
                    }})
                }
                it if it["invite"].is_object() => json!({"error": "there are too many"}),
                _ => json!({"done": 1}),
            };
            taken.lock().unwrap().push(request);
            let _ = writeln!(stream, "{answer}");
        }
    });
    (path.to_str().unwrap().to_owned(), requests)
}

/// Returns the code of the invitation that [`serve_invitations`] makes as this one, from 1.
fn code(number: usize) -> String {
    format!("0000-0000-0000-{number:04}")
}

/// Returns the identifier of this invitation.
fn id(number: usize) -> String {
    format!("{number:08x}")
}

/// Runs `chat-server invite` in a UTF-8 locale, with this standard input.
fn invite(control: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = server_command();
    command.env("LANG", "C.UTF-8").args(["invite", "--control", control]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The command may end without reading it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns what a command that has succeeded wrote to standard output.
fn output_of(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the error text of a command that must have failed with this exit code.
fn error_of(output: &Output, code: i32) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

#[test]
fn terminal_svg_and_json_lead_to_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let control = serve_status(&directory, &URLS, &[]);
    let text = output_of(invite(&control, &[], ""));
    assert_eq!(codes_of_text(&text), [URLS[0]]);
    assert!(text.contains("“attic <1>”") && URLS.iter().all(|it| text.contains(it)), "{text}");
    assert!(!text.contains('\x1b'), "colours are for terminals");

    let svg = output_of(invite(&control, &["--svg", "-"], ""));
    assert_eq!(codes_of_svg(&svg), [URLS[0]]);
    let object = output_of(invite(&control, &["--json"], ""));
    let object: Value = serde_json::from_str(&object).unwrap();
    let none: [&str; 0] = [];
    assert_eq!(
        object,
        json!({
            "name": "attic <1>", "url": URLS[0], "urls": URLS, "fingerprint": null, "links": none,
        })
    );
    assert!(!text.contains("fingerprint"), "{text}");
}

/// Where the server has TLS, every form but the code alone tells the fingerprint of its key and the
/// links. Those that only this machine can follow are left out, and with an address of the owner's
/// all of them.
#[test]
fn fingerprint_and_links_are_told_where_there_is_tls() {
    let directory = tempfile::tempdir().unwrap();
    let local = LINKS[0].replace("attic-chat.local", "127.0.0.1");
    let control = serve_status(&directory, &URLS, &[LINKS[0], LINKS[1], &local]);
    let text = output_of(invite(&control, &[], ""));
    let page = output_of(invite(&control, &["--page", "-"], ""));
    let object = output_of(invite(&control, &["--json"], ""));
    for told in [&text, &page, &object] {
        assert!(told.contains(FINGERPRINT) && told.contains(LINKS[0]), "{told}");
        assert!(!told.contains(&local), "{told}");
    }
    let object: Value = serde_json::from_str(&object).unwrap();
    assert_eq!((&object["fingerprint"], &object["links"]), (&json!(FINGERPRINT), &json!(LINKS)));
    assert_eq!(codes_of_text(&text), [URLS[0]], "phones need the page only");

    let text = output_of(invite(&control, &["--url", "http://192.0.2.9/"], ""));
    assert!(text.contains(FINGERPRINT) && !text.contains("chats://"), "{text}");
    // Of the server's own addresses, the owner has chosen the one with numbers.
    let text = output_of(invite(&control, &["--url", URLS[1]], ""));
    assert!(text.contains(LINKS[1]) && !text.contains(LINKS[0]), "{text}");
}

/// Where browsers find no way in, or only this machine's do, every form leads `chat-client` in.
#[test]
fn without_a_page_the_link_is_shown() {
    for urls in [&[][..], &["http://127.0.0.1:2480/"]] {
        let directory = tempfile::tempdir().unwrap();
        let (control, _) = serve_invitations(&directory, urls, &LINKS, 2);
        let text = output_of(invite(&control, &[], ""));
        assert_eq!(codes_of_text(&text), [LINKS[0]]);
        for part in [
            &format!("    chat-client {}\n", LINKS[0]),
            &format!("or  chat-client {}\n", LINKS[1]),
            FINGERPRINT,
            "Browsers cannot get in: ",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let svg = output_of(invite(&control, &["--svg", "-"], ""));
        assert_eq!(codes_of_svg(&svg), [LINKS[0]]);
        let page = output_of(invite(&control, &["--page", "-"], ""));
        assert_eq!(codes_of_svg(&page), [LINKS[0]]);
        assert_eq!(page.matches(LINKS[0]).count(), 2, "title of the code, and to read: {page}");
        assert!(page.contains("in a terminal: it stands below") && !page.contains("browser"));
        let object = output_of(invite(&control, &["--json"], ""));
        let object: Value = serde_json::from_str(&object).unwrap();
        assert_eq!((&object["url"], &object["urls"]), (&Value::Null, &json!([])));
        assert_eq!(object["links"], json!(LINKS));

        let sheet = output_of(invite(&control, &["--sheet", "2", "--page", "-"], ""));
        let link = |number| format!("{}&invite={}", LINKS[0], code(number));
        assert_eq!(codes_of_svg(&sheet), [link(1), link(2)]);
        let typed = link(2).replace('&', "&amp;");
        assert!(sheet.contains(&format!("chat-client &quot;{typed}&quot;")), "{sheet}");
        assert!(sheet.contains("the line below in a terminal") && !sheet.contains("browser"));
    }
}

/// The QR code of an invitation by code leads a phone to the page with the code; where browsers find
/// no way in, it has the link; and where there is no address, there is none.
#[test]
fn invitation_by_code_has_a_qr_code() {
    let made = |urls: &[&str], links: &[&str], flags: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let (control, _) = serve_invitations(&directory, urls, links, 1);
        output_of(invite(&control, &[&["--code"], flags].concat(), ""))
    };
    let url = format!("{}#invite={}", URLS[0], code(1));
    let link = format!("{}&invite={}", LINKS[0], code(1));
    let text = made(&URLS, &LINKS, &[]);
    assert_eq!(codes_of_text(&text), [url.as_str()]);
    let typed = format!("    chat-client '{link}'\n");
    assert!(text.contains(&format!("    {url}\n")) && text.ends_with(&typed), "{text}");
    let text = made(&[], &LINKS, &["--name", "anna", "--no-claim"]);
    assert_eq!(codes_of_text(&text), [link.as_str()]);
    assert!(text.ends_with(&typed) && !text.contains("browser"), "{text}");
    let text = made(&URLS, &LINKS, &["--url", URLS[1]]);
    assert_eq!(codes_of_text(&text), [url.replace(URLS[0], URLS[1])]);
    // Nobody else reaches this server by what its status tells: the invited user has to know.
    let text = made(&[], &[], &[]);
    assert!(codes_of_text(&text).is_empty(), "{text}");
    assert!(text.ends_with(&format!("    chat-client SERVER --invite {}\n", code(1))), "{text}");

    let object: Value = serde_json::from_str(&made(&URLS, &LINKS, &["--json"])).unwrap();
    let object = &object["invited"];
    assert_eq!((&object["code"], &object["id"]), (&json!(code(1)), &json!(id(1))));
    assert_eq!((&object["url"], &object["link"]), (&json!(url), &json!(link)));
    let object: Value = serde_json::from_str(&made(&[], &[], &["--json"])).unwrap();
    let object = &object["invited"];
    assert_eq!((&object["url"], &object["link"]), (&Value::Null, &Value::Null));

    let directory = tempfile::tempdir().unwrap();
    let (control, requests) = serve_invitations(&directory, &URLS, &LINKS, 1);
    let flags = ["--code", "--url", "http://pi.local/#x"];
    assert!(error_of(&invite(&control, &flags, ""), 1).contains("must not have a #"));
    assert!(requests.lock().unwrap().iter().all(Value::is_null), "no invitation was made");
}

/// Each slip has its own code: in a QR code that leads to the page with it, in a link, and to read.
/// Four slips take a page, and only the owner may read the file.
#[test]
fn sheet_has_a_slip_for_each_invitation() {
    let directory = tempfile::tempdir().unwrap();
    let (control, requests) = serve_invitations(&directory, &URLS, &LINKS, 9);
    let sheet = directory.path().join("sheet.html");
    let file = sheet.to_str().unwrap();
    let flags = ["--sheet", "9", "--for", "2h", "--no-claim", "--wifi", "ho:me", "--page", file];
    let told = output_of(invite(&control, &flags, "pass;word\n"));
    assert_eq!(told, format!("wrote {file}\n"));
    let request = json!({"invite": {
        "name": null, "uses": 1, "length": 7_200, "permits_claim": false,
    }});
    assert_eq!(requests.lock().unwrap()[1..], vec![request; 9]);
    let mode = fs::metadata(&sheet).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "codes and a password are in it");

    let html = fs::read_to_string(&sheet).unwrap();
    let wifi = r"WIFI:T:WPA;S:ho\:me;P:pass\;word;;".to_owned();
    let url = |number| format!("{}#invite={}", URLS[0], code(number));
    let codes: Vec<String> = (1..=9).flat_map(|it| [wifi.clone(), url(it)]).collect();
    assert_eq!(codes_of_svg(&html), codes);
    assert_eq!(html.matches("<section class=\"sheet\">").count(), 3);
    let slips: Vec<&str> = html.split("<article").skip(1).collect();
    assert_eq!(slips.len(), 9);
    for (slip, number) in slips.iter().zip(1..) {
        let code = code(number);
        let link = format!("&quot;{}&amp;invite={code}&quot;", LINKS[0]);
        for part in [
            "attic &lt;1&gt;",
            ">ho:me<",
            ">pass;word<",
            FINGERPRINT,
            "lang=\"de\"",
            URLS[0],
            "until / <span lang=\"de\">bis</span> 19",
            &format!(">{code}<"),
            &link,
        ] {
            assert!(slip.contains(part), "{part}: {slip}");
        }
    }
    for outside in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

/// Programs get codes, addresses and links as an array. Without TLS, and at an address that the
/// server does not know, there is no link.
#[test]
fn sheet_for_programs_is_an_array() {
    let directory = tempfile::tempdir().unwrap();
    let (control, _) = serve_invitations(&directory, &URLS, &LINKS, 3);
    let run = |flags: &[&str]| {
        let told = output_of(invite(&control, &[&["--sheet", "1", "--json"], flags].concat(), ""));
        serde_json::from_str::<Value>(&told).unwrap()
    };
    let slip = |number, url: String, link: Option<String>| {
        json!([{
            "code": code(number), "id": id(number), "name": null, "uses": 1, "left": 1,
            "until": 60_000, "permits_claim": true, "url": url, "link": link,
        }])
    };
    let url = format!("{}#invite={}", URLS[0], code(1));
    let link = format!("{}&invite={}", LINKS[0], code(1));
    assert_eq!(run(&[]), slip(1, url, Some(link)));
    let url = format!("{}#invite={}", URLS[1], code(2));
    let link = format!("{}&invite={}", LINKS[1], code(2));
    assert_eq!(run(&["--url", URLS[1]]), slip(2, url, Some(link)));
    let url = format!("https://chat.example.org/#invite={}", code(3));
    assert_eq!(run(&["--url", "https://chat.example.org/"]), slip(3, url, None));
}

/// If an invitation of a sheet cannot be made, those before it are revoked, and no file is left.
#[test]
fn sheet_is_made_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let (control, requests) = serve_invitations(&directory, &URLS, &[], 3);
    let sheet = directory.path().join("sheet.html");
    let flags = ["--sheet", "5", "--page", sheet.to_str().unwrap()];
    let told = error_of(&invite(&control, &flags, ""), 1);
    for part in ["the 3 invitations made are revoked", "invitation 4 of 5", "there are too many"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!sheet.exists());
    let revoked = |number| json!({"moderate": {"revoke_invitation": {"id": id(number)}}});
    assert_eq!(requests.lock().unwrap()[5..], [1, 2, 3].map(revoked));

    // The sheet cannot be written.
    let directory = tempfile::tempdir().unwrap();
    let (control, requests) = serve_invitations(&directory, &URLS, &[], 3);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = server_command();
    command.args(["invite", "--control", &control, "--sheet", "3", "--page", "-"]);
    let told = error_of(&command.stdout(full).output().unwrap(), 1);
    assert!(told.contains("revoked: cannot write to standard output"), "{told}");
    assert_eq!(requests.lock().unwrap()[4..], [1, 2, 3].map(revoked));
}

/// What can be wrong is found out before an invitation is made.
#[test]
fn sheet_that_cannot_be_written_makes_no_invitation() {
    let directory = tempfile::tempdir().unwrap();
    let (control, requests) = serve_invitations(&directory, &URLS, &[], 9);
    let mine = directory.path().join("mine.html");
    fs::write(&mine, "mine").unwrap();
    let mine = mine.to_str().unwrap();
    for (flags, part) in [
        (&["--page", mine][..], "already exists"),
        (&["--page", "-", "--wifi", "home"], "8 to 63"),
        (&["--page", "-", "--url", "http://pi.local/#x"], "must not have a #"),
    ] {
        let told = error_of(&invite(&control, &[&["--sheet", "2"], flags].concat(), "short\n"), 1);
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(fs::read_to_string(mine).unwrap(), "mine");
    assert!(requests.lock().unwrap().iter().all(Value::is_null), "only the status was asked for");
    let nowhere = ["--sheet", "2", "--page", "-", "--url", "http://pi.local/"];
    let told = error_of(&invite("/nowhere/control", &nowhere, ""), 1);
    assert!(told.contains("no server was found"), "{told}");
}

/// The password comes from standard input or a file, and the codes of both forms let a phone in.
#[test]
fn page_has_the_codes_of_wifi_and_address() {
    let directory = tempfile::tempdir().unwrap();
    let control = serve_status(&directory, &URLS, &[]);
    let (page, secret) = (directory.path().join("a.html"), directory.path().join("secret"));
    fs::write(&secret, "pass;word\n").unwrap();
    let arguments = ["--wifi", "ho:me", "--page", page.to_str().unwrap()];
    let from_file = ["--wifi-password-file", secret.to_str().unwrap()];
    let told = output_of(invite(&control, &[&arguments[..], &from_file].concat(), ""));
    assert_eq!(told, format!("wrote {}\n", page.display()));
    let html = fs::read_to_string(&page).unwrap();
    let mode = fs::metadata(&page).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the password is in it");
    let wifi = r"WIFI:T:WPA;S:ho\:me;P:pass\;word;;";
    assert_eq!(codes_of_svg(&html), [wifi, URLS[0]]);
    for part in ["<title>attic &lt;1&gt;</title>", ">ho:me<", ">pass;word<", URLS[1], "lang=\"de\""]
    {
        assert!(html.contains(part), "{part}");
    }
    for outside in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!html.contains(outside), "{outside}");
    }

    let text = output_of(invite(&control, &["--wifi", "ho:me"], "pass;word\n"));
    assert_eq!(codes_of_text(&text), [wifi, URLS[0]]);
    assert!(!text.contains("pass;word"), "a password in a terminal may be seen by others");
    let open = output_of(invite(&control, &["--wifi", "guests", "--wifi-open"], ""));
    assert_eq!(codes_of_text(&open)[0], "WIFI:T:nopass;S:guests;;");
}

#[test]
fn files_are_not_overwritten_and_errors_name_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let url = ["--url", "https://chat.example.org/"];
    let write = |form: &str, file: &str| {
        invite("/nowhere/control", &[&url[..], &[form, file]].concat(), "")
    };
    let (svg, page) = (path("a.svg"), path("a.html"));
    fs::write(&svg, "mine").unwrap();
    let told = error_of(&write("--svg", &svg), 1);
    assert!(told.contains(&format!("{svg} already exists")), "{told}");
    assert_eq!(fs::read_to_string(&svg).unwrap(), "mine");
    let told = error_of(&write("--page", &path("none/a.html")), 1);
    assert!(told.contains("cannot create") && told.contains("none/a.html"), "{told}");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = server_command();
    command.args(["invite", "--control", "/nowhere/control", "--page", "-"]).args(url);
    let told = error_of(&command.stdout(full).output().unwrap(), 1);
    assert!(told.contains("cannot write to standard output"), "{told}");

    // The server need not run: the address is given.
    output_of(write("--page", &page));
    assert_ne!(fs::metadata(&page).unwrap().permissions().mode() & 0o077, 0, "as other files");
    assert_eq!(codes_of_svg(&fs::read_to_string(&page).unwrap()), [url[1]]);
}

#[test]
fn without_a_way_in_the_error_says_what_to_do() {
    let told = error_of(&invite("/nowhere/control", &[], ""), 1);
    assert!(told.contains("no server was found at /nowhere/control"), "{told}");
    let directory = tempfile::tempdir().unwrap();
    let control = directory.path().join("control").to_str().unwrap().to_owned();
    let root = directory.path().join("web");
    fs::create_dir(&root).unwrap();
    let flags = ["--control", &control, "--web-root", root.to_str().unwrap()];
    let _server = Server::start(&[WITH_WEB, &flags].concat());
    assert!(error_of(&invite(&control, &[], ""), 1).contains("the page is not installed"));
    fs::write(root.join("index.html"), "page").unwrap();
    let told = error_of(&invite(&control, &[], ""), 1);
    assert!(told.contains("only this machine reaches") && told.contains("127.0.0.1"), "{told}");
    // The name of the server is found all the same.
    let text = output_of(invite(&control, &["--url", "http://pi.example.org"], ""));
    assert!(text.contains("“pi-chat”"), "{text}");
}

#[test]
fn wrong_flags_and_passwords_are_refused() {
    let url = ["--url", "http://pi.example.org"];
    let run = |flags: &[&str], input: &str| invite("/nowhere", &[&url[..], flags].concat(), input);
    for wrong in [
        &["--svg", "-", "--page", "-"][..],
        &["--svg", "-", "--wifi", "home"],
        &["--json", "--wifi", "home"],
        &["--wifi-open"],
        &["--wifi-password-file", "secret"],
        &["--wifi", "home", "--wifi-open", "--wifi-password-file", "secret"],
        &["--wifi", ""],
        &["--wifi", "home", "--wifi-password", "secret12"],
        &["--sheet", "2"],
        &["--sheet", "0", "--page", "-"],
        &["--sheet", "101", "--page", "-"],
        &["--sheet", "2", "--svg", "-"],
        &["--sheet", "2", "--page", "-", "--json"],
        &["--sheet", "2", "--page", "-", "--name", "anna"],
        &["--sheet", "2", "--page", "-", "--uses", "2"],
        &["--for", "2h"],
    ] {
        error_of(&run(wrong, ""), 64);
    }
    error_of(&invite("/nowhere", &["--url", "pi.local"], ""), 64);
    error_of(&invite("/nowhere", &["--code", "--sheet", "2", "--json"], ""), 64);
    assert!(error_of(&run(&["--wifi", "home"], "short\n"), 1).contains("8 to 63"));
    let missing = error_of(&run(&["--wifi", "home", "--wifi-password-file", "/nowhere"], ""), 1);
    assert!(missing.contains("cannot read the password file /nowhere"), "{missing}");
}

/// Requests the server's QR code by this host, with further fields, each with its line end. Returns
/// the response.
fn request_code(server: &Server, method: &str, host: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect_timeout(&server.web_address(), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "{method} /invite.svg HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// The page shows others the way by which its own browser has come.
#[test]
fn code_of_the_server_leads_where_the_browser_was() {
    let server = Server::start(WITH_WEB);
    let response = request_code(&server, "GET", "Attic-chat.local:2480", "");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let url = "http://attic-chat.local:2480/";
    assert_eq!(codes_of_svg(&response), [url]);
    for part in [
        "Content-Type: image/svg+xml\r\n",
        "Cache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'",
        &format!("<title>{url}</title>"),
    ] {
        assert!(response.contains(part), "{response}");
    }
    let head = request_code(&server, "HEAD", "192.0.2.7", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    // What others claim about https does not count.
    let claim = "X-Forwarded-Proto: https\r\n";
    assert_eq!(
        codes_of_svg(&request_code(&server, "GET", "pi.local", claim)),
        ["http://pi.local/"]
    );
    // Only this machine reaches the server, so there is nothing to show to others.
    let local = request_code(&server, "GET", "localhost:2480", "");
    assert!(local.starts_with("HTTP/1.1 404 ") && !local.contains("<svg"), "{local}");
    let foreign = request_code(&server, "GET", "evil.example", "");
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
}

/// A trusted proxy says whether the browser has used https.
#[test]
fn code_of_the_server_has_the_scheme_that_a_trusted_proxy_tells() {
    let flags = ["--trusted-proxies", "127.0.0.1", "--web-hosts", "chat.example.org"];
    let server = Server::start(&[WITH_WEB, &flags].concat());
    let url =
        |fields| codes_of_svg(&request_code(&server, "GET", "chat.example.org", fields)).remove(0);
    assert_eq!(url("X-Forwarded-Proto: https\r\n"), "https://chat.example.org/");
    assert_eq!(url("X-Forwarded-Proto: https, http\r\n"), "http://chat.example.org/");
    assert_eq!(url(""), "http://chat.example.org/");
}
