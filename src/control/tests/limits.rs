//! Limits follow the operator as switches do.

use super::*;
use crate::guard::{Limit, LiveLimit};

const NAME: &str = "query.ip";

fn key() -> Key {
    Key::Limit(NAME.into())
}

fn default() -> Option<Limit> {
    Limit::new(1000, 2000)
}

impl Stage {
    /// Sets the limit, and waits until the workers have it.
    async fn limit(&self, value: &str, expiry: Option<Duration>) {
        self.settle().await;
        let operator = self.operator();
        let changed = operator.change(&key(), value, "ann@desk", "test", expiry).await.unwrap();
        let answers = operator.await_applied(&changed, MINUTE).await.unwrap();
        assert!(answers.all_applied() && answers.applied().count() > 0, "{answers:?}");
    }

    /// What the operator is told that it is, is by default, and is at each worker.
    async fn told_limit(&self) -> (String, String, Vec<String>) {
        self.settle().await;
        let state = self.operator().state().await.unwrap().into_iter().find(|state| state.key == key()).unwrap();
        (state.value, state.default, state.workers.into_iter().map(|worker| worker.value).collect())
    }
}

async fn until_limit(handle: &LiveLimit, limit: Option<Limit>) {
    until(&Limit::show(limit), || handle.limit() == limit).await;
}

fn told(value: &str, workers: &[&str]) -> (String, String, Vec<String>) {
    let default = "1000/s burst 2000".to_owned();
    (value.to_owned(), default, workers.iter().map(|&value| value.to_owned()).collect())
}

#[tokio::test(start_paused = true)]
async fn a_limit_reaches_every_worker_and_goes_back_to_what_is_configured() {
    let stage = Stage::open().await;
    let (one, two) = (stage.worker("one").await, stage.worker("two").await);
    let limits = [one.limit(NAME, default()), two.limit(NAME, default())];
    let other = one.limit("query.app", None);
    assert_eq!(limits[0].limit(), default());
    assert_eq!(stage.told_limit().await, told("1000/s burst 2000", &["1000/s burst 2000"; 2]));
    for (value, limit) in [("5/s", Limit::new(5, 5)), ("off", None), ("7/s burst 9", Limit::new(7, 9))] {
        stage.limit(value, None).await;
        assert!(limits.iter().all(|handle| handle.limit() == limit), "{value}");
        assert_eq!(stage.told_limit().await, told(value, &[value; 2]));
    }
    stage.limit("default", None).await;
    assert!(limits.iter().all(|handle| handle.limit() == default()));
    assert_eq!(stage.told_limit().await, told("1000/s burst 2000", &["1000/s burst 2000"; 2]));
    assert_eq!(other.limit(), None);
    assert_eq!(one.limit(NAME, None).limit(), default(), "the same name is the same limit");
    let audit = stage.operator().audit(10).await.unwrap();
    let values: Vec<_> = audit.iter().map(|record| record.details["value"].as_str().unwrap()).collect();
    assert_eq!(values, ["5/s", "off", "7/s burst 9", "default"]);
    assert!(audit.iter().all(|record| record.target == "limit/query.ip" && record.who == "ann@desk"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_for_a_time_ends_by_itself_with_the_log_away() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let limit = control.limit(NAME, default());
    stage.limit("50/s", None).await;
    stage.limit("5/s", Some(MINUTE * 30)).await;
    stage.broker.away(true);
    tokio::time::sleep(MINUTE * 29).await;
    assert_eq!(limit.limit(), Limit::new(5, 5));
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(limit.limit(), Limit::new(50, 50), "what was set for good before");
    stage.broker.away(false);
    tokio::time::sleep(MINUTE).await;

    // As configured for a time, and then again what was set for good.
    stage.limit("default", Some(MINUTE)).await;
    assert_eq!(limit.limit(), default());
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(limit.limit(), Limit::new(50, 50));
    stage.limit("default", None).await;
    stage.limit("5/s", Some(MINUTE)).await;
    assert_eq!(limit.limit(), Limit::new(5, 5));
    tokio::time::sleep(MINUTE * 2).await;
    assert_eq!(limit.limit(), default());
}

#[tokio::test(start_paused = true)]
async fn limits_survive_a_restart_with_the_log_away() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    control.limit(NAME, default());
    stage.limit("5/s burst 6", None).await;
    drop(control);
    stage.broker.away(true);
    let control = stage.worker("one").await;
    let limit = control.limit(NAME, default());
    assert_eq!(limit.limit(), Limit::new(5, 6));
    tokio::time::sleep(MINUTE * 10).await;
    assert_eq!(limit.limit(), Limit::new(5, 6));
    stage.broker.away(false);
    stage.append("limit/query.ip", Some(r#"{"value":"off"}"#)).await;
    until_limit(&limit, None).await;
    stage.append("limit/query.ip", None).await;
    until_limit(&limit, default()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_limit_is_refused_and_in_the_topic_passed_over() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let limit = control.limit(NAME, default());
    stage.limit("5/s", None).await;
    for value in ["", "5", "0/s", "-1/s", "5/s burst", "fast", "2000000/s"] {
        let error = stage.operator().change(&key(), value, "ann", "", None).await.unwrap_err().to_string();
        let start =
            format!("`{value}` is no value of limit/query.ip; it is off, or such as 100/s or 100/s burst 200");
        assert!(error.starts_with(&start), "{error}");
        stage.append("limit/query.ip", Some(&format!(r#"{{"value":"{value}"}}"#))).await;
    }
    stage.append("limit/query.ip", Some("7")).await;
    tokio::time::sleep(MINUTE).await;
    assert_eq!(limit.limit(), Limit::new(5, 5));
    assert!(
        stage.operator().change(&rows(), "default", "ann", "", None).await.is_err(),
        "switches have no such value"
    );
    stage.limit("6/s", None).await;
    assert_eq!(limit.limit(), Limit::new(6, 6));
}

#[tokio::test(start_paused = true)]
async fn a_limiter_follows_its_handle() {
    let stage = Stage::open().await;
    let control = stage.worker("one").await;
    let limiter = crate::guard::Direct::new(control.limit(NAME, Limit::new(1, 1)));
    let at = Duration::from_secs(1);
    let passed = || (0..100).filter(|_| limiter.take(at).is_ok()).count();
    assert_eq!(passed(), 1);
    stage.limit("off", None).await;
    assert_eq!(passed(), 100);
    control.close().await;
    assert_eq!(stage.operator().workers().await.unwrap(), []);
    assert_eq!(passed(), 100, "the handle lives on with its last value");
}
