//! What a group commits, and what it is told when partitions are given to it.

use std::fmt;

use super::BrokerError;

/// What a commit says beside its offset to whoever gets the partition next. It travels with the offset, so it is
/// there after a crash, on whichever machine the partition comes up again.
///
/// The log keeps it and draws no conclusion; [`LogSpout`](super::LogSpout) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Note {
    /// The partition was given back in order; also what a commit says that was made without a note.
    #[default]
    Clean,
    /// The partition is being read: who finds this has inherited from one who died.
    Open,
    /// What begins at the offset was the only run in flight.
    Batchwise,
    /// The record at the offset was the only one in flight.
    Singly {
        /// How often before that its worker had died.
        deaths: u32,
    },
}

const SINGLY: &str = "singly:";

impl Note {
    /// The note of this text. Text that is not one, as other programs leave it, is [`Clean`](Self::Clean).
    pub fn parse(text: &str) -> Self {
        match text {
            "open" => Self::Open,
            "batchwise" => Self::Batchwise,
            text => {
                let deaths = text.strip_prefix(SINGLY).and_then(|deaths| deaths.parse().ok());
                deaths.map_or(Self::Clean, |deaths| Self::Singly { deaths })
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Open => f.write_str("open"),
            Self::Batchwise => f.write_str("batchwise"),
            Self::Singly { deaths } => write!(f, "{SINGLY}{deaths}"),
        }
    }
}

/// Of a commit that is waited for: somebody else has a partition by now.
pub(super) fn not_assigned() -> BrokerError {
    let reason = "a partition is assigned to another member by now".to_owned();
    BrokerError::Interrupted { what: "a commit".to_owned(), reason }
}

/// Where a group goes on in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Partition, counted from 0.
    pub partition: u32,
    /// Offset of the next record to read.
    pub offset: u64,
    /// For whoever gets the partition next.
    pub note: Note,
    /// Number of the last [`Seek`](super::Seek) that moved the partition; 0 = none.
    pub seek: u64,
}

impl Commit {
    /// A commit of a partition that is being given back in order, or of which nothing is to be said.
    pub fn clean(partition: u32, offset: u64) -> Self {
        Self { partition, offset, note: Note::Clean, seek: 0 }
    }
}

/// A partition that a group has given to its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Partition, counted from 0.
    pub partition: u32,
    /// Grows with each assignment of the partition to this consumer.
    pub epoch: u32,
    /// Offset of the first record to come.
    pub next: u64,
    /// What the last commit said; [`Note::Clean`] where there is none.
    pub note: Note,
    /// The seek that the last commit named; 0 where it named none.
    pub seek: u64,
}

/// Separates the note from the number of the seek.
const SEEK: &str = " seek:";

/// What a commit says beside its offset, as the text that the log keeps; empty when there is nothing to say.
pub(super) fn remark(note: Note, seek: u64) -> String {
    match (note, seek) {
        (Note::Clean, 0) => String::new(),
        (note, 0) => note.to_string(),
        (note, seek) => format!("{note}{SEEK}{seek}"),
    }
}

/// Reads what [`remark`] made. Text of other programs says nothing.
pub(super) fn remark_of(text: &str) -> (Note, u64) {
    let (note, seek) = text.split_once(SEEK).unwrap_or((text, ""));
    (Note::parse(note), seek.parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_what_its_text_says() {
        for note in [Note::Clean, Note::Open, Note::Batchwise, Note::Singly { deaths: 2 }] {
            assert_eq!(Note::parse(&note.to_string()), note);
        }
        for note in [Note::Clean, Note::Open, Note::Singly { deaths: 2 }] {
            for seek in [0, 7, u64::MAX] {
                assert_eq!(remark_of(&remark(note, seek)), (note, seek));
            }
        }
        assert_eq!((remark(Note::Clean, 0), remark_of("by others")), (String::new(), (Note::Clean, 0)));
        for foreign in ["", "singly:", "singly:-1", "singly:many", "{\"by\":\"others\"}", "OPEN"] {
            assert_eq!(Note::parse(foreign), Note::Clean);
        }
    }
}
