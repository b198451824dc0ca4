//! File of the settings of the full screen.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::app::WindowSettings;
use crate::disk::{create_private_dir, replace_private_file};

/// Maximum number of bytes that are read from the file.
const MAX_FILE_LENGTH: u64 = 1 << 20;

/// File in which a program keeps what the user has set with `/set`.
#[derive(Clone, Debug, Default)]
pub struct SettingsFile(Option<PathBuf>);

impl SettingsFile {
    /// Creates a handle of the file at this path. `None`: nothing is kept. Does not access the file.
    #[must_use]
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// Loads the settings; those of a new user if there is no file, or if it cannot be read.
    #[must_use]
    pub fn load(&self) -> WindowSettings {
        self.read().unwrap_or_default()
    }

    /// Reads the file; `None` if there is none, or if it cannot be read.
    fn read(&self) -> Option<WindowSettings> {
        let mut text = String::new();
        let file = File::open(self.0.as_ref()?).ok()?;
        file.take(MAX_FILE_LENGTH).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps the settings. Creates the directory if necessary, and replaces the file atomically.
    ///
    /// # Errors
    /// The file cannot be written. The old file is unchanged.
    pub(super) fn save(&self, settings: &WindowSettings) -> io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        create_private_dir(path.parent().unwrap_or(Path::new(".")))?;
        let mut text = serde_json::to_string_pretty(settings)?;
        text.push('\n');
        replace_private_file(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ui::full_screen::app::{Attention, Place};

    /// Settings last; a file that cannot be read is as none, and is replaced.
    #[test]
    fn settings_last() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state").join("client.window.json");
        let file = SettingsFile::new(Some(path.clone()));
        assert_eq!(file.load(), WindowSettings::default());
        let mut settings = WindowSettings::default();
        settings.set_attention("Club", &Place::Direct("bob".to_owned()), Attention::Nothing);
        file.save(&settings).unwrap();
        assert_eq!(file.load(), settings);
        fs::write(&path, "{\"theme\": 7}").unwrap();
        assert_eq!(file.load(), WindowSettings::default());
        file.save(&settings).unwrap();
        assert_eq!(file.load(), settings);
        let nothing = SettingsFile::new(None);
        nothing.save(&settings).unwrap();
        assert_eq!(nothing.load(), WindowSettings::default());
    }
}
