//! Canonical bytes of facts and of the moderation state.
//!
//! A fact is a version byte and the postcard encoding of [`Fact`]. The state is a map from encoded
//! registers to encoded facts. Equal states have equal bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ModerationState;
use super::register::{Register, RegisterChange, Write};
use crate::model::Fact;
use crate::wire::Malformed;
use crate::wire::codec::{decode_prefix, encode_into};

/// Version of the encoding of facts: their first byte.
const FACT_VERSION: u8 = 1;

/// Returns the canonical bytes of a fact.
#[must_use]
pub fn encode_fact(fact: &Fact) -> Vec<u8> {
    let mut bytes = vec![FACT_VERSION];
    encode_into(fact, &mut bytes);
    bytes
}

/// Decodes a fact.
///
/// # Errors
/// [`Malformed`] if the bytes are not what [`encode_fact`] returns for a fact; also if they are of
/// another version, or have an action that is not known.
pub fn decode_fact(bytes: &[u8]) -> Result<Fact, Malformed> {
    match bytes.split_first() {
        Some((&FACT_VERSION, bytes)) => match decode_prefix(bytes)? {
            (fact, []) => Ok(fact),
            _ => Err(Malformed),
        },
        _ => Err(Malformed),
    }
}

impl Register {
    /// Returns the canonical bytes of the register.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_into(self, &mut bytes);
        bytes
    }
}

impl RegisterChange {
    /// Returns the row of the encoded state that changes: its key and its new value. `None`: the
    /// row is removed.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        (self.register.encode(), self.value.as_deref().map(encode_fact))
    }
}

impl ModerationState {
    /// Returns the canonical bytes of the state, a row for each register that is set. Equal states
    /// have equal rows.
    #[must_use]
    pub fn encode(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.registers.iter().map(|(key, fact)| (key.encode(), encode_fact(fact))).collect()
    }

    /// Decodes a state from its rows, in any order.
    ///
    /// # Errors
    /// [`Malformed`] if a row is not one that [`Self::encode`] returns.
    pub fn decode<'a>(
        rows: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, Malformed> {
        let mut state = Self::default();
        for (key, value) in rows {
            let fact = decode_fact(value)?;
            let action = &fact.draft.action;
            let register = Register::of(action).filter(|it| it.encode() == key);
            let is_set = fact.is_effective && Write::of(action) == Write::Set;
            let register = register.filter(|_| is_set).ok_or(Malformed)?;
            state.write(register, Some(Arc::new(fact)));
        }
        Ok(state)
    }
}
