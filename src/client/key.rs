//! The user's key, by which a server knows the user again: `docs/protocol/identity.md`.

use std::path::{Path, PathBuf};

use crate::identity::{KeyPair, ProofContext};
use crate::key_file::{self, KeyError, KeyFile};
use crate::wire::tcp::Proof;

/// Name of the key file in the state directory.
const FILE_NAME: &str = "client.key";

/// Key of the user of this program. All programs of the user that run at the same time share it.
#[derive(Debug)]
pub struct UserKey(State);

/// State of a [`UserKey`].
#[derive(Debug)]
enum State {
    /// The user has no key.
    None,
    /// The key.
    Loaded(Box<KeyPair>),
    /// There is no key yet. The first proof creates it, in this directory.
    Missing(PathBuf),
}

impl UserKey {
    /// Returns the key of a user without one.
    #[must_use]
    pub const fn none() -> Self {
        Self(State::None)
    }

    /// Loads the key from the file `client.key` in `directory`. If there is none, the first proof
    /// creates it, unless `may_create` is false: then the user has no key.
    ///
    /// # Errors
    /// [`KeyError`] if the file is there, and cannot be read or holds no key.
    pub fn load(directory: &Path, may_create: bool) -> Result<Self, KeyError> {
        Ok(Self(match key_file::load(directory, FILE_NAME)? {
            Some(seed) => State::Loaded(Box::new(KeyPair::from_seed(&seed))),
            None if may_create => State::Missing(directory.to_owned()),
            None => State::None,
        }))
    }

    /// Returns true if a proof can be asked for.
    pub(super) const fn can_prove(&self) -> bool {
        !matches!(self.0, State::None)
    }

    /// Signs a proof for a connection. Creates the key if there is none yet; this waits for the
    /// disk. Returns `None` if the user has no key.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot be created. Then the user has no key from now on.
    pub(super) fn prove(&mut self, context: &ProofContext) -> Result<Option<Proof>, KeyError> {
        if let State::Missing(directory) = &self.0 {
            let created = create(directory);
            self.0 = State::None;
            self.0 = State::Loaded(Box::new(created?));
        }
        match &self.0 {
            State::Loaded(key) => Ok(Some(key.prove(context))),
            State::None | State::Missing(_) => Ok(None),
        }
    }
}

/// Creates the key in the key file of this directory, or loads the one that another process has
/// created meanwhile.
fn create(directory: &Path) -> Result<KeyPair, KeyError> {
    let mut file = KeyFile::open(directory, FILE_NAME)?;
    file.lock()?;
    Ok(KeyPair::from_seed(&file.load_or_create()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ChannelBinding;
    use crate::model::IdentityKey;

    /// The first proof creates the key, and programs that run at the same time share it. Whoever may
    /// not create a key has none, but uses one that is there.
    #[test]
    fn first_proof_creates_the_key_that_all_programs_share() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let context = ProofContext {
            challenge: [1; 32],
            server_key: IdentityKey([2; 32]),
            binding: ChannelBinding::None,
        };
        let mut without = UserKey::load(&state, false).unwrap();
        assert!(!without.can_prove() && without.prove(&context).unwrap().is_none());
        let mut keys = [(); 2].map(|()| UserKey::load(&state, true).unwrap());
        assert!(keys[0].can_prove() && !state.exists());
        let [first, second] = keys.each_mut().map(|it| it.prove(&context).unwrap().unwrap());
        assert!(context.is_proved_by(&first));
        assert_eq!(first, second);
        let mut later = UserKey::load(&state, false).unwrap();
        assert_eq!(later.prove(&context).unwrap(), Some(first));
    }

    /// A key that cannot be created is reported once. From then on the user has none.
    #[test]
    fn user_without_a_place_for_the_key_has_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let directory = file.path().join("state");
        let mut key = UserKey(State::Missing(directory));
        let context = ProofContext {
            challenge: [1; 32],
            server_key: IdentityKey([2; 32]),
            binding: ChannelBinding::None,
        };
        assert!(matches!(key.prove(&context), Err(KeyError::Disk { .. })));
        assert!(!key.can_prove() && key.prove(&context).unwrap().is_none());
    }
}
