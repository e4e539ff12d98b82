//! A real browser: a page with the client sample is opened and left, and what it recorded can be read.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::support::service::Services;

const CLIENT: &str = include_str!("../../clients/behaviour.js");

/// Serves the page and the client; ends with the test process. A browser opens connections that it says nothing on, so
/// each has its thread.
fn serve(listener: TcpListener, page: String) {
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let page = page.clone();
            // A browser that goes away in between needs no answer.
            std::thread::spawn(move || answer(stream, &page));
        }
    });
}

fn answer(mut stream: TcpStream, page: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (kind, body) = match request.split(' ').nth(1) {
        Some("/behaviour.js") => ("text/javascript", CLIENT),
        Some("/") => ("text/html", page),
        _ => ("text/plain", ""),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {length}\r\n\
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
    serve(listener, page);
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
