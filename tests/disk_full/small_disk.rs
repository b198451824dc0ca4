//! A disk of a few megabytes: a tmpfs in a mount namespace of its own.
//!
//! A namespace exists as long as a process is in it. Here that is a `cat` whose input is a pipe
//! from the test. When the test ends, in whatever way, `cat` ends too, and the namespace vanishes
//! with the disk. No other process sees the disk.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::common::Server;

/// Options of `unshare` that may make the namespace: as root, or as root of a new user namespace.
/// The first ones that work are used.
const UNSHARE_OPTIONS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// Shell script that mounts a disk of the size `$1` at `$2` and keeps the namespace.
const MOUNT: &str = "mount -t tmpfs -o size=$1,mode=700 tmpfs \"$2\" && echo inside && exec cat";

/// Size of the disk. The database's write-ahead log alone may take half of it.
const SIZE: &str = "12m";

/// A small disk in a mount namespace.
pub(super) struct SmallDisk {
    /// Directory in which it is mounted, within the namespace.
    mount_point: TempDir,
    /// True if the namespace belongs to a new user namespace.
    has_user_namespace: bool,
    /// Process that keeps the namespace alive.
    holder: Child,
}

impl SmallDisk {
    /// Makes a disk.
    ///
    /// # Errors
    ///
    /// The reason why this machine cannot have one.
    pub(super) fn new() -> Result<Self, String> {
        let mut why = String::new();
        for options in UNSHARE_OPTIONS {
            match Self::with_options(options) {
                Ok(disk) => return Ok(disk),
                Err(error) => why = error,
            }
        }
        Err(format!("no mount namespaces here: {}", why.trim()))
    }

    /// Makes a disk with these options of `unshare`.
    fn with_options(options: &[&str]) -> Result<Self, String> {
        let mount_point = tempdir().unwrap();
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", MOUNT, "sh", SIZE]).arg(mount_point.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let holder = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let mut disk =
            Self { mount_point, has_user_namespace: options.contains(&"--user"), holder };
        let mut line = String::new();
        let output = disk.holder.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).map_err(|it| it.to_string())?;
        if line == "inside\n" {
            return Ok(disk);
        }
        let mut why = String::new();
        let _ = disk.holder.stderr.as_mut().unwrap().read_to_string(&mut why);
        Err(why)
    }

    /// A command that runs in the namespace.
    fn command(&self, program: &str) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.has_user_namespace {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.args(["--", program]);
        nsenter
    }

    /// Starts a server with its log on the disk.
    pub(super) fn start_server(&self, arguments: &[&str]) -> Server {
        let data = self.mount_point.path().to_str().unwrap();
        let fast = ["--burst", "100000", "--per-minute", "6000000"];
        let all = [&["--web", "false", "--data", data], &fast[..], arguments].concat();
        Server::start_command(self.command(env!("CARGO_BIN_EXE_chat-server")), &all, |_| {})
    }

    /// Runs `chat-server status` for the server on the disk. Returns its exit code and the state of
    /// the store.
    pub(super) fn status(&self) -> (Option<i32>, String) {
        let mut ask = self.command(env!("CARGO_BIN_EXE_chat-server"));
        let output =
            ask.args(["status", "--json", "--data"]).arg(self.mount_point.path()).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(status["healthy"], output.status.success());
        (output.status.code(), status["store"]["state"].as_str().unwrap().to_owned())
    }

    /// Path of the disk as seen from outside the namespace.
    fn path_from_host(&self) -> PathBuf {
        let root = Path::new("/proc").join(self.holder.id().to_string()).join("root");
        root.join(self.mount_point.path().strip_prefix("/").unwrap())
    }

    /// Fills the disk until no more can be written.
    pub(super) fn fill(&self) {
        let mut ballast = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path_from_host().join("ballast"))
            .unwrap();
        while ballast.write_all(&[b'x'; 4_096]).is_ok() {}
    }

    /// Frees the space that [`Self::fill`] has used.
    pub(super) fn free(&self) {
        fs::remove_file(self.path_from_host().join("ballast")).unwrap();
    }

    /// Makes the disk read-only. Fails while a file on it is open for writing.
    pub(super) fn make_read_only(&self) {
        let mut mount = self.command("mount");
        mount.args(["-o", "remount,ro"]).arg(self.mount_point.path());
        assert!(mount.status().unwrap().success());
    }

    /// Runs a server that is expected to fail at its start. Returns its exit code and standard
    /// error.
    pub(super) fn try_to_start_server(&self) -> (Option<i32>, String) {
        let mut server = self.command(env!("CARGO_BIN_EXE_chat-server"));
        server
            .args(["--web", "false", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.mount_point.path());
        let output = server.stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
