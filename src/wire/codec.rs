//! The subset of postcard that the protocols use: `docs/protocol/README.md`,
//! section 1.

use std::marker::PhantomData;

use postcard::ser_flavors::Flavor;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Bytes that are no message, or not in the one form that a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed message")]
pub struct Malformed;

/// Reads a value from the beginning of `bytes`; gives it and what is left.
/// Refuses every encoding but the canonical one.
///
/// # Errors
/// [`Malformed`] where the bytes end too soon or are not canonical.
pub(super) fn decode_prefix<'a, T>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Malformed>
where
    T: Serialize + Deserialize<'a>,
{
    let (value, rest): (T, _) = postcard::take_from_bytes(bytes).map_err(|_| Malformed)?;
    let consumed = bytes.get(..bytes.len() - rest.len()).ok_or(Malformed)?;
    let matches =
        postcard::serialize_with_flavor(&value, CanonicalCheck { rest: consumed, matches: true });
    if matches == Ok(true) { Ok((value, rest)) } else { Err(Malformed) }
}

/// Appends the encoding of `value` to `buffer`.
pub(super) fn encode_into<T: Serialize>(value: &T, buffer: &mut Vec<u8>) {
    let written = postcard::serialize_with_flavor(value, AppendFlavor(buffer));
    debug_assert!(written.is_ok(), "every message can be serialised");
}

/// How many bytes the encoding of `value` has.
#[cfg(feature = "peer")]
pub(super) fn encoded_len<T: Serialize>(value: &T) -> usize {
    let counted = postcard::serialize_with_flavor(value, postcard::ser_flavors::Size::default());
    debug_assert!(counted.is_ok(), "every message can be serialised");
    counted.unwrap_or_default()
}

/// Writes at the end of a buffer that goes on being used.
struct AppendFlavor<'a>(&'a mut Vec<u8>);

impl Flavor for AppendFlavor<'_> {
    type Output = ();

    /// One byte more.
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    /// Several bytes more.
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Nothing is left to do.
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Compares what is serialised with bytes that are there already, instead
/// of writing it: the check for the canonical form needs no memory.
struct CanonicalCheck<'a> {
    /// What is still to come.
    rest: &'a [u8],
    /// Whether everything was as expected so far.
    matches: bool,
}

impl Flavor for CanonicalCheck<'_> {
    type Output = bool;

    /// Compares one byte.
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    /// Compares several bytes.
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => self.rest = rest,
            None => self.matches = false,
        }
        Ok(())
    }

    /// Whether it was the matches, to the end.
    fn finalize(self) -> postcard::Result<bool> {
        Ok(self.matches && self.rest.is_empty())
    }
}

/// Reads a list without believing its length: memory is taken for items
/// that are there, never for items that are announced.
pub(super) fn vec_without_prealloc<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    /// Collects the items one by one.
    struct VecVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for VecVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                items.push(item);
            }
            Ok(items)
        }
    }

    deserializer.deserialize_seq(VecVisitor(PhantomData))
}
