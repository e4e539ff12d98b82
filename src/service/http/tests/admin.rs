//! The admin routes as they are served.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::control::{Control, ControlSettings, ensure};
use crate::guard::Clock;
use crate::service::admin::AdminContext;
use crate::service::config::Secret;
use crate::service::connect::AdminSettings;
use crate::service::http::admin::AdminApi;
use crate::service::http::auth::{AdminTokens, Role};
use crate::service::http::metrics::Exporter;
use crate::service::http::{Readiness, Service, Surroundings};

const TOKEN: &str = "0123456789abcdef";

/// Also what is not there is said to nobody without a token.
#[tokio::test]
async fn nothing_is_said_without_a_token_and_all_of_it_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
    let log: Arc<dyn Broker> = Arc::new(log);
    ensure(&*log, "words", 1).await.unwrap();
    let control = Control::start(log.clone(), "words", ControlSettings::new(dir.path(), "worker")).await;
    let around =
        Surroundings { control, clock: Clock::wall(), exporter: Exporter::new(), readiness: Readiness::default() };
    let secret = Secret::from(TOKEN);
    let tokens = AdminTokens::new([("ann", Role::Read, &secret)]).unwrap();
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let context = AdminContext {
        broker: log,
        topology: "words".to_owned(),
        dead_letters: None,
        topic: None,
        spouts: Vec::new(),
    };
    let settings = AdminSettings { listen, tokens, tls: None };
    let service = Service::bind_admin(settings, AdminApi::new(context), &around).await.unwrap();
    let url = service.url();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(service.run(async {
        // Dropped is as good as said.
        let _told = stopped.await;
    }));
    let client = reqwest::Client::new();
    let ask = async |path: &str, token: Option<&str>| {
        let request = client.get(format!("{url}{path}"));
        let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
        request.send().await.unwrap().status().as_u16()
    };
    let operations = ["/healthz", "/readyz", "/metrics"];
    for path in ["/admin/v1/switches", "/admin/v1/nothing", "/nothing"].into_iter().chain(operations) {
        assert_eq!((ask(path, None).await, ask(path, Some("another-token-0")).await), (401, 401), "{path}");
    }
    assert_eq!(ask("/admin/v1/switches", Some(TOKEN)).await, 200);
    for path in ["/admin/v1/nothing"].into_iter().chain(operations) {
        assert_eq!(ask(path, Some(TOKEN)).await, 404, "{path}");
    }
    let bad = || client.get(format!("{url}/admin/v1/switches")).header("x-request-timeout-ms", "soon");
    assert_eq!(bad().send().await.unwrap().status(), 401, "nor is a bad header");
    assert_eq!(bad().bearer_auth(TOKEN).send().await.unwrap().status(), 400);
    drop(stop);
    serving.await.unwrap();
}
