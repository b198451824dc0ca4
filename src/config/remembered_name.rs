//! Remembered username: the user chose it at the first start, or after another username was refused.
//! It is the default from then on.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::user::state_directory;
use crate::disk::{create_private_dir, replace_private_file};
use crate::model::Username;

/// Maximum number of bytes that are read from the file.
const MAX_FILE_LENGTH: u64 = 1024;

/// File in which a program remembers the username.
#[derive(Clone, Debug)]
pub struct RememberedName(PathBuf);

impl RememberedName {
    /// Creates a handle of the file with this name in the user's state directory. `None` if the
    /// user has no home directory. Does not access the file.
    #[must_use]
    pub fn in_state_directory(file_name: &str) -> Option<Self> {
        Some(Self(state_directory()?.join(file_name)))
    }

    /// Loads the remembered username. `None` if there is no file, or if it cannot be read or holds
    /// no valid username.
    #[must_use]
    pub fn load(&self) -> Option<String> {
        let mut text = String::new();
        File::open(&self.0).ok()?.take(MAX_FILE_LENGTH).read_to_string(&mut text).ok()?;
        Username::new(text.trim()).ok().map(|it| it.as_str().to_owned())
    }

    /// Remembers a username without validating it. Creates the directory if necessary, and replaces
    /// the file atomically.
    ///
    /// # Errors
    /// The file cannot be written. The old file is unchanged.
    pub fn save(&self, name: &str) -> io::Result<()> {
        create_private_dir(self.0.parent().unwrap_or(Path::new(".")))?;
        replace_private_file(&self.0, format!("{name}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_valid_name_is_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let remembered = RememberedName(directory.path().join("state").join("client.name"));
        assert_eq!(remembered.load(), None);
        remembered.save("anna2").unwrap();
        assert_eq!(remembered.load().as_deref(), Some("anna2"));
        remembered.save("Zoë").unwrap();
        assert_eq!(remembered.load().as_deref(), Some("Zoë"));
        for wrong in [&b""[..], b"two words\n", b"\xff", &[b'a'; 5000]] {
            fs::write(&remembered.0, wrong).unwrap();
            assert_eq!(remembered.load(), None);
        }
    }
}
