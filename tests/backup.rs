//! Tests of the nightly backups of the real `chat-server`: `backup-dir`, `backup-keep`, and what
//! `chat-server status` tells of them.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{PATIENCE, Server, run_server_command};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server's directories and configuration.
struct Place {
    /// Parent of all of them.
    parent: TempDir,
}

impl Place {
    /// Creates an empty place with a configuration that ends with these lines.
    fn new(keys: &str) -> Self {
        let place = Self { parent: tempfile::tempdir().unwrap() };
        place.configure(keys);
        place
    }

    /// Returns the path of something in the place.
    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    /// Writes the configuration: the directories of this place, then these lines.
    fn configure(&self, keys: &str) {
        let (data, backups) = (self.path("data"), self.path("backups"));
        let text = format!("data-dir = {data:?}\nbackup-dir = {backups:?}\n{keys}");
        fs::write(self.path("config"), text).unwrap();
    }

    /// Starts the server.
    fn start(&self) -> Server {
        Server::start(&["--config", self.path("config").to_str().unwrap()])
    }

    /// Returns the status of the server, which must be healthy: its text, and the object `backup`.
    fn status(&self) -> (String, Value) {
        let socket = self.path("data/control.sock");
        let arguments = ["status", "--control", socket.to_str().unwrap()];
        let words = run_server_command(&arguments);
        assert_eq!(words.status.code(), Some(0), "{words:?}");
        let output = run_server_command(&[&arguments[..], &["--json"]].concat());
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (String::from_utf8(words.stdout).unwrap(), told["backup"].clone())
    }

    /// Waits until the object `backup` of the status satisfies `wanted`, and returns it. Panics
    /// after twice [`PATIENCE`].
    fn wait_for_status(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let backup = self.status().1;
            if wanted(&backup) {
                return backup;
            }
            assert!(begin.elapsed() < 2 * PATIENCE, "{backup}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Returns the names of the files in the backup directory, sorted.
    fn backups(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("backups")).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Runs a command of the owner on a log, which must succeed. Returns its output.
fn run_archive_command(command: &str, data: &Path, more: &[&str]) -> String {
    let arguments = [&[command, "--data", data.to_str().unwrap()], more].concat();
    let output = run_server_command(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// It removes the oldest backup of this server and the files of an interrupted one, and nothing of
/// others. Only the owner can read it, and it can be restored.
#[test]
fn missed_backup_is_made_soon_after_start() {
    let place = Place::new("backup-keep = 2\n");
    let mut server = place.start();
    server.join("anna").say_in_lobby("kept");
    // Nothing is due yet: the first seconds after the start are for the clients.
    let backup = place.wait_for_status(Value::is_object);
    assert!(place.status().0.contains("none yet, in "));
    assert_eq!((&backup["age"], &backup["error"]), (&Value::Null, &Value::Null));
    server.terminate();

    // Two old backups of this server, one of another, and a file of somebody else.
    fs::create_dir(place.path("backups")).unwrap();
    for name in ["chat-2020-01-01.db", "chat-2020-01-02.db"] {
        let path = place.path("backups").join(name);
        run_archive_command("backup", &place.path("data"), &[path.to_str().unwrap()]);
        let day_before = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
        File::options().write(true).open(path).unwrap().set_modified(day_before).unwrap();
    }
    fs::write(place.path("backups/chat-2019-01-01.db"), "not a backup").unwrap();
    fs::write(place.path("backups/notes"), "mine").unwrap();
    for name in ["chat-2020-01-03.db.part", "chat-2020-01-03.db.part-journal"] {
        fs::write(place.path("backups").join(name), "interrupted").unwrap();
    }

    let server = place.start();
    place.wait_for_status(Value::is_object);
    let told = place.status().0;
    assert!(told.contains("backup     1 day 1 h ago, in "), "{told}");
    let backup = place.wait_for_status(|it| it["age"].as_u64().is_some_and(|age| age < 60));
    assert_eq!(
        (&backup["directory"], &backup["error"]),
        (&json!(place.path("backups")), &json!(null))
    );
    assert!(backup["time"].as_str().unwrap().ends_with('Z'), "{backup}");
    server.wait_for_log(|lines| lines.iter().any(|line| line.contains("backup made in")));
    let names = place.backups();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(
        [&names[0], &names[1], &names[3]],
        ["chat-2019-01-01.db", "chat-2020-01-02.db", "notes"]
    );

    // The new one is sound and has the message.
    let made = place.path("backups").join(&names[2]);
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
    fs::create_dir(place.path("restored")).unwrap();
    fs::copy(made, place.path("restored/chat.db")).unwrap();
    let checked = run_archive_command("check", &place.path("restored"), &[]);
    assert!(checked.starts_with("no fault found: 1 message in"), "{checked}");
}

/// The log and the status report the failure. The server stays healthy, and a reload with other
/// backup settings tries again at once.
#[test]
fn failing_backup_is_reported_and_reload_mends_it() {
    let place = Place::new("");
    fs::write(place.path("backups"), "no directory").unwrap();
    let server = place.start();
    let mut anna = server.join("anna");
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("no backup: cannot ")));
    let (words, backup) = place.status();
    assert!(words.contains("is healthy") && words.contains("backup     FAILS: "), "{words}");
    assert!(backup["error"].as_str().unwrap().contains("backups"), "{backup}");
    anna.say_in_lobby("still here");
    fs::remove_file(place.path("backups")).unwrap();
    // The next attempt would be in an hour; another setting is tried at once.
    place.configure("backup-keep = 1\n");
    server.signal(rustix::process::Signal::HUP);
    place.wait_for_status(|it| it["age"].is_u64() && it["error"].is_null());
    assert_eq!(place.backups().len(), 1);
}

/// `chat-server validate` succeeds nevertheless. It creates no directory.
#[test]
fn backup_without_log_on_disk_is_warned_of() {
    let output = run_server_command(&["validate", "--backup-dir", "backups"]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no backups are made"), "{told}");
    let output = run_server_command(&["validate", "--backup-dir", "backups", "--data", "data"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    assert!(!Path::new("data").exists());
}
