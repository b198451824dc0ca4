//! Texts of messages: each carries its sender and its number, so that every delivery can be checked.

/// Length of the part that carries sender and number: two hexadecimal numbers, a space behind each.
const HEAD: usize = 6 + 1 + 8 + 1;

/// What follows, again and again.
const FILLER: &[u8] = b"an ordinary line of a chat among friends, as long as it is wanted; ";

/// Texts of one length.
pub(crate) struct Texts {
    /// Everything behind the head.
    filler: Vec<u8>,
}

/// Sender and number of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Number of the sender among all senders.
    pub(crate) sender: usize,
    /// Number of the message among those of the sender, from 0.
    pub(crate) number: u32,
}

impl Texts {
    /// Makes texts of `size` bytes, at least 16.
    pub(crate) fn new(size: usize) -> Self {
        let filler = FILLER.iter().copied().cycle();
        Self { filler: filler.take(size.checked_sub(HEAD).unwrap()).collect() }
    }

    /// Returns the text of a message.
    pub(crate) fn write(&self, mark: Mark) -> Vec<u8> {
        let mut text = format!("{:06x} {:08x} ", mark.sender, mark.number).into_bytes();
        text.extend_from_slice(&self.filler);
        text
    }

    /// Returns what a text carries; `None` if it is not one of these texts, unchanged.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Mark> {
        let (head, filler) = text.split_at_checked(HEAD)?;
        if filler != self.filler || head[6] != b' ' || head[15] != b' ' {
            return None;
        }
        let sender = usize::try_from(hexadecimal(&head[..6])?).ok()?;
        Some(Mark { sender, number: hexadecimal(&head[7..15])? })
    }
}

/// Returns the value of hexadecimal digits in lower case.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u32::from(digit))
    })
}
