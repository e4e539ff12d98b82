//! What can be scraped.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use prometheus_client::metrics::gauge::Gauge;
use tower::ServiceExt;

use super::world::{World, routes, settings};
use crate::runtime::{Options, start};
use crate::service::http::metrics::{CONTENT_TYPE, Exporter, names};
use crate::service::http::{HttpSettings, Readiness, operations};
use crate::testing::{Capture, numbers};
use crate::topology::{Settings, Topology};

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let world = World::new(settings(), routes()).await;
    let mut caller = world.call().await;
    for thing in ["1", "2", "s3cret?token=s3cret"] {
        assert_eq!(caller.get(&format!("/things/{thing}")).await.status, 200);
    }
    assert_eq!(caller.get("/wrong/s3cret").await.status, 404);
    caller.send("BREW /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(caller.answer().await.status, 405);
    let answer = caller.get("/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(CONTENT_TYPE)));
    let text = answer.body;
    for expected in [
        "squall_http_requests_total{server=\"test\",route=\"/things/{thing}\",method=\"GET\",status=\"2xx\"} 3\n",
        "squall_http_requests_total{server=\"test\",route=\"unmatched\",method=\"GET\",status=\"4xx\"} 1\n",
        "squall_http_requests_total{server=\"test\",route=\"/hello\",method=\"other\",status=\"4xx\"} 1\n",
        "squall_http_problems_total{server=\"test\",code=\"not_found\"} 1\n",
        "squall_http_problems_total{server=\"test\",code=\"method_not_allowed\"} 1\n",
        "squall_http_request_duration_seconds_count{server=\"test\",route=\"/things/{thing}\",method=\"GET\"} 3\n",
        "squall_http_request_duration_seconds_bucket{le=\"+Inf\",server=\"test\",route=\"/things/{thing}\",method=\"GET\"} 3\n",
        "squall_http_requests_in_flight{server=\"test\"} 1\n",
        "squall_http_connections{server=\"test\"} 1\n",
        "squall_http_connections_opened_total{server=\"test\"} 1\n",
        "# TYPE squall_http_request_duration_seconds histogram\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_caller_that_leaves_is_counted_as_gone() {
    let world = World::new(settings(), routes()).await;
    let mut caller = world.call().await;
    caller.send("GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
    world.until("squall_http_requests_in_flight{server=\"test\"}", 1).await;
    drop(caller);
    let gone = "squall_http_requests_total{server=\"test\",route=\"/never\",method=\"GET\",status=\"gone\"}";
    world.until(gone, 1).await;
    world.until("squall_http_requests_in_flight{server=\"test\"}", 0).await;
}

#[tokio::test]
async fn they_can_be_kept_from_callers() {
    let world = World::new(HttpSettings { metrics: false, ..settings() }, routes()).await;
    assert_eq!(world.get("/metrics").await.problem(), "not_found");
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_run_is_scraped_with_all_its_parts() {
    let exporter = Exporter::new();
    let t = Topology::new("counting");
    t.spout("numbers", numbers(0..100)).shuffle().sink("out", Capture::default());
    let run = start(t, &Settings::default(), Options::default()).unwrap();
    let metrics = run.metrics();
    exporter.watch_run("counting", &metrics);
    assert_eq!(run.wait().await.exit_code(), 0);
    let text = exporter.text();
    for expected in [
        "squall_operator_tuples_in_total{topology=\"counting\",operator=\"out\"} 100\n",
        "squall_operator_tuples_out_total{topology=\"counting\",operator=\"numbers\"} 100\n",
        "squall_operator_failed_total{topology=\"counting\",operator=\"out\"} 0\n",
        "squall_operator_retried_total{topology=\"counting\",operator=\"out\"} 0\n",
        "squall_operator_queue_depth{topology=\"counting\",operator=\"out\"} 0",
        "squall_operator_busy_ratio{topology=\"counting\",operator=\"out\"} ",
        "squall_operator_execute_seconds{topology=\"counting\",operator=\"out\",quantile=\"0.99\"} ",
        "squall_operator_queue_seconds{topology=\"counting\",operator=\"out\",quantile=\"1\"} ",
        "squall_spout_pending{topology=\"counting\",spout=\"numbers\"} 0",
        "squall_spout_outstanding{topology=\"counting\",spout=\"numbers\"} 0",
        "squall_spout_acked_total{topology=\"counting\",spout=\"numbers\"} ",
        "squall_spout_failed_total{topology=\"counting\",spout=\"numbers\"} 0\n",
        "squall_spout_complete_seconds{topology=\"counting\",spout=\"numbers\",quantile=\"0.5\"} ",
        "squall_spout_watermark{topology=\"counting\",spout=\"numbers\",partition=\"0\"} ",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap().strip_prefix("squall_").unwrap();
        assert!(names::ALL.iter().any(|known| known.name == name), "{name} is not in the table");
    }
    drop(metrics);
    assert!(!exporter.text().contains("counting"), "a run that was let go is forgotten");
}

#[tokio::test]
async fn other_parts_register_their_own_and_a_worker_serves_them_alone() {
    let exporter = Exporter::new();
    let depth: Gauge = Gauge::default();
    exporter.register(|registry| registry.register("spill_depth", "Records that wait", depth.clone()));
    depth.set(7);
    let app: Router = operations(exporter, Readiness::default());
    let get = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, text) = get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("squall_spill_depth 7\n"), "{text}");
    assert_eq!((get("/healthz").await.0, get("/readyz").await.0, get("/else").await.0), (200, 200, 404));
}
