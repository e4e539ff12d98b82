//! Runs that go out with care, and the notes that go before them.

use std::time::Duration;

use tokio::time::Instant;

use super::LogSpout;
use super::assigned::{Assigned, InFlight};
use super::care::Pending;
use super::holds::Cause;
use super::phase::{Phase, Suspect};
use crate::broker::dead_letter::append_letters;
use crate::broker::{Commit, Fetched, Granted, LogRecord, Note, StartFrom};
use crate::topology::{Class, Classify, Error, Pulled, Result};

/// After how long a note is written again that could not be.
const AGAIN: Duration = Duration::from_millis(100);
/// After how long it is looked again whether another task's careful run is over.
pub(super) const TURN: Duration = Duration::from_millis(20);

impl LogSpout {
    /// Takes up the partitions that came, as carefully as their notes say. Cancel-safe.
    pub(super) async fn take_up(&mut self) -> Result<()> {
        if self.care.arriving.is_empty() {
            return Ok(());
        }
        let wary = self.settings.max_deaths > 0;
        let ends = if wary && self.care.arriving.iter().any(|granted| granted.note != Note::Clean) {
            self.broker.bounds(&self.settings.topic).await?
        } else {
            Vec::new()
        };
        for Granted { partition, epoch, next, note, seek } in std::mem::take(&mut self.care.arriving) {
            tracing::info!(topic = self.settings.topic, partition, epoch, next, %note, "partition assigned");
            self.forget(&[partition]);
            // What was wanted back of it before belongs to an assignment that is over.
            self.no_longer_wanted(&[partition]);
            let end =
                ends.iter().find(|bounds| bounds.partition == partition).map_or(next, |bounds| bounds.latest);
            let phase = Phase::of(note, next, end, self.settings.careful_records);
            if phase != Phase::Normal {
                tracing::warn!(topic = self.settings.topic, partition, next, ?phase, "the last owner died");
            }
            self.ours.assign(partition, epoch, next, phase, seek);
            self.moves.stands(partition, seek);
            // Where a group begins that begins with the newest is known to it alone until it is committed.
            let begins = self.settings.group.start_from != StartFrom::Earliest;
            if let Some(assigned) = self.ours.of_mut(partition) {
                assigned.begins = begins;
            }
            if !wary && !begins {
                continue;
            }
            if phase == Phase::Normal && note != Note::Open {
                self.care.note(partition, Note::Open);
            } else if let Some(assigned) = self.ours.of_mut(partition) {
                assigned.noted = true;
            }
        }
        Ok(())
    }

    /// Writes the notes that are due. One that cannot be written is written later: it says which partitions wait for it.
    /// Cancel-safe.
    pub(super) async fn write_notes(&mut self) -> Result<()> {
        let pending = self.care.pending.as_ref().filter(|pending| !pending.noted && !self.is_doomed(pending));
        let ready = pending.filter(|_| self.ours.is_idle());
        let suspect = ready.map(|pending| {
            let (partition, Suspect { start: offset, note, .. }) = (pending.run.partition, pending.suspect);
            let seek = self.ours.of(partition).map_or(0, |assigned| assigned.seek);
            Commit { partition, offset, note, seek }
        });
        let note =
            |&(partition, note): &(u32, Note)| Some(Commit { note, ..self.ours.of(partition)?.commit(partition) });
        let commits: Vec<Commit> = self.care.notes.iter().filter_map(note).chain(suspect).collect();
        if Instant::now() < self.care.again || commits.is_empty() {
            return Ok(());
        }
        match self.consumer().commit_now(&commits).await {
            Ok(()) => self.noted(suspect.is_some()),
            Err(error) if error.class() == Class::Retryable => {
                tracing::warn!(topic = self.settings.topic, error = %Error::from(error), "a note was not written");
                self.care.again = Instant::now() + AGAIN;
                self.give_back_suspect()?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A suspect whose note cannot be written is read again later: its partition may be somebody else's by now, and
    /// while there is a suspect the group is not listened to.
    fn give_back_suspect(&mut self) -> Result<()> {
        let given_back = self.care.pending.take_if(|pending| !pending.noted && pending.letter.is_none());
        if let Some(Pending { run, .. }) = given_back {
            self.hold_back(run.partition, self.care.again, Cause::Turn)?;
            self.give_up_turn();
        }
        Ok(())
    }

    fn noted(&mut self, suspect: bool) {
        for (partition, _) in std::mem::take(&mut self.care.notes) {
            if let Some(assigned) = self.ours.of_mut(partition) {
                assigned.noted = true;
            }
        }
        if let Some(pending) = self.care.pending.as_mut().filter(|_| suspect) {
            pending.noted = true;
        }
        self.give_up_turn();
    }

    /// Whether fresh records of the partition are suspects that have to wait for another careful run; takes the turn when
    /// it is free.
    pub(super) fn waits_for_turn(&mut self, partition: u32) -> bool {
        let busy = self.is_careful();
        let is_normal = |assigned: &Assigned| assigned.phase.is_over(assigned.next);
        if self.ours.of(partition).is_none_or(is_normal) {
            return false;
        }
        self.care.turn = match self.care.turn.take() {
            None if !busy => self.care.turns.clone().try_acquire_owned().ok(),
            turn => turn,
        };
        busy || self.care.turn.is_none()
    }

    /// Takes the records when they are suspects, which [`next_suspect`](Self::next_suspect) sends. Their turn
    /// has been taken.
    pub(super) fn take_suspect(&mut self, mut fetched: Fetched, max: usize) -> Result<Option<Fetched>> {
        let partition = fetched.partition;
        let Some(assigned) = self.ours.of_mut(partition) else { return Ok(None) };
        if assigned.phase.is_over(assigned.next) {
            assigned.phase = Phase::Normal;
            return Ok(Some(fetched));
        }
        let Some(first) = fetched.records.first() else { return Ok(Some(fetched)) };
        // A hole before a single record is none of it, so that a note is always about the record where it stands.
        let singly = matches!(assigned.phase, Phase::Singly { .. });
        let start = if singly { first.origin.offset } else { assigned.floor };
        let note = assigned.phase.note_at(start);
        let cut = singly && fetched.records.len() > 1;
        if cut {
            fetched.records.truncate(1);
            fetched.next = start + 1;
        }
        assigned.phase.spend(fetched.records.len(), max);
        let suspect = Suspect { start, end: fetched.next, note };
        self.care.pending = Some(Pending { run: fetched, suspect, noted: false, letter: None });
        if cut {
            // The others are read again.
            self.holds.end_wait(partition);
            self.pause_at(partition, start + 1)?;
        }
        Ok(None)
    }

    /// Sends the suspect that was read, once nothing else is in flight and its note is written. While there is one,
    /// nothing else is pulled. Cancel-safe.
    pub(super) async fn next_suspect(&mut self) -> Result<Option<Pulled<LogRecord>>> {
        let Some(pending) = &self.care.pending else { return Ok(None) };
        if self.is_doomed(pending) {
            return self.quarantine().await.map(Some);
        }
        if !pending.noted {
            // Outcomes, or the time to try again, wake the task.
            match self.ours.is_idle() {
                true => tokio::time::sleep_until(self.care.again).await,
                false => std::future::pending().await,
            }
            return Ok(None);
        }
        let Some(Pending { run, suspect, .. }) = self.care.pending.take() else { return Ok(None) };
        self.ours.suspect(run.partition, suspect);
        self.alone = true;
        Ok(Some(self.sent(run, None)))
    }

    fn is_doomed(&self, pending: &Pending) -> bool {
        matches!(pending.suspect.note, Note::Singly { deaths } if deaths >= self.settings.max_deaths)
    }

    /// Writes a record to the dead letters that has killed its workers, without sending it. Cancel-safe: a task of its
    /// own writes.
    async fn quarantine(&mut self) -> Result<Pulled<LogRecord>> {
        let pending = self.care.pending.as_mut().expect("the caller has looked");
        let (topic, partition, start) = (&self.settings.topic, pending.run.partition, pending.suspect.start);
        let deaths = self.settings.max_deaths;
        let what = format!("killed its worker {deaths} times while it was alone in flight");
        let Some(dead_letters) = self.settings.dead_letters.clone() else {
            let what = format!("{topic}[{partition}]@{start} {what}, and there is no dead-letter topic");
            return Err(Error::fatal(what));
        };
        if pending.letter.is_none() {
            tracing::error!(topic, partition, offset = start, deaths, "record set aside: it {what}");
            let letters = pending.run.records.iter().map(|record| {
                let mut record = record.clone();
                record.origin.attempt = deaths - 1;
                (self.letters)(&record, &what)
            });
            let (letters, broker) = (letters.collect(), self.broker.clone());
            let write = async move { Ok(append_letters(&*broker.producer()?, &dead_letters, letters).await?) };
            pending.letter = Some(tokio::spawn(write));
        }
        let letter = pending.letter.as_mut().expect("it was just begun, or before");
        let written =
            letter.await.unwrap_or_else(|_| Err(Error::fatal("the task that wrote a dead letter ended")));
        pending.letter = None;
        written?;
        let Some(Pending { run, suspect, .. }) = self.care.pending.take() else {
            return Err(Error::fatal("a suspect is gone while it was set aside"));
        };
        self.ours.suspect(partition, suspect);
        let over = InFlight { start, attempt: deaths - 1, single: true };
        Ok(self.sent(Fetched { records: Vec::new(), ..run }, Some(over)))
    }

    /// Has it noted that suspects have settled.
    pub(super) fn clear_suspects(&mut self) {
        for partition in self.ours.take_cleared() {
            if let Some(assigned) = self.ours.of(partition) {
                self.care.note(partition, assigned.note());
            }
        }
    }

    /// Partitions are wanted back. That their suspects do not settle in time is no death.
    pub(super) fn clear_wanted(&mut self, partitions: &[u32]) {
        self.care.pending.take_if(|pending| partitions.contains(&pending.run.partition));
        self.care.notes.retain(|(partition, _)| !partitions.contains(partition));
        for commit in self.ours.farewells(Some(partitions)) {
            if self.ours.of(commit.partition).is_some_and(|assigned| assigned.suspect.is_some()) {
                self.care.note(commit.partition, commit.note);
            }
        }
        self.give_up_turn();
    }

    /// Partitions have gone.
    pub(super) fn forget_suspects(&mut self, partitions: &[u32]) {
        self.care.pending.take_if(|pending| partitions.contains(&pending.run.partition));
        self.care.notes.retain(|(partition, _)| !partitions.contains(partition));
        self.give_up_turn();
    }

    /// Whether a careful run is under way, or what is to be noted of it.
    fn is_careful(&self) -> bool {
        self.care.is_pending() || !self.care.notes.is_empty() || self.ours.has_suspect()
    }

    /// Lets others have their turn unless this task is using it.
    pub(super) fn give_up_turn(&mut self) {
        if !self.is_careful() {
            self.care.turn = None;
        }
    }
}
