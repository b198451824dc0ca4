//! Codec for the canonical subset of postcard that the protocols use: `docs/protocol/README.md`,
//! section 1.

use std::marker::PhantomData;

use postcard::ser_flavors::Flavor;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Decoding error: the bytes are truncated, invalid or not in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed message")]
pub struct Malformed;

/// Decodes a value from the start of `bytes`. Returns the value and the bytes after it.
///
/// # Errors
/// [`Malformed`] if the bytes end too soon or have an invalid value. Also if they are not the
/// canonical encoding of the value.
pub(crate) fn decode_prefix<'a, T>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Malformed>
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
pub(crate) fn encode_into<T: Serialize>(value: &T, buffer: &mut Vec<u8>) {
    let written = postcard::serialize_with_flavor(value, AppendFlavor(buffer));
    debug_assert!(written.is_ok(), "every message can be serialised");
}

/// Returns the length of the encoding of `value`, in bytes.
#[cfg(feature = "peer")]
pub(super) fn encoded_len<T: Serialize>(value: &T) -> usize {
    let counted = postcard::serialize_with_flavor(value, postcard::ser_flavors::Size::default());
    debug_assert!(counted.is_ok(), "every message can be serialised");
    counted.unwrap_or_default()
}

/// Serialisation target (postcard flavor) that appends to an existing buffer.
struct AppendFlavor<'a>(&'a mut Vec<u8>);

impl Flavor for AppendFlavor<'_> {
    type Output = ();

    /// Appends one byte.
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    /// Appends several bytes.
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns nothing: the buffer already holds the encoding.
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Serialisation target (postcard flavor) that compares the output with expected bytes instead of
/// storing it: checks for the canonical form without allocating.
struct CanonicalCheck<'a> {
    /// Expected bytes after those already compared.
    rest: &'a [u8],
    /// True while all output so far was as expected.
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

    /// Returns true if the output was equal to the expected bytes, with none left over.
    fn finalize(self) -> postcard::Result<bool> {
        Ok(self.matches && self.rest.is_empty())
    }
}

/// Deserialises a list without allocating memory for its declared length. Memory grows with the
/// items that are present, so a false length costs nothing.
pub(super) fn vec_without_prealloc<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    vec_of_at_most::<_, _, { usize::MAX }>(deserializer)
}

/// Deserialises a list like [`vec_without_prealloc`], but fails at the first item after `MAX`
/// items. Decoding takes no more time and memory than for `MAX` items.
pub(super) fn vec_of_at_most<'de, D, T, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    /// Visitor that collects at most `MAX` items of a list into a vector.
    struct VecVisitor<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for VecVisitor<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                if items.len() == MAX {
                    return Err(A::Error::invalid_length(MAX.saturating_add(1), &self));
                }
                items.push(item);
            }
            Ok(items)
        }
    }

    deserializer.deserialize_seq(VecVisitor::<T, MAX>(PhantomData))
}
