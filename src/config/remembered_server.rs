//! Remembered server: the one that the user has chosen in the window of the first start. It is
//! suggested there from then on.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::user::state_directory;
use crate::disk::{create_private_dir, replace_private_file};
use crate::ui::full_screen::start::ServerChoice;

/// Maximum number of bytes that are read from the file.
const MAX_FILE_LENGTH: u64 = 1024;

/// File in which `chat-client` remembers the server: `found` and what the server is known by, or
/// `typed` and its address.
#[derive(Clone, Debug)]
pub struct RememberedServer(PathBuf);

impl RememberedServer {
    /// Creates a handle of the file in the user's state directory. `None` if the user has no home
    /// directory. Does not access the file.
    #[must_use]
    pub fn in_state_directory() -> Option<Self> {
        Some(Self(state_directory()?.join("client.server")))
    }

    /// Loads the remembered server. `None` if there is no file, or if it cannot be read or holds
    /// none.
    #[must_use]
    pub fn load(&self) -> Option<ServerChoice> {
        let mut text = String::new();
        File::open(&self.0).ok()?.take(MAX_FILE_LENGTH).read_to_string(&mut text).ok()?;
        let (kind, server) = text.trim().split_once(' ')?;
        let server = server.to_owned();
        match kind {
            "found" => Some(ServerChoice::Found(server)),
            "typed" => Some(ServerChoice::Typed(server)),
            _ => None,
        }
    }

    /// Remembers a server. Creates the directory if necessary, and replaces the file atomically.
    ///
    /// # Errors
    /// The file cannot be written. The old file is unchanged.
    pub fn save(&self, server: &ServerChoice) -> io::Result<()> {
        let line = match server {
            ServerChoice::Found(key) => format!("found {key}\n"),
            ServerChoice::Typed(address) => format!("typed {address}\n"),
        };
        create_private_dir(self.0.parent().unwrap_or(Path::new(".")))?;
        replace_private_file(&self.0, line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn server_is_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let remembered = RememberedServer(directory.path().join("state").join("client.server"));
        assert_eq!(remembered.load(), None);
        for server in [
            ServerChoice::Found("my attic._pi-chat._tcp.local:2428".to_owned()),
            ServerChoice::Typed("chats://pi:1".to_owned()),
        ] {
            remembered.save(&server).unwrap();
            assert_eq!(remembered.load(), Some(server));
        }
        for wrong in [&b""[..], b"found\n", b"other pi\n", b"\xff"] {
            fs::write(&remembered.0, wrong).unwrap();
            assert_eq!(remembered.load(), None);
        }
    }
}
