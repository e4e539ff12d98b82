//! Reading a range, and saying of each record where it is.

use super::blocks::{Blocks, Part};
use super::known::Known;
use super::{
    Expect, Missing, MissingRanges, Range, Report, Sample, SinkReport, Source, Standing, Tally, Verdict,
    VerifyError,
};
use crate::broker::LogRecord;

/// Bounds of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Records that are held at a time.
    pub block_records: usize,
    /// Bytes of their values.
    pub block_bytes: usize,
    /// Places of records of the range that wait or are dead.
    pub max_aside: usize,
    /// Missing records that the report shows.
    pub shown: usize,
    /// Looks at some records only.
    pub sample: Option<Sample>,
}

impl Default for Settings {
    /// 10,000 records or 32 MiB at a time, a million places, 20 missing records, all records.
    fn default() -> Self {
        Self { block_records: 10_000, block_bytes: 32 << 20, max_aside: 1_000_000, shown: 20, sample: None }
    }
}

/// Says of every record of a range where it is.
pub struct Verifier<'a, E> {
    source: Source,
    expect: &'a E,
    settings: Settings,
}

/// A record that is to be judged.
struct Judged<I> {
    place: (u32, u64),
    item: Result<I, String>,
    /// By sink, or one for a record that does not decode.
    verdicts: Vec<Verdict>,
}

impl<'a, E: Expect> Verifier<'a, E> {
    /// A verifier of these records against these stores.
    pub fn new(source: Source, expect: &'a E, settings: Settings) -> Self {
        Self { source, expect, settings }
    }

    /// Looks at every record of `ranges`, or at the sample of them. `progress` is told how many have been looked at.
    ///
    /// # Errors
    /// [`VerifyError::TooMany`]; what log, stores and file say.
    pub async fn run(
        &self,
        ranges: &[Range],
        mut missing: Option<MissingRanges>,
        mut progress: impl FnMut(u64),
    ) -> Result<Report, VerifyError> {
        let mut known = Known::of(&self.source, ranges, self.settings.max_aside).await?;
        let sinks = self.expect.sinks().iter();
        let mut report = Report {
            topic: self.source.topic.clone(),
            ranges: ranges.iter().map(|range| (*range, known.committed(range.partition))).collect(),
            sample: self.settings.sample,
            sinks: sinks.map(|sink| SinkReport { sink: (*sink).to_owned(), tally: Tally::default() }).collect(),
            ..Report::default()
        };
        let (mut before, total) = (0, ranges.iter().map(Range::length).sum());
        for range in ranges {
            let part = Part { range: *range, before, total };
            before += range.length();
            let mut blocks = Blocks::new(&*self.source.broker, &self.source.topic, part, self.settings.sample)?;
            loop {
                let block = blocks.next(self.settings.block_records, self.settings.block_bytes).await?;
                if block.is_empty() {
                    break;
                }
                for judged in self.judge(&mut known, block).await? {
                    self.note(&mut report, missing.as_mut(), judged);
                }
                progress(report.records);
            }
        }
        report.beside = missing.map_or(Ok(0), MissingRanges::finish)?;
        Ok(report)
    }

    /// Judges a block; what seems to be missing a second time, after another look at what is set aside.
    async fn judge(&self, known: &mut Known, block: Vec<LogRecord>) -> Result<Vec<Judged<E::Item>>, VerifyError> {
        let judged = block.into_iter().map(|record| Judged {
            place: (record.origin.partition, record.origin.offset),
            item: self.expect.decode(&record),
            verdicts: Vec::new(),
        });
        let mut judged: Vec<_> = judged.collect();
        self.look(known, &mut judged.iter_mut().collect::<Vec<_>>()).await?;
        let mut doubtful: Vec<_> = judged.iter_mut().filter(|one| one.is_missing()).collect();
        if !doubtful.is_empty() {
            known.refresh().await?;
            self.look(known, &mut doubtful).await?;
        }
        Ok(judged)
    }

    async fn look(&self, known: &Known, judged: &mut [&mut Judged<E::Item>]) -> Result<(), VerifyError> {
        for one in judged.iter_mut() {
            one.verdicts.clear();
            if one.item.is_err() {
                one.verdicts.push(known.judge(None, one.place, Standing::Absent));
            }
        }
        for sink in self.expect.sinks() {
            let items: Vec<&E::Item> = judged.iter().filter_map(|one| one.item.as_ref().ok()).collect();
            let mut standings = self.expect.look(sink, &items).await?.into_iter();
            for one in judged.iter_mut().filter(|one| one.item.is_ok()) {
                let standing = standings.next().unwrap_or(Standing::Absent);
                one.verdicts.push(known.judge(Some(sink), one.place, standing));
            }
        }
        Ok(())
    }

    fn note(&self, report: &mut Report, missing: Option<&mut MissingRanges>, judged: Judged<E::Item>) {
        report.records += 1;
        match &judged.item {
            Ok(_) => {
                let tallies = report.sinks.iter_mut().map(|sink| &mut sink.tally);
                tallies.zip(&judged.verdicts).for_each(|(tally, verdict)| tally.add(*verdict));
            }
            Err(_) => judged.verdicts.iter().for_each(|verdict| report.undecodable.add(*verdict)),
        }
        if !judged.is_missing() {
            return;
        }
        let (partition, offset) = judged.place;
        report.missing += 1;
        if report.first_missing.len() < self.settings.shown {
            let (name, sinks) = match &judged.item {
                Ok(item) => (self.expect.name(item), self.missing_in(&judged.verdicts)),
                Err(reason) => (reason.clone(), Vec::new()),
            };
            report.first_missing.push(Missing { partition, offset, name, sinks });
        }
        if let Some(missing) = missing {
            missing.note(partition, offset);
        }
    }

    fn missing_in(&self, verdicts: &[Verdict]) -> Vec<String> {
        let sinks = self.expect.sinks().iter().zip(verdicts);
        sinks.filter(|(_, verdict)| **verdict == Verdict::Missing).map(|(sink, _)| (*sink).to_owned()).collect()
    }
}

impl<I> Judged<I> {
    fn is_missing(&self) -> bool {
        self.verdicts.contains(&Verdict::Missing)
    }
}
