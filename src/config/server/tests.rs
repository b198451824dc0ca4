//! Tests of the options of `chat-server`.

use std::fs;

use super::*;

/// Configuration file that the Debian package installs.
const PACKAGED_CONFIG: &str = include_str!("../../../debian/chat-server.toml");

/// Keys that have no default. The packaged file shows them with an example value.
const KEYS_WITHOUT_DEFAULT: &[&str] = &[
    "tls-certificate",
    "tls-key",
    "motd",
    "password",
    "password-file",
    "data-dir",
    "backup-dir",
    "follow",
    "follow-key",
    "control",
];

/// The configuration file of the package sets nothing.
#[test]
fn packaged_config_equals_defaults() {
    let options: ServerOptions = toml::from_str(PACKAGED_CONFIG).unwrap();
    assert_eq!(options, ServerOptions::default());
}

/// The commented lines of the packaged file show each key that has a default, with this
/// default.
#[test]
fn packaged_config_shows_every_key_with_its_default() {
    let shown: String = PACKAGED_CONFIG
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
        .filter(|line| {
            !KEYS_WITHOUT_DEFAULT.iter().any(|key| line.starts_with(&format!("{key} =")))
        })
        .fold(String::new(), |all, line| all + line + "\n");
    let options: ServerOptions = toml::from_str(&shown).unwrap();
    let missing: Vec<String> = format!("{options:?}")
        .split(", ")
        .filter(|field| field.ends_with("None") || field.ends_with("None }"))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        missing,
        [
            "tls_certificate: None",
            "tls_key: None",
            "motd: None",
            "password: None",
            "password_file: None",
            "data_dir: None",
            "backup_dir: None",
            "follow: None",
            "follow_key: None",
            "control: None"
        ]
    );
    let bare = ServerOptions {
        listen: options.listen.clone(),
        tls_listen: options.tls_listen.clone(),
        web_listen: options.web_listen.clone(),
        web_tls_listen: options.web_tls_listen.clone(),
        ..ServerOptions::default()
    };
    // The shown defaults are the built-in ones, with a data directory and without.
    for data_dir in [None, Some(PathBuf::from("data"))] {
        // An example is shown of the message of the day: there is none by default.
        let shown = ServerOptions { data_dir: data_dir.clone(), motd: None, ..options.clone() };
        let bare = ServerOptions { data_dir, ..bare.clone() };
        let (shown, bare) = (shown.into_settings().unwrap(), bare.into_settings().unwrap());
        assert_eq!(format!("{shown:?}"), format!("{bare:?}"));
    }
    assert_eq!(options.listen, Some(vec!["[::]:2428".parse().unwrap()]));
    assert_eq!(options.tls_listen, Some(vec!["[::]:2429".parse().unwrap()]));
    assert_eq!(options.web_listen, Some(vec!["[::]:2480".parse().unwrap()]));
    assert_eq!(options.web_tls_listen, Some(vec!["[::]:2443".parse().unwrap()]));
}

/// If the addresses for TLS are not set, they are those for plain TCP that have the default port.
#[test]
fn tls_listens_where_plain_tcp_has_its_default_port() {
    let listen = |text: &str| {
        let text = format!("data-dir = \"data\"\n{text}");
        let options: ServerOptions = toml::from_str(&text).unwrap();
        let addresses = options.into_settings().unwrap().tls.listen.unwrap_or_default();
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(listen(""), ["[::]:2429"]);
    let several = "listen = [\"127.0.0.1:2428\", \"192.0.2.7:80\", \"[fe80::1%eth0]:2428\"]";
    assert_eq!(listen(several), ["127.0.0.1:2429", "[fe80::1%eth0]:2429"]);
    assert_eq!(listen("listen = [\"[::]:2438\"]"), [""; 0]);
    assert_eq!(listen("listen = [\"[::]:2438\"]\nplain = false"), ["[::]:2429"]);
    let local = "listen = [\"127.0.0.1:2428\", \"127.0.0.1:80\"]\nplain = false";
    assert_eq!(listen(local), ["127.0.0.1:2429"]);
    assert_eq!(listen("plain = false"), ["[::]:2429"]);
    assert_eq!(listen("listen = [\"[::]:2438\"]\ntls-listen = [\"[::]:7\"]"), ["[::]:7"]);
    assert_eq!(listen("tls = false"), [""; 0]);
}

#[test]
fn unknown_key_error_names_line() {
    let error = toml::from_str::<ServerOptions>("name = \"x\"\nport = 1\n").unwrap_err();
    let message = error.to_string();
    assert!(message.contains("line 2") && message.contains("`port`"), "{message}");
}

#[test]
fn config_error_is_one_line_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    fs::write(&path, "name = \"x\"\npassword = \"hush\nburst = 1\n").unwrap();
    let message = format!("{:#}", ServerOptions::from_file(&path).unwrap_err());
    assert!(
        message.contains("line 2") && !message.contains('\n') && !message.contains("hush"),
        "{message}"
    );
}

#[test]
fn flags_override_file() {
    let flags = ServerOptions { burst: Some(7), ..ServerOptions::default() };
    let file = toml::from_str("burst = 9\nname = \"attic\"\n").unwrap();
    let settings = flags.or(file).into_settings().unwrap();
    assert_eq!((settings.hub.burst, settings.hub.server_name.as_str()), (7, "attic"));
}

#[test]
fn invalid_values_are_rejected() {
    for text in [
        "log-length = 9",
        "data-dir = \"data\"\nkeep-messages = 9",
        "data-dir = \"data\"\nkeep-bytes = 9",
        "backup-keep = 0",
        "max-backlog = 1",
        "burst = 0",
        "name = \"\"",
        "per-minute = 1",
        "password = \"\"",
        "reserved-rooms = [\"a b\"]",
        "trusted-proxies = [\"192.0.2.7/24\"]",
        "trusted-proxies = [\"localhost\"]",
        "tls-certificate = \"missing.pem\"",
        "tls-certificate = \"missing.pem\"\ntls-key = \"missing.pem\"",
        "data-dir = \"data\"\nlisten = [\"[::]:2438\"]\ntls = true",
        "web-hosts = [\"http://chat.example.org\"]",
        "web-origins = [\"chat.example.org\"]",
    ] {
        let options: ServerOptions = toml::from_str(text).unwrap();
        assert!(options.into_settings().is_err(), "{text}");
    }
}
