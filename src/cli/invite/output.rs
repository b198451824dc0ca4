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
    if path.as_os_str() == STANDARD_OUTPUT {
        return print(text);
    }
    let shown = path.display();
    let mut options = File::options();
    options.write(true).create_new(true);
    if has_secret {
        options.mode(0o600);
    }
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} exists already: remove it, or name another file")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot create {shown}")),
    };
    if let Err(error) = file.write_all(text.as_bytes()) {
        // Half a file is of no use; the error counts.
        let _ = fs::remove_file(path);
        return Err(error).with_context(|| format!("cannot write {shown}"));
    }
    print(&format!("wrote {shown}\n"))
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
