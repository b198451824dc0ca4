//! Input bytes of a run, from which all decisions are taken.

/// Names of users and rooms that the frames choose from; some are the same by their keys, some are
/// invalid.
const NAMES: [&str; 8] = ["anna", "Anna", "bob", "lobby", "den", "", "a b", "ＡＮＮＡ"];

/// Bytes that are used up one after the other.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    /// Returns the next byte; 0 if none is left.
    pub(crate) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Returns a number that is small in most cases.
    pub(crate) fn number(&mut self) -> u64 {
        match self.u8() {
            byte @ 0..250 => u64::from(byte % 40),
            250 => u64::MAX,
            byte => u64::from(byte) << (self.u8() % 56),
        }
    }

    /// Returns one of [`NAMES`].
    pub(crate) fn name(&mut self) -> String {
        NAMES[usize::from(self.u8()) % NAMES.len()].to_owned()
    }

    /// Returns a text: short, empty, or with characters that are not allowed.
    pub(crate) fn text(&mut self) -> String {
        let length = usize::from(self.u8() % 12);
        (0..length).map(|_| char::from(self.u8() % 0x80)).collect()
    }
}
