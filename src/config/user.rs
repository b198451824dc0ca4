//! What the programs of a person know of that person.

use std::path::PathBuf;

use directories::ProjectDirs;

use crate::model::Username;
use crate::model::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS};

/// The platform's directories for our programs.
pub(super) fn project_directories() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "pi-chat")
}

/// Where the state is kept; none for somebody without a home.
#[must_use]
pub fn state_directory() -> Option<PathBuf> {
    let all = project_directories()?;
    Some(all.state_dir().unwrap_or_else(|| all.data_local_dir()).to_owned())
}

/// The login name, made to fit the rule of names.
pub(super) fn default_username() -> String {
    username_from_login(&whoami::username().unwrap_or_default())
}

/// The nearest name that the rule allows: `CORP\anna smith` is `anna-smith`.
fn username_from_login(login: &str) -> String {
    let last = login.rsplit(['\\', '/']).next().unwrap_or_default();
    let last = last.split('@').next().unwrap_or_default();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut name = String::new();
    for c in last.chars().map(|c| if fits(c) { c } else { '-' }) {
        let is_full =
            name.chars().count() >= MAX_NAME_CHARS || name.len() + c.len_utf8() > MAX_NAME_BYTES;
        if !is_full && (!name.is_empty() || c.is_alphanumeric()) {
            name.push(c);
        }
    }
    match Username::new(&name) {
        Ok(name) => name.as_str().to_owned(),
        Err(_) => "guest".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Login names of all sorts.
    #[test]
    fn login_names_become_valid_usernames() {
        for (login, name) in [
            ("anna", "anna"),
            ("CORP\\anna smith", "anna-smith"),
            ("anna@example.com", "anna"),
            ("_www", "www"),
            ("", "guest"),
            ("é", "é"),
        ] {
            assert_eq!(username_from_login(login), name, "{login}");
        }
        assert_eq!(username_from_login(&"x".repeat(100)).len(), 32);
    }
}
