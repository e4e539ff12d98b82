//! A real browser: a page with the client sample is opened and left, and what it recorded can be read; what is refused
//! is given up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::service::Services;

const CLIENT: &str = include_str!("../../clients/behaviour.js");

/// How long anything that must happen is waited for: long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves the page and the client, and answers posts with a `401`, telling their paths and bodies; ends with the test
/// process. A browser opens connections that it says nothing on, so each has its thread.
fn serve(listener: TcpListener, page: String) -> mpsc::Receiver<(String, Value)> {
    let (told, posts) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (page, told) = (page.clone(), told.clone());
            // A browser that goes away in between needs no answer.
            std::thread::spawn(move || answer(stream, &page, &told));
        }
    });
    posts
}

fn answer(mut stream: TcpStream, page: &str, told: &mpsc::Sender<(String, Value)>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().unwrap_or_else(|_| panic!("{name} is {value}"));
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, kind, body) = match path {
        "/behaviour.js" => ("200 OK", "text/javascript", CLIENT),
        "/" => ("200 OK", "text/html", page),
        _ if request.starts_with("POST ") => {
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            // The test may be through.
            let _sent = told.send((path.to_owned(), serde_json::from_slice(&body).unwrap_or_default()));
            ("401 Unauthorized", "application/problem+json", r#"{"detail": "nobody knows this key"}"#)
        }
        _ => ("200 OK", "text/plain", ""),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

/// A browser without a window; killed when dropped.
struct Browser(Child);

impl Browser {
    fn open(url: &str, profile: &Path) -> Self {
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("Debian's chromium; scripts/install.sh test installs it"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The page records two things, the one sent with `fetch` from another origin, the other left for the beacon with which it
/// goes away: it has no other way out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_records_and_leaves_for_its_beacon_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let allowed = format!("collector.cors_origins=[\"{origin}\"]");
    let services = Services::start(&dir.path().join("data"), "all,collector,query", &[allowed]);
    let page = PAGE.replace("COLLECTOR", &services.collector);
    let _posts = serve(listener, page);
    let _browser = Browser::open(&origin, &dir.path().join("profile"));
    let path = "/v1/users/visitor/behaviours?business=hotel";
    let answer = services.until(path, |answer| answer["records"].as_array().is_some_and(|r| r.len() == 2)).await;
    let mut items: Vec<_> = answer["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["action"].as_str().unwrap(), record["item_id"].as_str().unwrap()))
        .collect();
    items.sort_unstable();
    assert_eq!(items, [("search", "上海 🏨"), ("view", "hotel-7")]);
}

/// A wrong key stays wrong: an event that is sent again for ever would keep those after it waiting for good.
#[test]
fn what_is_refused_is_told_to_the_page_and_not_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let posts = serve(listener, REFUSED.to_owned());
    let _browser = Browser::open(&origin, dir.path());
    let next = || posts.recv_timeout(PATIENCE).expect("the page posts");
    for item in ["hotel-1", "hotel-2"] {
        let (path, events) = next();
        let sent: Vec<&Value> = events.as_array().unwrap().iter().map(|event| &event["item_id"]).collect();
        assert_eq!((path.as_str(), sent), ("/v1/behaviours", vec![&json!(item)]));
        let told = json!({ "item": item, "reason": "nobody knows this key" });
        assert_eq!(next(), ("/told".to_owned(), told));
    }
}

/// Records the second event once the first is refused.
const REFUSED: &str = r#"<!doctype html><meta charset="utf-8"><title>hotel</title><script type="module">
import { Behaviour } from "/behaviour.js";
const onRejected = async (event, { reason }) => {
  await fetch("/told", { method: "POST", body: JSON.stringify({ item: event.item_id, reason }) });
  if (event.item_id === "hotel-1") behaviour.record("hotel", "view", "hotel-2");
};
const behaviour = new Behaviour({ url: location.origin, app: "trip", user: "visitor", key: "wrong-key", onRejected });
behaviour.record("hotel", "view", "hotel-1");
</script>"#;

/// Leaves for another page a moment after the first event was acknowledged.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>hotel</title><script type="module">
import { Behaviour } from "/behaviour.js";
const behaviour = new Behaviour({ url: "COLLECTOR", app: "trip", user: "visitor" });
const send = window.fetch;
let left = false;
window.fetch = async (...request) => {
  // Once it leaves, only a beacon gets through: on a busy machine the page might live on for long enough to send the second
  // event like the first.
  if (left) return new Promise(() => {});
  const answer = await send(...request);
  if (answer.status === 202) {
    left = true;
    behaviour.record("hotel", "search", "上海 🏨");
    location.href = "about:blank";
  }
  return answer;
};
behaviour.record("hotel", "view", "hotel-7", { stars: 5 });
</script>"#;
