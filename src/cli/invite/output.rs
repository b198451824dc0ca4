//! Where an invitation goes: a new file, or standard output.

use std::fs::{self, File};
use std::io::{ErrorKind, Write, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Name that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Writes a text to a new file, or to standard output if it is called `-`. Says so on standard
/// output. Only the user may read the file if it has a secret.
///
/// # Errors
/// The file exists already, and is unchanged; or it cannot be written, and is removed.
pub(super) fn write(path: &Path, text: &str, has_secret: bool) -> Result<()> {
    Target::create(path, has_secret)?.write(text)
}

/// Where a text goes that is not there yet.
pub(super) struct Target<'a> {
    /// Path of the file, or `-`.
    path: &'a Path,
    /// New file; `None` for standard output.
    file: Option<File>,
}

impl<'a> Target<'a> {
    /// Creates the file. Only the user may read it if it will have a secret.
    ///
    /// # Errors
    /// The file exists already, and is unchanged; or it cannot be created.
    pub(super) fn create(path: &'a Path, has_secret: bool) -> Result<Self> {
        if path.as_os_str() == STANDARD_OUTPUT {
            return Ok(Self { path, file: None });
        }
        let shown = path.display();
        let mut options = File::options();
        options.write(true).create_new(true);
        if has_secret {
            options.mode(0o600);
        }
        match options.open(path) {
            Ok(file) => Ok(Self { path, file: Some(file) }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("{shown} already exists: remove it, or name another file")
            }
            Err(error) => Err(error).with_context(|| format!("cannot create {shown}")),
        }
    }

    /// Writes the text. Says on standard output where it is, if it is in a file.
    ///
    /// # Errors
    /// It cannot be written. The file is removed.
    pub(super) fn write(mut self, text: &str) -> Result<()> {
        let Some(file) = &mut self.file else { return print(text) };
        let shown = self.path.display();
        if let Err(error) = file.write_all(text.as_bytes()) {
            self.discard();
            return Err(error).with_context(|| format!("cannot write {shown}"));
        }
        print(&format!("wrote {shown}\n"))
    }

    /// Removes the file, because there is no text for it.
    pub(super) fn discard(self) {
        if self.file.is_some() {
            // Half a file is of no use; the error that led here counts.
            let _ = fs::remove_file(self.path);
        }
    }
}

/// Writes a text to standard output. The reader of a pipe may stop early.
///
/// # Errors
/// It cannot be written.
pub(super) fn print(text: &str) -> Result<()> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
