//! The smallest complete topology: lines of a text in, counts of its words out.
//!
//! `word-count run README.md` · `word-count describe --format mermaid` · `--set operators.count.parallelism=4`

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use compact_str::CompactString;
use squall::testing::values;
use squall::{Bolt, Emitter, Rejected, Result, Sink, Topology};

#[derive(Debug, clap::Args)]
struct Arguments {
    /// The text to count.
    text: PathBuf,
}

/// Counts words; what it has counted leaves when the text is at its end.
#[derive(Clone, Default)]
struct Count(HashMap<CompactString, u64>);

impl Bolt for Count {
    type In = CompactString;
    type Out = (CompactString, u64);

    async fn execute(&mut self, word: &CompactString, _: &mut Emitter<Self::Out>) -> Result<()> {
        *self.0.entry(word.clone()).or_default() += 1;
        Ok(())
    }

    async fn close(&mut self, out: &mut Emitter<Self::Out>) -> Result<()> {
        self.0.drain().for_each(|count| out.emit(count));
        Ok(())
    }
}

/// Prints what it gets.
#[derive(Clone)]
struct Print;

impl Sink for Print {
    type In = (CompactString, u64);

    async fn write(&mut self, counts: &[&Self::In]) -> Result<Rejected> {
        counts.iter().for_each(|(word, count)| println!("{count:>7} {word}"));
        Ok(Rejected::none())
    }
}

fn build(arguments: Arguments) -> Topology {
    let text = std::fs::read_to_string(&arguments.text).unwrap_or_else(|error| {
        eprintln!("error: {}: {error}", arguments.text.display());
        std::process::exit(1)
    });
    let t = Topology::new("word-count");
    t.spout("lines", values(text.lines().map(str::to_owned)))
        .flat_map_with(|line: String, next| {
            line.split_whitespace().for_each(|word| next(CompactString::from(word)))
        })
        .fields(|word| word)
        .parallelism(2)
        .bolt("count", Count::default())
        .global()
        .sink("print", Print);
    t
}

fn main() -> ExitCode {
    squall::service::main(build)
}
