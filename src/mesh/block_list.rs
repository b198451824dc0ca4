//! Block list: names and public keys that the user has blocked. Sections 7 and 13.

use std::collections::{BTreeMap, BTreeSet};

use super::Mesh;
use crate::model::{Event, MeshSentence, NameKey, RequestTag, Username};

/// Names and public keys that the user has blocked.
#[derive(Debug, Default)]
pub(super) struct BlockList {
    /// Comparison keys of blocked names. This peer objects to candidates with such a name.
    names: BTreeSet<NameKey>,
    /// Blocked public keys, each with the name by which it was blocked. Messages signed with them
    /// are hidden, and this peer objects to candidates with such a key.
    keys: BTreeMap<[u8; 32], NameKey>,
}

impl BlockList {
    /// Adds a name, and the public keys of its holders. A key that was blocked by another name
    /// counts as blocked by this name then.
    fn add(&mut self, name: NameKey, keys: &BTreeSet<[u8; 32]>) {
        self.keys.extend(keys.iter().map(|it| (*it, name.clone())));
        self.names.insert(name);
    }

    /// Removes a name, the public keys that were blocked by this name, and `keys`. Returns true if
    /// any of them was blocked.
    fn remove(&mut self, name: &NameKey, keys: &BTreeSet<[u8; 32]>) -> bool {
        let before = self.keys.len();
        self.keys.retain(|it, by| by != name && !keys.contains(it));
        self.names.remove(name) || self.keys.len() < before
    }

    /// Returns true if this name is blocked.
    pub(super) fn has_name(&self, name: &NameKey) -> bool {
        self.names.contains(name)
    }

    /// Returns true if a public key is blocked, so that messages signed with it are hidden. Ignores
    /// blocked names, because a name can pass to another peer.
    pub(super) fn has_key(&self, key: &[u8; 32]) -> bool {
        self.keys.contains_key(key)
    }

    /// Returns which names are blocked. Marks the names for which no key is blocked.
    fn to_sentence(&self) -> MeshSentence {
        let by_key: BTreeSet<_> = self.keys.values().collect();
        let all: BTreeSet<_> = by_key.iter().copied().chain(&self.names).collect();
        let item = |it: &NameKey| (it.as_str().to_owned(), by_key.contains(it));
        MeshSentence::BlockList { names: all.into_iter().map(item).collect() }
    }
}

impl Mesh {
    /// Blocks a name at the user's request, and the public keys of all others who hold it now. From
    /// then on, their messages are hidden, and this peer objects to candidates with the name or one
    /// of the keys. Refuses an invalid name and this peer's own name.
    pub(super) fn block(&mut self, tag: RequestTag, name: &str) {
        let Ok(name) = Username::new(name) else {
            self.refuse(tag, 0, MeshSentence::NameInvalid, None);
            return;
        };
        let name_key = name.key().clone();
        if name_key == *self.name.key() {
            self.refuse(tag, 0, MeshSentence::Oneself, None);
            return;
        }
        let keys = self.keys_of_holders(&name_key);
        self.block_list.add(name_key, &keys);
        let name = name.as_str().to_owned();
        let text = MeshSentence::Blocked { name, keys: keys.len() }.into();
        self.emit(Event::Done { tag, text });
    }

    /// Unblocks a name at the user's request, with the public keys that were blocked by the name
    /// and the keys of its present holders. Refuses the request if none of these is blocked.
    pub(super) fn unblock(&mut self, tag: RequestTag, name: &str) {
        let name_key = NameKey::of(name);
        let keys = self.keys_of_holders(&name_key);
        if self.block_list.remove(&name_key, &keys) {
            let text = MeshSentence::Unblocked { name: name.to_owned() }.into();
            self.emit(Event::Done { tag, text });
        } else {
            self.refuse(tag, 0, MeshSentence::NotBlocked { name: name.to_owned() }, None);
        }
    }

    /// Tells the user which names are blocked.
    pub(super) fn report_block_list(&mut self, tag: RequestTag) {
        let text = self.block_list.to_sentence().into();
        self.emit(Event::Done { tag, text });
    }

    /// Returns the public keys, as far as they are known, of the other peers that hold a name:
    /// members, and peers in the roster that are known only through members.
    fn keys_of_holders(&self, name: &NameKey) -> BTreeSet<[u8; 32]> {
        let members = self.contacts.holders(name);
        let members = members.filter_map(|it| Some(self.contacts.get(it)?.signer?.key));
        let indirect = self.indirect_peers().filter(|it| NameKey::of(it.2) == *name);
        let newest = |id| self.logs.get(id)?.retained.last_key_value();
        let indirect = indirect.filter_map(|(id, ..)| Some(newest(id)?.1.author.key));
        members.chain(indirect).collect()
    }
}
