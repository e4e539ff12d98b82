//! Opening what a crash, a bad disk or another process left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::super::Limits;
use super::super::super::entry::Bounds;
use super::super::files::Directory;
use super::super::recover::Tail;
use super::super::shards::Shards;
use super::super::writer::Writer;
use super::super::{MemorySettings, MemoryTimelines};
use super::{holds, put};
use crate::store::StoreError;

fn open(dir: &Path, journal_bytes: u64) -> Result<MemoryTimelines, StoreError> {
    let settings = MemorySettings { journal_bytes, ..MemorySettings::default() };
    MemoryTimelines::open_with(dir, Limits::default(), settings)
}

fn only(dir: &Path, prefix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix));
    assert_eq!(found.len(), 1, "{found:?}");
    found.pop().unwrap()
}

#[tokio::test]
async fn a_torn_end_is_cut_off_wherever_it_tore() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1 << 20).unwrap();
    put(&store, "kept").await;
    let journal = only(dir.path(), "journal-");
    let whole = fs::metadata(&journal).unwrap().len();
    put(&store, "torn").await;
    drop(store);
    let bytes = fs::read(&journal).unwrap();
    for cut in whole as usize..bytes.len() {
        fs::write(&journal, &bytes[..cut]).unwrap();
        let store = open(dir.path(), 1 << 20).unwrap();
        assert!(holds(&store, "kept").await && !holds(&store, "torn").await, "cut at {cut}");
        put(&store, "after").await;
        drop(store);
        let store = open(dir.path(), 1 << 20).unwrap();
        assert!(holds(&store, "kept").await && holds(&store, "after").await, "cut at {cut}");
    }
}

#[tokio::test]
async fn damage_before_the_end_is_an_error_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1 << 20).unwrap();
    put(&store, "first").await;
    put(&store, "second").await;
    drop(store);
    let journal = only(dir.path(), "journal-");
    let bytes = fs::read(&journal).unwrap();
    let at = bytes.windows(5).position(|text| text == b"first").unwrap();
    let mut bad = bytes.clone();
    bad[at] ^= 1;
    fs::write(&journal, bad).unwrap();
    let error = open(dir.path(), 1 << 20).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains("journal-0; put the directory back from a copy"), "{error}");
    fs::write(&journal, bytes).unwrap();
    assert!(holds(&open(dir.path(), 1 << 20).unwrap(), "second").await);
}

#[tokio::test]
async fn a_full_journal_becomes_a_snapshot_and_a_damaged_snapshot_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1).unwrap();
    for owner in ["a", "b", "c"] {
        put(&store, owner).await;
    }
    drop(store);
    let snapshot = only(dir.path(), "snapshot-");
    only(dir.path(), "journal-");
    let bytes = fs::read(&snapshot).unwrap();
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        fs::write(&snapshot, bad).unwrap();
        let error = open(dir.path(), 1).unwrap_err();
        assert!(error.to_string().contains("remove it and replay the log"), "{error}");
        fs::write(&snapshot, &bytes[..at]).unwrap();
        assert!(open(dir.path(), 1).is_err(), "cut at {at}");
    }
    fs::write(&snapshot, bytes).unwrap();
    fs::write(dir.path().join("snapshot-99.tmp"), "half").unwrap();
    let store = open(dir.path(), 1).unwrap();
    for owner in ["a", "b", "c"] {
        assert!(holds(&store, owner).await);
    }
    assert!(!dir.path().join("snapshot-99.tmp").exists(), "an unfinished snapshot is removed");
}

#[tokio::test]
async fn a_missing_journal_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 1 << 20).unwrap());
    fs::rename(dir.path().join("journal-0"), dir.path().join("journal-1")).unwrap();
    let error = open(dir.path(), 1 << 20).unwrap_err();
    assert!(error.to_string().contains("journal-0"), "{error}");
}

#[tokio::test]
async fn a_directory_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), 1 << 20).unwrap();
    let error = open(dir.path(), 1 << 20).unwrap_err();
    assert!(matches!(error, StoreError::Config { .. }), "{error}");
    drop(store);
    open(dir.path(), 1 << 20).unwrap();
}

#[test]
fn nothing_is_written_after_a_failure_that_cannot_be_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path()).unwrap().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let shards = Arc::new(Shards::new(Bounds::from(Limits::default())));
    let mut writer = Writer::new(directory, Tail { number: 0, file: full, len: 0 }, shards, 1 << 20);
    let error = writer.append(b"group").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let error = writer.append(b"group").unwrap_err();
    assert!(error.to_string().contains("restart the program"), "{error}");
}
