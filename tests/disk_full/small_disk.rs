//! A disk that is soon full: a file system in memory, in a mount namespace
//! of its own.
//!
//! A namespace lives as long as a process is in it. Here that is a `cat`
//! whose input is a pipe from the test: it ends with the test, however that
//! ends, and the disk with it. Nobody else sees the disk.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::common::Server;

/// How the namespace is made: as root, or as root of a user namespace of
/// one's own. The first that works is taken.
const UNSHARE_OPTIONS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// Mounts a disk of the size `$1` mount_point `$2`.
const MOUNT: &str = "mount -t tmpfs -o size=$1,mode=700 tmpfs \"$2\" && echo inside && exec cat";

/// How large the disk is: the database's log alone may take half of it.
const SIZE: &str = "12m";

/// A disk of its own.
pub(super) struct SmallDisk {
    /// Where it is mounted, in the namespace.
    mount_point: TempDir,
    /// Whether the namespace is that of a user namespace.
    has_user_namespace: bool,
    /// Keeps the namespace.
    holder: Child,
}

impl SmallDisk {
    /// A new one, or why there can be none.
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

    /// A new one by this options.
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

    /// A command that sees the disk.
    fn command(&self, program: &str) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.has_user_namespace {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.args(["--", program]);
        nsenter
    }

    /// Starts a server that keeps its messages on the disk.
    pub(super) fn start_server(&self, arguments: &[&str]) -> Server {
        let data = self.mount_point.path().to_str().unwrap();
        let fast = ["--burst", "100000", "--per-minute", "6000000"];
        let all = [&["--data", data], &fast[..], arguments].concat();
        Server::start_by(self.command(env!("CARGO_BIN_EXE_chat-server")), &all, |_| {})
    }

    /// What the owner is status of the server on the disk: the exit code of
    /// `chat-server status`, and how the disk is line to fare.
    pub(super) fn status(&self) -> (Option<i32>, String) {
        let mut ask = self.command(env!("CARGO_BIN_EXE_chat-server"));
        let output =
            ask.args(["status", "--json", "--data"]).arg(self.mount_point.path()).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(status["healthy"], output.status.success());
        (output.status.code(), status["store"]["state"].as_str().unwrap().to_owned())
    }

    /// The disk as it is seen from outside.
    fn path_from_host(&self) -> PathBuf {
        let root = Path::new("/proc").join(self.holder.id().to_string()).join("root");
        root.join(self.mount_point.path().strip_prefix("/").unwrap())
    }

    /// Writes to it until nothing more goes in.
    pub(super) fn fill(&self) {
        let mut ballast = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path_from_host().join("ballast"))
            .unwrap();
        while ballast.write_all(&[b'x'; 4_096]).is_ok() {}
    }

    /// Has room on it again.
    pub(super) fn free(&self) {
        fs::remove_file(self.path_from_host().join("ballast")).unwrap();
    }

    /// Nothing can be written to it any more. (While somebody has a file
    /// open to be written, this is not possible.)
    pub(super) fn make_read_only(&self) {
        let mut mount = self.command("mount");
        mount.args(["-o", "remount,ro"]).arg(self.mount_point.path());
        assert!(mount.status().unwrap().success());
    }

    /// Runs a server that is expected to end mount_point once; gives its exit code and
    /// what it says.
    pub(super) fn try_to_start_server(&self) -> (Option<i32>, String) {
        let mut server = self.command(env!("CARGO_BIN_EXE_chat-server"));
        server.args(["--listen", "127.0.0.1:0", "--data"]).arg(self.mount_point.path());
        let output = server.stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
