//! How carefully the runs of a partition go out.
//!
//! The note found at the committed offset says how the last owner ended; see the [module](super) for the steps.

use crate::broker::Note;

/// How the runs of a partition go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// As they come.
    Normal,
    /// One run at a time, while `left` records below `end` are left.
    Batchwise {
        /// Records.
        left: usize,
        /// What the partition held when it was assigned: the last owner had nothing past it in flight.
        end: u64,
    },
    /// One record at a time, likewise.
    Singly {
        /// Offset at which the last owner may have died.
        at: u64,
        /// How often in a row its owner has died with the record at `at` alone in flight.
        deaths: u32,
        /// Records; `None` until it is known how many a run has.
        left: Option<usize>,
        /// As above.
        end: u64,
    },
}

/// A careful run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suspect {
    /// Offset of its first record.
    pub(super) start: u64,
    /// Position after it.
    pub(super) end: u64,
    /// What the commit at `start` says.
    pub(super) note: Note,
}

impl Phase {
    /// The phase in which a partition begins that comes with this note and holds records from `next` to `end`.
    pub(super) fn of(note: Note, next: u64, end: u64, careful_records: usize) -> Self {
        match note {
            _ if next >= end => Self::Normal,
            Note::Clean => Self::Normal,
            Note::Open => Self::Batchwise { left: careful_records, end },
            Note::Batchwise => Self::Singly { at: next, deaths: 0, left: None, end },
            Note::Singly { deaths } => {
                Self::Singly { at: next, deaths: deaths.saturating_add(1), left: None, end }
            }
        }
    }

    /// Whether there is nothing to be careful with from `next` on.
    pub(super) fn is_over(&self, next: u64) -> bool {
        match *self {
            Self::Normal => true,
            Self::Batchwise { left, end } => left == 0 || next >= end,
            Self::Singly { left, end, .. } => left == Some(0) || next >= end,
        }
    }

    /// This many records go out next, in runs of at most `max`.
    pub(super) fn spend(&mut self, records: usize, max: usize) {
        match self {
            Self::Normal => {}
            Self::Batchwise { left, .. } => *left = left.saturating_sub(records),
            Self::Singly { left, .. } => *left = Some(left.unwrap_or(max).saturating_sub(records)),
        }
    }

    /// Deaths to be blamed on the record at `offset`.
    pub(super) fn deaths_at(&self, offset: u64) -> u32 {
        match *self {
            Self::Singly { at, deaths, .. } if at == offset => deaths,
            _ => 0,
        }
    }

    /// What goes before a run that begins at `offset`.
    pub(super) fn note_at(&self, offset: u64) -> Note {
        match self {
            Self::Normal => Note::Open,
            Self::Batchwise { .. } => Note::Batchwise,
            Self::Singly { .. } => Note::Singly { deaths: self.deaths_at(offset) },
        }
    }

    /// The note with which a partition came that is given back before its first record went out.
    pub(super) fn inherited(&self) -> Note {
        match *self {
            Self::Normal => Note::Clean,
            Self::Batchwise { .. } => Note::Open,
            Self::Singly { deaths: 0, .. } => Note::Batchwise,
            Self::Singly { deaths, .. } => Note::Singly { deaths: deaths - 1 },
        }
    }
}
