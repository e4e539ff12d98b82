//! Dependencies between the rooms flow one way.
//!
//! Reads the `use crate::…` lines and every other `crate::` path of `src/`, leaving tests out, and fails on an arrow
//! that runs against the order of `architecture`: topology ← runtime, broker, store, guard ← delivery, control ←
//! service ← cluster ← bin. `testing` may use what it tests; nothing but the crate's own tests and docs uses it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms it may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("topology", &[]),
    ("runtime", &["topology"]),
    ("broker", &["topology"]),
    ("store", &["topology"]),
    ("guard", &["topology"]),
    ("delivery", &["topology", "broker", "guard"]),
    ("control", &["topology", "broker", "guard"]),
    ("service", &["topology", "runtime", "broker", "store", "guard", "delivery", "control"]),
    ("cluster", &["topology", "runtime", "broker", "store", "guard", "delivery", "control", "service"]),
    ("testing", &["topology", "runtime", "broker", "store", "guard", "delivery", "control", "service"]),
];

/// What `topology` may not even mention.
const IMPURE: &[&str] = &["tokio", "std::time::Instant", "SystemTime", "std::fs", "std::net", "std::thread"];

#[test]
fn no_arrow_runs_the_other_way() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for (room, allowed) in MAY_NAME {
        for file in sources(&Path::new("src").join(room)) {
            read += 1;
            let text = code_of(&fs::read_to_string(&file).expect("a source file is text"));
            for named in rooms_named(&text) {
                if named != *room && !allowed.contains(&named.as_str()) {
                    wrong.push(format!("{} names `{named}`, which `{room}` may not", file.display()));
                }
            }
        }
    }
    assert!(read > 30, "the sources were not found: only {read} files read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_vocabulary_is_pure() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src/topology")) {
        let text = code_of(&fs::read_to_string(&file).expect("a source file is text"));
        for word in IMPURE.iter().filter(|word| text.contains(*word)) {
            wrong.push(format!("{} names {word}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn guards_take_time_as_a_parameter() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for file in sources(Path::new("src/guard")) {
        read += 1;
        let text = code_of(&fs::read_to_string(&file).expect("a source file is text"));
        // The clock gives the time to the others; a switch tells its waiters of a change.
        let may: &[&str] = match file.file_name().and_then(|name| name.to_str()) {
            Some("clock.rs") => &["tokio", "SystemTime"],
            Some("switch.rs") => &["tokio"],
            _ => &[],
        };
        for word in IMPURE.iter().filter(|word| !may.contains(word) && text.contains(*word)) {
            wrong.push(format!("{} names {word}", file.display()));
        }
    }
    assert!(read > 10, "the sources were not found: only {read} files read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<String> = fs::read_dir("src")
        .expect("the sources")
        .map(|entry| entry.expect("a folder entry"))
        .filter(|entry| entry.path().is_dir() && !sources(&entry.path()).is_empty())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|room| room != "bin")
        .collect();
    let known: BTreeSet<String> = MAY_NAME.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert!(rooms.is_subset(&known), "not in the table: {:?}", rooms.difference(&known).collect::<Vec<_>>());
}

/// All Rust files below a folder that are not tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.expect("a folder entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}

/// The text without comments and without what follows `#[cfg(test)]`.
fn code_of(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.trim_start().starts_with("#[cfg(test)]"));
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rooms_named(text: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        // `use crate::{a::…, b::…}` names several.
        let paths = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').collect::<Vec<_>>(),
            None => vec![rest],
        };
        for path in paths {
            let room: String =
                path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if MAY_NAME.iter().any(|(known, _)| *known == room) {
                named.insert(room);
            }
        }
    }
    named
}
