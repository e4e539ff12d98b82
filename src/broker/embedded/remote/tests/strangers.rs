//! Whoever connects and is no client, and servers that are none.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use super::super::wire::{Greeting, Request, VERSION};
use super::super::{RemoteBroker, RemoteSettings, socket};
use super::raw::{Raw, framed};
use super::{append, fixture, is_gone, read_all, shared};
use crate::broker::embedded::EmbeddedSettings;
use crate::broker::{Append, Broker, BrokerError};

#[tokio::test]
async fn garbage_on_one_connection_disturbs_no_other() {
    let (dir, _log, remote) = fixture(1, &shared()).await;
    let mut values = Vec::new();
    let mut state = 7_u64;
    for round in 0..60 {
        let mut raw = if round % 2 == 0 { Raw::connect(dir.path()) } else { Raw::greeted(dir.path()) };
        let mut garbage: Vec<u8> = (0..round * 40)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            })
            .collect();
        if round % 3 == 0 {
            garbage = framed(&garbage);
        }
        // It may be turned away before it has said everything.
        let _refused = raw.0.write_all(&garbage);
        let value = round.to_string();
        append(&remote, &[&value]).await.unwrap();
        values.push(value);
    }
    assert_eq!(read_all(&remote).await, values);
}

#[tokio::test]
async fn a_frame_above_the_limit_is_refused_before_it_is_read() {
    let (dir, _log, remote) = fixture(1, &shared()).await;
    let mut raw = Raw::greeted(dir.path());
    raw.0.write_all(&u32::MAX.to_le_bytes()).unwrap();
    let reason = raw.refusal();
    assert!(reason.contains("4294967295 bytes exceeds the limit of 2162688"), "{reason}");
    raw.ends();
    let mut raw = Raw::greeted(dir.path());
    raw.send(&[1, 99]);
    assert!(raw.refusal().contains("no request"));
    raw.ends();
    append(&remote, &["x"]).await.unwrap();
}

/// Half a request is no request: nothing of it is appended, and who does not finish it is put out.
#[tokio::test]
async fn a_half_request_appends_nothing_and_does_not_hold_its_place() {
    let settings = EmbeddedSettings { share_connections: 2, share_io_timeout: Duration::from_secs(1), ..shared() };
    let (dir, log, remote) = fixture(1, &settings).await;
    let mut request = Vec::new();
    let record = Append { partition: Some(0), value: Some("half".into()), ..Append::default() };
    Request::Append("t".into(), vec![record]).put(1, &mut request);
    let request = framed(&request);
    for cut in [2, request.len() - 1] {
        let mut raw = Raw::greeted(dir.path());
        raw.0.write_all(&request[..cut]).unwrap();
        // Its one neighbour goes on meanwhile.
        append(&remote, &["whole"]).await.unwrap();
        raw.ends();
    }
    let mut raw = Raw::greeted(dir.path());
    raw.0.write_all(&request[..9]).unwrap();
    drop(raw);
    assert_eq!(read_all(&log).await, ["whole"; 2]);
    super::until("room for another client", async || {
        RemoteBroker::connect(dir.path(), RemoteSettings::default()).await.is_ok()
    })
    .await;
}

/// A server that accepts, says `first`, and then nothing.
fn silent(dir: &Path, first: Option<Greeting>) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket::path(dir)).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if let Some(greeting) = first {
            let mut bytes = Vec::new();
            greeting.put(&mut bytes);
            stream.write_all(&framed(&bytes)).unwrap();
        }
        let mut said = Vec::new();
        // Until the client gives up.
        let _reset = stream.read_to_end(&mut said);
    })
}

fn hasty() -> RemoteSettings {
    let short = Duration::from_millis(100);
    RemoteSettings { request_timeout: short, delivery_timeout: short, ..RemoteSettings::default() }
}

#[tokio::test]
async fn another_version_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let server = silent(dir.path(), Some(Greeting::Other(VERSION + 1)));
    let error = RemoteBroker::connect(dir.path(), hasty()).await.err().unwrap();
    let BrokerError::Invalid { what: "protocol", reason } = &error else { panic!("{error:?}") };
    assert!(reason.contains(&format!("version {}", VERSION + 1)) && reason.contains("same release"), "{reason}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = silent(dir.path(), None);
    is_gone(&RemoteBroker::connect(dir.path(), hasty()).await.err().unwrap(), dir.path());
    server.join().unwrap();

    for is_question in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let server = silent(dir.path(), Some(Greeting::welcome(&shared())));
        let patient = RemoteSettings { request_timeout: Duration::from_secs(2), ..hasty() };
        let remote = RemoteBroker::connect(dir.path(), patient).await.unwrap().unwrap();
        let answer = if is_question { remote.topics().await.map(drop) } else { append(&remote, &["x"]).await };
        let error = answer.unwrap_err();
        assert!(matches!(&error, BrokerError::Timeout { what, .. } if what.contains("broker.sock")), "{error:?}");
        server.join().unwrap();
    }
}
