//! Sentences that engines say to people: values, which the user interface words in the language of
//! the user. `Display` words them in English, for programs and for logs.

#[cfg(feature = "link")]
mod link;
#[cfg(feature = "peer")]
mod mesh;

use std::fmt;

#[cfg(feature = "link")]
pub use self::link::LinkSentence;
#[cfg(feature = "peer")]
pub use self::mesh::{MeshSentence, rounded_duration};

/// Sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// It has its words already: from the program around the engine, or from another peer.
    Worded(String),
    /// A server has said it.
    Server {
        /// Number in the registry of error codes.
        code: u16,
        /// What the server has said, in English.
        text: String,
    },
    /// The client's engine says it.
    #[cfg(feature = "link")]
    Link(LinkSentence),
    /// The peer's engine says it.
    #[cfg(feature = "peer")]
    Mesh(MeshSentence),
}

impl fmt::Display for Sentence {
    /// Writes the sentence, in English unless the program around the engine has worded it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worded(text) | Self::Server { text, .. } => f.write_str(text),
            #[cfg(feature = "link")]
            Self::Link(sentence) => sentence.fmt(f),
            #[cfg(feature = "peer")]
            Self::Mesh(sentence) => sentence.fmt(f),
        }
    }
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        Self::Worded(text)
    }
}

#[cfg(feature = "link")]
impl From<LinkSentence> for Sentence {
    fn from(sentence: LinkSentence) -> Self {
        Self::Link(sentence)
    }
}

#[cfg(feature = "peer")]
impl From<MeshSentence> for Sentence {
    fn from(sentence: MeshSentence) -> Self {
        Self::Mesh(sentence)
    }
}
