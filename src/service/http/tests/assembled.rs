//! A service with all that stands round its routes, as programs put it together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_http::cors::CorsLayer;

use super::world::{Answer, Caller, PATIENCE, routes, settings};
use crate::broker::Broker;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::control::{Control, ControlSettings, Key, Operator, ensure};
use crate::guard::{Clock, Limit};
use crate::service::config::Secret;
use crate::service::http::auth::AppKeys;
use crate::service::http::limit::LimitSettings;
use crate::service::http::metrics::Exporter;
use crate::service::http::{HttpSettings, Readiness, Service, ServiceSettings, ShedSettings, Surroundings};
use crate::testing::Lines;

const KEY: &str = "a-long-enough-key";
const PAGE: &str = "https://page.example";

struct World {
    address: String,
    exporter: Exporter,
    operator: Operator,
}

impl World {
    /// Asks from a page of another origin.
    async fn ask(&self, path: &str, key: Option<&str>) -> Answer {
        let key = key.map_or_else(String::new, |key| format!("x-app-key: {key}\r\n"));
        self.ask_with(path, &key).await
    }

    async fn ask_with(&self, path: &str, headers: &str) -> Answer {
        let mut caller = Caller::new(TcpStream::connect(&self.address).await.unwrap());
        caller.get_with(path, &format!("origin: {PAGE}\r\n{headers}")).await
    }

    async fn limit(&self, name: &str, value: &str) {
        let key = Key::Limit(name.to_owned());
        let changed = self.operator.change(&key, value, "ann@desk", "test", None).await.unwrap();
        let answers = self.operator.await_applied(&changed, PATIENCE).await.unwrap();
        assert!(answers.all_applied() && answers.applied().count() == 1, "{answers:?}");
    }
}

/// A process of a topology over a log of its own.
async fn surroundings(dir: &Path) -> (Surroundings, Arc<dyn Broker>) {
    let log = EmbeddedBroker::open(&dir.join("log"), EmbeddedSettings::for_tests()).unwrap();
    let (broker, clock): (Arc<dyn Broker>, _) = (Arc::new(log), Clock::wall());
    ensure(&*broker, "words", 1).await.unwrap();
    let control = ControlSettings { clock, ..ControlSettings::new(dir, "query") };
    let control = Control::start(broker.clone(), "words", control).await;
    let (exporter, readiness) = (Exporter::new(), Readiness::default());
    (Surroundings { control, clock, exporter, readiness }, broker)
}

#[tokio::test]
async fn a_service_that_lets_everybody_guess_at_keys_says_so_at_its_start() {
    let (lines, _guard) = Lines::collect();
    let dir = tempfile::tempdir().unwrap();
    let (around, _) = surroundings(dir.path()).await;
    let key = Secret::from(KEY);
    for (name, required, ip) in
        [("open", false, None), ("closed", true, Limit::new(100, 200)), ("guessed", true, None)]
    {
        let settings = ServiceSettings {
            http: settings(),
            apps: AppKeys::new([("shop", &key)], required).unwrap(),
            limits: LimitSettings { ip, ..LimitSettings::default() },
            shed: ShedSettings::default(),
            cors: None,
        };
        let _service = Service::bind(name, settings, routes(), &around).await.unwrap();
    }
    let lines = lines.parsed();
    let warned = |line: &&serde_json::Value| line["fields"]["service"].is_string() && line["level"] == "WARN";
    let warned: Vec<_> = lines.iter().filter(warned).map(|line| &line["fields"]).collect();
    assert_eq!((warned.len(), &warned[0]["service"]), (1, &"guessed".into()), "{warned:?}");
    assert!(warned[0]["message"].as_str().unwrap().contains("`guessed.ip` is off"), "{warned:?}");
    around.control.close().await;
}

/// Whoever takes one of the parts away, or puts them in another order, hears of it here.
#[tokio::test]
async fn keys_limits_and_shedding_are_round_the_routes_and_pages_may_read_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let (around, broker) = surroundings(dir.path()).await;
    let key = Secret::from(KEY);
    let settings = ServiceSettings {
        http: HttpSettings { request_timeout: Duration::from_secs(600), ..settings() },
        apps: AppKeys::new([("shop", &key)], true).unwrap(),
        limits: LimitSettings::default(),
        shed: ShedSettings { max_in_flight: 1, max_waiting: 0, ..ShedSettings::default() },
        cors: Some(CorsLayer::new().allow_origin(HeaderValue::from_static(PAGE))),
    };
    let service = Service::bind("test", settings, routes(), &around).await.unwrap();
    let address = service.url().strip_prefix("http://").unwrap().to_owned();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(service.run(async {
        let _dropped = stopped.await;
    }));
    let operator = Operator::new(broker, "words", around.clock);
    let world = World { address, exporter: around.exporter.clone(), operator };
    let told = |answer: &Answer| {
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{answer:?}");
        (answer.status, answer.problem())
    };

    for key in [None, Some("another-key-of-somebody")] {
        assert_eq!(told(&world.ask("/hello", key).await), (401, "unauthorized".to_owned()), "{key:?}");
    }
    assert_eq!(world.ask("/hello", Some(KEY)).await.body, "hello");
    for (path, timeout_ms, expected) in [
        ("/panic", "60000", (500, "internal")),
        ("/never", "50", (504, "deadline_exceeded")),
        ("/hello", "soon", (400, "invalid_request")),
    ] {
        let headers = format!("x-app-key: {KEY}\r\nx-request-timeout-ms: {timeout_ms}\r\n");
        let (status, code) = told(&world.ask_with(path, &headers).await);
        assert_eq!((status, code.as_str()), expected, "{path}");
    }

    // One at work, and no place beside it.
    let address = world.address.clone();
    let never = tokio::spawn(async move {
        let mut caller = Caller::new(TcpStream::connect(&address).await.unwrap());
        caller.get_with("/never", &format!("x-app-key: {KEY}\r\n")).await
    });
    let in_flight = async {
        while !world.exporter.text().contains("squall_http_requests_in_flight{server=\"test\"} 1") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, in_flight).await.expect("one is at work");
    let refused = world.ask("/hello", Some(KEY)).await;
    assert_eq!(told(&refused), (503, "overloaded".to_owned()));
    assert!(refused.header("retry-after").is_some());
    never.abort();
    let again = async { while world.ask("/hello", Some(KEY)).await.status != 200 {} };
    timeout(PATIENCE, again).await.expect("its place is free again");

    // Limits have their names from the service, and are changed while it runs.
    for limit in ["test.app", "test.ip", "test.route", "test.service"] {
        world.limit(limit, "1/s burst 1").await;
        let refused = async {
            loop {
                let answer = world.ask("/hello", Some(KEY)).await;
                if answer.status != 200 {
                    return answer;
                }
            }
        };
        let refused = timeout(PATIENCE, refused).await.expect("more than one a second is asked");
        assert_eq!(told(&refused), (429, "rate_limited".to_owned()), "{limit}");
        assert_eq!(refused.json()["limit"].as_str(), limit.strip_prefix("test."), "by what it is counted");
        assert!(refused.header("retry-after").is_some(), "{limit}");
        world.limit(limit, "off").await;
    }
    stop.send(()).unwrap();
    timeout(PATIENCE, running).await.unwrap().unwrap();
    around.control.close().await;
}
