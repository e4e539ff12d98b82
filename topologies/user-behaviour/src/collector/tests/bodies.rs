//! Bounds and encodings of bodies.

use std::pin::pin;

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;

use super::{Answer, World, answer, record, request};

async fn encoded(world: &World, encoding: &str, body: impl Into<Body>) -> Answer {
    answer(world.send(request("/v1/behaviours", &[("content-encoding", encoding)], body)).await).await
}

/// A gzip member with a block that is not compressed.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    member.extend(length.to_le_bytes());
    member.extend((!length).to_le_bytes());
    member.extend(content);
    let crc = content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    member.extend((!crc).to_le_bytes());
    member.extend(u32::from(length).to_le_bytes());
    member
}

/// A gzip member of a space and, for each `times`, 258 more: a match of the greatest length, in 13 bits.
fn gzip_of_spaces(times: usize) -> Vec<u8> {
    let bits = |code: u32, length: u32| (0..length).rev().map(move |bit| code >> bit & 1);
    // A last block with fixed codes, whose header alone begins with its lowest bit.
    let block = [1, 1, 0].into_iter().chain(bits(0x30 + 0x20, 8));
    let matches = std::iter::repeat_n((), times).flat_map(|()| bits(0b1100_0101, 8).chain(bits(0, 5)));
    let all: Vec<u32> = block.chain(matches).chain(bits(0, 7)).collect();
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    member.extend(all.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | *bit as u8)));
    member
}

/// A zstd frame with a window of 128 KiB, from blocks: kind (0 raw, 1 one byte repeated), size, bytes.
fn zstd(blocks: &[(u32, usize, &[u8])]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    for (at, (kind, size, bytes)) in blocks.iter().enumerate() {
        let last = u32::from(at + 1 == blocks.len());
        let header = last | (kind << 1) | (u32::try_from(*size).unwrap() << 3);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(*bytes);
    }
    frame
}

#[tokio::test]
async fn compressed_bodies_are_understood() {
    let world = World::new().await;
    let body = record("gzip").to_string();
    assert_eq!(encoded(&world, "gzip", gzip(body.as_bytes())).await.body["ids"], json!(["gzip"]));
    let (one, other) = (record("0").to_string() + "\n", record("1").to_string());
    let members = [gzip(one.as_bytes()), gzip(other.as_bytes())].concat();
    assert_eq!(encoded(&world, "gzip", members).await.body["ids"], json!(["0", "1"]));
    let frame = |text: &str| zstd(&[(0, text.len(), text.as_bytes())]);
    assert_eq!(encoded(&world, "zstd", frame(&record("zstd").to_string())).await.body["ids"], json!(["zstd"]));
    let (one, other) = (record("2").to_string() + "\n", record("3").to_string());
    assert_eq!(
        encoded(&world, "ZSTD", [frame(&one), frame(&other)].concat()).await.body["ids"],
        json!(["2", "3"])
    );
    assert_eq!(encoded(&world, "identity", record("plain").to_string()).await.body["ids"], json!(["plain"]));
    assert_eq!(world.ids().await, ["0", "1", "2", "3", "gzip", "plain", "zstd"]);
}

#[tokio::test]
async fn what_is_not_as_its_encoding_says_is_refused() {
    let world = World::new().await;
    let whole = gzip(record("a").to_string().as_bytes());
    let short = whole[..whole.len() - 20].to_vec();
    let trailing = [whole, b"{}".to_vec()].concat();
    // A window of 16 MiB, which is more than a decoder must have.
    let mut wide = zstd(&[(0, 2, b"{}")]);
    wide[5] = 14 << 3;
    let bodies =
        [("gzip", short), ("gzip", trailing), ("gzip", b"{}".to_vec()), ("zstd", wide), ("zstd", b"{}".to_vec())];
    for (encoding, body) in bodies {
        let answered = encoded(&world, encoding, body).await;
        assert_eq!(
            (answered.status, &answered.body["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request"))
        );
    }
    for encoding in ["br", "deflate", "gzip, gzip", "x"] {
        let answered = encoded(&world, encoding, "{}").await;
        assert_eq!(answered.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
        assert_eq!(answered.body["code"], "unsupported_media_type");
    }
    assert!(world.ids().await.is_empty());
}

#[tokio::test]
async fn a_body_is_bounded_to_the_byte() {
    let world = World::with(|settings| settings.max_body_bytes = 1000).await;
    let body = record("a").to_string();
    let fits = body.clone() + &" ".repeat(1000 - body.len());
    assert_eq!(world.post(fits.clone()).await.status, StatusCode::ACCEPTED);
    let answered = world.post(fits + " ").await;
    assert_eq!((answered.status, &answered.body["max_bytes"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!(1000)));
    assert_eq!(answered.body["code"], "too_large");
}

#[tokio::test]
async fn bombs_are_too_large_whatever_they_are_made_of() {
    let world = World::new().await;
    // 256 MiB of spaces each, of which no more is made than the bound and a block.
    let blocks = vec![(1, 128 * 1024, &b" "[..]); 2048];
    for (encoding, bomb) in [("gzip", gzip_of_spaces(1_000_000)), ("zstd", zstd(&blocks))] {
        assert!(bomb.len() < 2 * 1024 * 1024);
        let answered = encoded(&world, encoding, bomb).await;
        let found = (answered.status, &answered.body["code"]);
        assert_eq!(found, (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")), "{encoding}");
    }
    // A name of three million letters, in front of nothing.
    let mut nothing = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0xff];
    nothing.resize(3_000_000, b'x');
    assert_eq!(encoded(&world, "gzip", nothing).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(world.ids().await.is_empty());
}

#[tokio::test]
async fn what_is_unpacked_has_room_of_its_own() {
    let world = World::with(|settings| {
        settings.max_body_bytes = 64 << 10;
        settings.max_unpacked_bytes = 64 << 10;
    })
    .await;
    let post = async |id: &str| encoded(&world, "gzip", gzip(record(id).to_string().as_bytes())).await;
    let held = world.held().await;
    let mut first = pin!(post("first"));
    tokio::select! {
        answer = &mut first => panic!("{answer:?}"),
        () = world.until_waiting(1) => {}
    }
    // What the first keeps until it is durable leaves too little for what a second may become.
    let refused = post("second").await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("overloaded")));
    assert!(refused.headers.contains_key("retry-after"));
    drop(held);
    assert_eq!(first.await.status, StatusCode::ACCEPTED);
    assert_eq!(post("second").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.ids().await, ["first", "second"]);
}

#[tokio::test]
async fn the_number_of_records_is_bounded() {
    let world = World::with(|settings| settings.max_records = 3).await;
    let records = |count: usize| json!((0..count).map(|n| record(&n.to_string())).collect::<Vec<_>>()).to_string();
    assert_eq!(world.post(records(3)).await.body["accepted"], 3);
    let answered = world.post(records(4)).await;
    assert_eq!((answered.status, &answered.body["max_records"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!(3)));
}

#[tokio::test]
async fn types_that_any_page_may_send_are_refused() {
    let world = World::new().await;
    let of = async |kind: &str| {
        let sent = request("/v1/behaviours", &[("content-type", kind)], record(kind).to_string());
        world.send(sent).await.status()
    };
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(of(kind).await, StatusCode::ACCEPTED, "{kind}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"] {
        assert_eq!(of(kind).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
}
