//! A store that is damaged, of a later version, or was never finished.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fjall::{Database, KeyspaceCreateOptions};

use super::super::codec::PartitionMeta;
use super::super::{EmbeddedBroker, EmbeddedSettings, keys};
use super::{append, open, read_all, record};
use crate::broker::{Broker, BrokerError, TopicSpec};

async fn filled(dir: &Path) {
    let broker = open(dir, true);
    broker.create_topic(&TopicSpec::new("t", 1)).await.unwrap();
    append(&broker, "t", (0..100).map(|n| record(n.to_string())).collect()).await;
}

/// Writes one pair behind the log's back.
fn put(dir: &Path, keyspace: &str, key: &[u8], value: &[u8]) {
    let database = Database::builder(dir.join("log")).open().unwrap();
    let keyspace = database.keyspace(keyspace, KeyspaceCreateOptions::default).unwrap();
    keyspace.insert(key, value).unwrap();
}

fn opened(dir: &Path) -> Result<EmbeddedBroker, BrokerError> {
    EmbeddedBroker::open(dir, EmbeddedSettings::for_tests())
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    put(dir.path(), "meta", keys::FORMAT, &2_u32.to_be_bytes());
    let error = opened(dir.path()).err().unwrap();
    assert!(matches!(error, BrokerError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn damaged_topics_and_bounds_are_refused() {
    for (key, value) in [
        (keys::topic("t"), vec![1, 2]),
        (keys::topic("t"), vec![9, 0, 1, 0, 0, 0]),
        (keys::bounds(0, 0), vec![7]),
        (vec![keys::TOPIC, 0xff], PartitionMeta::EMPTY.encode()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        put(dir.path(), "meta", &key, &value);
        let error = opened(dir.path()).err().unwrap();
        assert!(matches!(error, BrokerError::Corrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_damaged_block_fails_the_read_and_not_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    {
        let broker = open(dir.path(), true);
        append(&broker, "t", vec![record("after")]).await;
    }
    put(dir.path(), "records", &keys::block(0, 0, 0), &[1, 2, 3]);
    let broker = opened(dir.path()).unwrap();
    let mut cursor = broker.cursor("t", &[(0, 0)]).unwrap();
    let error = cursor.fetch(10, std::time::Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, BrokerError::Corrupt { .. }), "{error:?}");
    cursor.seek(0, 100).unwrap();
    assert_eq!(cursor.fetch(10, std::time::Duration::ZERO).await.unwrap().unwrap().records.len(), 1);
}

#[tokio::test]
async fn a_process_killed_while_it_created_the_store_is_no_obstacle() {
    for marker in [None, Some(&b""[..])] {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::create_dir_all(log.join("keyspaces")).unwrap();
        std::fs::write(log.join("0.jnl"), [0; 1000]).unwrap();
        if let Some(marker) = marker {
            std::fs::write(log.join("version"), marker).unwrap();
        }
        filled(dir.path()).await;
        assert_eq!(read_all(&open(dir.path(), true), "t").await.len(), 100);
    }
}

/// Garbage in each file in turn: an error, the records, or a journal that is taken for one that ends there; never
/// other records, never a panic.
#[tokio::test]
async fn garbage_in_any_file_is_an_error_or_harmless() {
    let pristine = tempfile::tempdir().unwrap();
    filled(pristine.path()).await;
    let mut refused = 0;
    for at in 0..files(pristine.path()).len() {
        for offset in [0, 9, 200] {
            let dir = tempfile::tempdir().unwrap();
            filled(dir.path()).await;
            let Some(path) = files(dir.path()).into_iter().nth(at) else { continue };
            let file = File::options().write(true).open(&path).unwrap();
            if file.metadata().unwrap().len() < offset + 16 {
                continue;
            }
            file.write_all_at(&[0xa5; 16], offset).unwrap();
            match opened(dir.path()) {
                Err(_) => refused += 1,
                Ok(broker) if broker.topic("t").await.unwrap().is_none() => refused += 1,
                Ok(broker) => {
                    let values: Vec<String> =
                        read_all(&broker, "t").await.iter().map(|r| super::text(r).to_owned()).collect();
                    let whole: Vec<String> = (0..100).map(|n| n.to_string()).collect();
                    assert!(values == whole || values.is_empty(), "other records from {path:?}: {values:?}");
                }
            }
        }
    }
    assert!(refused > 0, "no damage was noticed");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
