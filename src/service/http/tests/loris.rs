//! Many callers that are slow on purpose.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::world::{World, routes, settings};
use crate::service::http::HttpSettings;

const SLOW: usize = 2000;
/// How soon all of them are gone.
const CUT_WITHIN: Duration = Duration::from_secs(10);

/// Sends a byte now and then until the server ends the connection.
async fn drip(mut stream: TcpStream) {
    let mut answer = [0; 64];
    let mut every = tokio::time::interval(Duration::from_millis(250));
    let mut next = b"GET /hello HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat(b'x'));
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => panic!("half a request was answered"),
            },
            _ = every.tick() => {
                let byte = next.next().unwrap_or(b'x');
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn two_thousand_slow_connections_are_cut_while_honest_requests_are_answered() {
    let slow_ends = HttpSettings { header_timeout: Duration::from_secs(3), ..settings() };
    let world = World::new(slow_ends, routes()).await;
    let mut honest = world.call().await;
    assert_eq!(honest.get("/hello").await.status, 200);
    let mut slow = JoinSet::new();
    for _ in 0..SLOW {
        slow.spawn(drip(TcpStream::connect(world.address).await.unwrap()));
    }
    world.until("squall_http_connections_opened_total{server=\"test\"}", SLOW as u64 + 1).await;
    let all_cut = async {
        while let Some(ended) = slow.join_next().await {
            ended.unwrap();
        }
    };
    let mut all_cut = std::pin::pin!(timeout(CUT_WITHIN, all_cut));
    let mut answered = 0;
    loop {
        tokio::select! {
            biased;
            cut = &mut all_cut => {
                assert!(cut.is_ok(), "slow connections stay");
                break;
            }
            answer = honest.get("/hello") => {
                assert_eq!(answer.status, 200);
                answered += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(answered > 0);
    world.until("squall_http_connections_cut_total{server=\"test\",phase=\"headers\"}", SLOW as u64).await;
    world.until("squall_http_connections{server=\"test\"}", 1).await;
}
