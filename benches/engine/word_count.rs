//! Lines → words → counts by word, two counting tasks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use compact_str::CompactString;
use crossbeam::channel::{Sender, bounded};
use squall::{Bolt, Emitter, Halt, KeyHasher, Result, Topology};

use super::common::{Figures, timed};
use super::ingredients::{Made, REPEATS, run as run_topology};

const WORDS: u64 = 20_000_000;
const WORDS_A_LINE: u64 = 10;

type Counts<W> = HashMap<W, u64, BuildHasherDefault<KeyHasher>>;

/// Splits lines.
#[derive(Clone)]
struct Split;

impl Bolt for Split {
    type In = &'static str;
    type Out = CompactString;

    async fn execute(&mut self, line: &&'static str, out: &mut Emitter<CompactString>) -> Result<()> {
        for word in line.split(' ') {
            out.emit(word.into());
        }
        Ok(())
    }
}

/// Counts words.
#[derive(Clone, Default)]
struct Count {
    counts: Counts<CompactString>,
    total: Arc<AtomicU64>,
}

impl Count {
    fn add(&mut self, word: &CompactString) {
        match self.counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(word.clone(), 1);
            }
        }
    }
}

impl Bolt for Count {
    type In = CompactString;
    type Out = ();

    async fn execute(&mut self, word: &CompactString, _: &mut Emitter<()>) -> Result<()> {
        self.add(word);
        Ok(())
    }

    async fn execute_batch(&mut self, words: &[CompactString], _: &mut Emitter<()>) -> Result<(), Halt> {
        for word in words {
            self.add(word);
        }
        Ok(())
    }

    async fn close(&mut self, _: &mut Emitter<()>) -> Result<()> {
        self.total.fetch_add(self.counts.values().sum(), Ordering::Relaxed);
        Ok(())
    }
}

pub(crate) fn run() {
    let lines = lines();
    let ours = || {
        timed(|| {
            let count = Count::default();
            let t = Topology::new("word-count");
            let spout = Made { at: 0, end: WORDS / WORDS_A_LINE, make: move |n| lines[n as usize % lines.len()] };
            let words = t.spout("lines", spout).bolt("split", Split);
            drop(words.fields(|word| word).parallelism(2).bolt("count", count.clone()));
            run_topology(t);
            assert_eq!(count.total.load(Ordering::Relaxed), WORDS);
        })
    };
    Figures::measure("wordcount", WORDS, REPEATS, ours, || bare(lines)).report();
}

/// Words of one batch without an object for each: all bytes, and where each word ends.
type Arena = (Vec<u8>, Vec<u32>);

/// Three threads, two channels, arenas instead of strings.
fn bare(lines: &'static [&'static str]) -> std::time::Duration {
    const BATCH: usize = 512;
    fn arena() -> Arena {
        (Vec::with_capacity(BATCH * 8), Vec::with_capacity(BATCH))
    }
    timed(|| {
        let counter = || {
            let (sender, receiver) = bounded::<Arena>(16);
            let thread = std::thread::spawn(move || {
                let mut counts: Counts<Box<[u8]>> = Counts::default();
                for (bytes, ends) in receiver {
                    let mut at = 0;
                    for end in ends {
                        let word = &bytes[at..end as usize];
                        match counts.get_mut(word) {
                            Some(count) => *count += 1,
                            None => {
                                counts.insert(word.into(), 1);
                            }
                        }
                        at = end as usize;
                    }
                }
                counts.values().sum::<u64>()
            });
            (sender, thread)
        };
        let ((left, one), (right, two)) = (counter(), counter());
        let senders: [Sender<Arena>; 2] = [left, right];
        let mut arenas = [arena(), arena()];
        for n in 0..WORDS / WORDS_A_LINE {
            for word in lines[n as usize % lines.len()].split(' ') {
                let mut hasher = KeyHasher::default();
                hasher.write(word.as_bytes());
                let to = (hasher.finish() >> 63) as usize;
                let (bytes, ends) = &mut arenas[to];
                bytes.extend_from_slice(word.as_bytes());
                ends.push(bytes.len() as u32);
                if ends.len() == BATCH {
                    senders[to].send(std::mem::replace(&mut arenas[to], arena())).expect("the counter lives");
                }
            }
        }
        for (sender, arena) in senders.into_iter().zip(arenas) {
            sender.send(arena).expect("the counter lives");
        }
        let counted = one.join().expect("no panic") + two.join().expect("no panic");
        assert_eq!(counted, WORDS);
    })
}

/// A thousand lines of ten words out of five thousand, the same in every run.
fn lines() -> &'static [&'static str] {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<String> = (0..5000)
        .map(|_| (0..3 + random() % 7).map(|_| char::from(b'a' + (random() % 26) as u8)).collect())
        .collect();
    let lines = (0..1000).map(|_| {
        let line: Vec<&str> = (0..WORDS_A_LINE).map(|_| words[(random() % 5000) as usize].as_str()).collect();
        &*line.join(" ").leak()
    });
    lines.collect::<Vec<_>>().leak()
}
