//! Going on elsewhere: where an operator says, or behind records that the log has deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::LogSpout;
use super::holds::Cause;
use crate::broker::{BrokerError, Commit, Note};
use crate::topology::{BoxFuture, Class, Classify, Error, Result};

/// Where a partition is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seek {
    /// Which seek it is: a later one has a greater number. Never 0.
    pub number: u64,
    /// Offset of the next record to read.
    pub offset: u64,
}

/// Records of a partition that the log has deleted before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// The first of them: where reading was to go on.
    pub from: u64,
    /// Offset after the last of them, which is the oldest that is held.
    pub to: u64,
}

/// Says where the partitions of a spout are to go on, and hears how they stand. Shared by the tasks of the spout.
///
/// A seek is applied once: its number is committed with the offset that it leads to, so that whoever gets the partition
/// next, after whatever death, knows of it.
pub trait Seeks: Send + Sync + 'static {
    /// The newest seek of `partition` with a greater number than `last`; `None` when there is none. Must not block.
    fn wanted(&self, partition: u32, last: u64) -> Option<Seek>;

    /// Resolves when [`wanted`](Self::wanted) may answer otherwise than before. It is called before the answers that it
    /// is about, and kept.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// A partition is this task's, and stands as of the seek with this number; 0 = it never was sought. `task` tells the
    /// tasks of the process apart.
    fn stands(&self, task: u64, partition: u32, seek: u64);

    /// A partition is not this task's any more; another one of the process may have it already.
    fn gone(&self, task: u64, partition: u32);

    /// A partition cannot be read on because of a gap, and waits for a seek. Said once for each stop.
    fn stopped(&self, partition: u32, gap: Gap);

    /// A partition is about to go on at `to` behind a gap, as its settings say. The gap is kept somewhere durable once this
    /// has resolved; it runs to its end whatever becomes of the spout. Called again after an error.
    fn passing(&self, partition: u32, gap: Gap, to: u64) -> BoxFuture<'static, Result<(), BrokerError>>;
}

/// What a spout does when the log has deleted records before they were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnGap {
    /// The partition waits for a seek; the others go on.
    #[default]
    Stop,
    /// It goes on with the oldest record that is held.
    Earliest,
    /// It goes on with what arrives from now on.
    Latest,
}

/// After how long a move is tried again that could not be committed, and a position read again that was not in the log for
/// a moment only.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a partition stands at a gap unless somebody seeks. It is not looked at again: a log that was cut may have grown
/// beyond the position by then, and what is new below it would be passed over in silence. An heir that comes after that
/// cannot tell: commits say nothing of the log that they were made in.
const UNTIL_SOUGHT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Partitions that are to go on elsewhere.
pub(super) struct Moves {
    seeks: Option<Arc<dyn Seeks>>,
    /// By partition: drained, then committed and moved.
    moving: BTreeMap<u32, Move>,
    /// When a move may be committed again.
    again: Instant,
    /// What tells that there may be other seeks.
    change: Option<BoxFuture<'static, ()>>,
    /// A gap was kept, or could not be.
    kept: Arc<Notify>,
    /// Tells the tasks of the process apart.
    task: u64,
}

/// The next [`Moves::task`].
static TASKS: AtomicU64 = AtomicU64::new(0);

/// Where a partition goes on once nothing of it is in flight.
#[derive(Debug)]
struct Move {
    offset: u64,
    /// Number of the last seek afterwards.
    seek: u64,
    /// What is passed over that was deleted, to be kept first.
    gap: Option<Gap>,
    /// What became of that, once it has: a task keeps it, since a future that is dropped and begun again would do it twice,
    /// and the other partitions go on meanwhile.
    keeping: Option<oneshot::Receiver<Result<(), BrokerError>>>,
}

impl Move {
    fn to(offset: u64, seek: u64) -> Self {
        Self { offset, seek, gap: None, keeping: None }
    }
}

impl Moves {
    pub(super) fn new(seeks: Option<Arc<dyn Seeks>>) -> Self {
        let task = TASKS.fetch_add(1, Ordering::Relaxed);
        let (moving, kept) = (BTreeMap::new(), Arc::default());
        Self { seeks, moving, again: Instant::now(), change: None, kept, task }
    }

    pub(super) fn seeks(&self) -> Option<&Arc<dyn Seeks>> {
        self.seeks.as_ref()
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = u32> {
        self.moving.keys().copied()
    }

    /// Says that a partition is this task's.
    pub(super) fn stands(&self, partition: u32, seek: u64) {
        if let Some(seeks) = &self.seeks {
            seeks.stands(self.task, partition, seek);
        }
    }

    /// Says that partitions are not this task's any more.
    pub(super) fn say_gone(&self, partitions: impl Iterator<Item = u32>) {
        if let Some(seeks) = &self.seeks {
            partitions.for_each(|partition| seeks.gone(self.task, partition));
        }
    }

    /// Whether the partition is to go on elsewhere.
    pub(super) fn has(&self, partition: u32) -> bool {
        self.moving.contains_key(&partition)
    }

    /// Partitions are no longer ours to move.
    pub(super) fn forget(&mut self, partitions: &[u32]) {
        self.moving.retain(|partition, _| !partitions.contains(partition));
    }

    /// When a move is to be tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.moving.is_empty() && self.again > Instant::now()).then_some(self.again)
    }

    /// Resolves when there may be other seeks, or a gap is kept. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        let Some(seeks) = &self.seeks else { return std::future::pending().await };
        let change = self.change.get_or_insert_with(|| listening(seeks));
        tokio::select! {
            () = change.as_mut() => self.change = None,
            () = self.kept.notified() => {}
        }
    }

    /// What is listened to before it is asked.
    fn listen(&mut self) {
        if let Some(seeks) = &self.seeks {
            self.change.get_or_insert_with(|| listening(seeks));
        }
    }
}

/// A future of [`Seeks::changed`] that has begun to listen.
fn listening(seeks: &Arc<dyn Seeks>) -> BoxFuture<'static, ()> {
    let owned = seeks.clone();
    super::gate::begun(Box::pin(async move { owned.changed().await }))
}

impl LogSpout {
    /// Moves the partitions that are sought elsewhere: what they have in flight settles first, what of it failed is given
    /// up, and the commit of the new position names the seek. Cancel-safe.
    pub(super) async fn move_partitions(&mut self) -> Result<()> {
        self.take_up_seeks()?;
        if self.moves.moving.is_empty() || Instant::now() < self.moves.again {
            return Ok(());
        }
        let drained = |partition: &u32| {
            self.ours.is_drained(&[*partition]) && !self.passed.iter().any(|(run, _)| run.partition == *partition)
        };
        let ready: Vec<u32> = self.moves.moving.keys().copied().filter(drained).collect();
        for partition in ready {
            if !self.keep_gap(partition) {
                continue;
            }
            let Some(&Move { offset, seek, .. }) = self.moves.moving.get(&partition) else { continue };
            let commit = Commit { partition, offset, note: Note::Open, seek };
            match self.consumer().commit_now(&[commit]).await {
                Ok(()) => self.moved(partition, offset, seek)?,
                Err(error) if error.class() == Class::Retryable => self.move_again(partition, error),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether what the move of this partition passes over is kept, if there is anything to keep. Tried again after any
    /// error: what cannot be kept must not be passed over, and is no reason to end the other partitions, nor to have them
    /// wait.
    fn keep_gap(&mut self, partition: u32) -> bool {
        let done = self.moves.kept.clone();
        let floor = self.ours.of(partition).map(|assigned| assigned.floor);
        let (Some(seeks), Some(moving)) = (self.moves.seeks.clone(), self.moves.moving.get_mut(&partition)) else {
            return true;
        };
        let Some(gap) = moving.gap else { return true };
        // Runs below the gap that had not settled are given up with it.
        let from = floor.map_or(gap.from, |floor| floor.min(gap.from));
        let offset = moving.offset;
        let keeping = moving.keeping.get_or_insert_with(|| {
            let (say, kept) = oneshot::channel();
            let passing = seeks.passing(partition, Gap { from, ..gap }, offset);
            tokio::spawn(async move {
                // The partition may be another one's by now.
                let _gone = say.send(passing.await);
                done.notify_one();
            });
            kept
        });
        let kept = keeping.try_recv();
        if let Err(TryRecvError::Empty) = kept {
            return false;
        }
        moving.keeping = None;
        match kept {
            Ok(Ok(())) => {
                moving.gap = None;
                true
            }
            Ok(Err(error)) => {
                self.move_again(partition, error);
                false
            }
            Err(_) => {
                self.moves.again = Instant::now() + AGAIN;
                false
            }
        }
    }

    fn move_again(&mut self, partition: u32, error: BrokerError) {
        let error = Error::from(error);
        tracing::warn!(topic = self.settings.topic, partition, %error, "a partition is not moved yet");
        self.moves.again = Instant::now() + AGAIN;
    }

    /// Has partitions drain that are sought elsewhere.
    fn take_up_seeks(&mut self) -> Result<()> {
        let Some(seeks) = self.moves.seeks.clone() else { return Ok(()) };
        self.moves.listen();
        let revoking = self.revoking.as_deref().unwrap_or_default();
        let wanted = |(partition, assigned): (u32, &super::assigned::Assigned)| {
            let last = self.moves.moving.get(&partition).map_or(assigned.seek, |moving| moving.seek);
            Some((partition, seeks.wanted(partition, last)?))
        };
        let ours = self.ours.iter().filter(|(partition, _)| !revoking.contains(partition));
        let wanted: Vec<(u32, Seek)> = ours.filter_map(wanted).collect();
        for (partition, Seek { number, offset }) in wanted {
            tracing::info!(
                topic = self.settings.topic,
                partition,
                offset,
                number,
                "a partition goes on elsewhere"
            );
            self.begin_move(partition, Move::to(offset, number))?;
        }
        Ok(())
    }

    /// Nothing fresh of the partition goes out any more, and nothing of it comes again.
    fn begin_move(&mut self, partition: u32, to: Move) -> Result<()> {
        self.moves.moving.insert(partition, to);
        self.replays.remove(&[partition]);
        self.holds.end_wait(partition);
        self.forget_suspects(&[partition]);
        match self.ours.next(partition) {
            Some(next) => self.pause_at(partition, next),
            None => Ok(()),
        }
    }

    /// The partition stands elsewhere.
    fn moved(&mut self, partition: u32, offset: u64, seek: u64) -> Result<()> {
        self.moves.moving.remove(&partition);
        self.ours.seek(partition, offset, seek);
        self.moves.stands(partition, seek);
        self.give_up_turn();
        // What holds back nothing any more is resumed from here.
        self.pause_at(partition, offset)
    }

    /// No partition is this task's any more.
    pub(super) fn gone(&self) {
        self.moves.say_gone(self.ours.iter().map(|(partition, _)| partition));
    }

    /// What a failed poll means: the end of the run, or of a partition's reading where somebody can say how it goes on.
    pub(super) fn poll_failed(&mut self, error: BrokerError) -> Result<()> {
        match error {
            BrokerError::OutOfRange { partition, offset, earliest, latest, .. }
                if !self.settings.bounded && self.moves.seeks.is_some() =>
            {
                self.gap(partition, offset, earliest, latest)
            }
            BrokerError::OutOfRange { .. } => Err(Error::fatal(format!(
                "{error}; the records between are gone: decide where to go on and set the group's offset explicitly"
            ))),
            other => Err(Error::new(other.class(), other)),
        }
    }

    /// What was to come again cannot be read: as with a failed poll, it is read later, or all that has not settled.
    pub(super) fn replay_failed(&mut self, error: BrokerError) -> Result<()> {
        let BrokerError::OutOfRange { topic, partition, offset, earliest, latest } = error else {
            return Err(Error::new(error.class(), error));
        };
        let there = earliest..=latest;
        if there.contains(&offset) {
            tracing::warn!(
                topic,
                partition,
                offset,
                "what comes again was not in the log for a moment; it is read again"
            );
            self.replays.put_off(partition, Instant::now() + AGAIN);
            return Ok(());
        }
        self.replays.remove(&[partition]);
        let floor = self.ours.of(partition).map_or(0, |assigned| assigned.floor);
        let from = if there.contains(&floor) { offset } else { floor };
        self.poll_failed(BrokerError::OutOfRange { topic, partition, offset: from, earliest, latest })
    }

    fn gap(&mut self, partition: u32, from: u64, earliest: u64, latest: u64) -> Result<()> {
        let topic = &self.settings.topic;
        let Some(assigned) = self.ours.of(partition) else { return Ok(()) };
        let (floor, seek) = (assigned.floor, assigned.seek);
        if (earliest..=latest).contains(&from) {
            // The bounds were asked for afterwards.
            tracing::warn!(
                topic,
                partition,
                from,
                "the next record was not in the log for a moment; it is read again"
            );
            return self.hold_back(partition, Instant::now() + AGAIN, Cause::Gap);
        }
        if from > latest && (earliest..=latest).contains(&floor) {
            // What has not settled is there, or other records in its place.
            tracing::error!(
                topic,
                partition,
                from,
                latest,
                floor,
                "the log was cut; reading goes on where all is settled"
            );
            return self.begin_move(partition, Move::to(floor, seek));
        }
        let gap = Gap { from, to: earliest };
        let offset = match self.settings.on_gap {
            OnGap::Earliest if from < earliest => earliest,
            OnGap::Latest if from < earliest => latest,
            // Past the end nothing was deleted: the log is another one, or was cut below what is committed.
            OnGap::Stop | OnGap::Earliest | OnGap::Latest => {
                tracing::error!(
                    topic,
                    partition,
                    from,
                    earliest,
                    latest,
                    "the next record is not in the log; the partition waits for a seek"
                );
                if let Some(seeks) = &self.moves.seeks {
                    seeks.stopped(partition, gap);
                }
                return self.hold_back(partition, Instant::now() + UNTIL_SOUGHT, Cause::Gap);
            }
        };
        tracing::error!(
            topic,
            partition,
            from,
            to = offset,
            "records were deleted before they were read; they are passed over"
        );
        self.begin_move(partition, Move { gap: Some(gap), ..Move::to(offset, seek) })
    }
}
