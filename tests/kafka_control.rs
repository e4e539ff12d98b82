//! Switches over a real Kafka: workers with connections of their own, and a cluster that dies and comes back.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use squall::broker::Broker;
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::control::{Control, ControlSettings, Key, Operator, ensure};
use squall::guard::Clock;
use squall::guard::{Mode, Switch};
use squall::testing::servers::Kafka;
use tokio::time::{sleep, timeout};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

async fn connect(url: &str) -> Arc<dyn Broker> {
    Arc::new(KafkaBroker::connect(KafkaSettings::new(url)).await.unwrap())
}

/// A worker with the switch `rows`, in a folder of its own.
async fn worker(broker: Arc<dyn Broker>, dir: &Path, name: &str) -> (Control, Switch) {
    let data_dir = dir.join(name);
    std::fs::create_dir_all(&data_dir).unwrap();
    let settings = ControlSettings { worker: name.to_owned(), ..ControlSettings::new(data_dir, "worker") };
    let control = Control::start(broker, "words", settings).await;
    let switch = control.switch("rows");
    (control, switch)
}

/// Waits until this many live workers say that they have the switch.
async fn until_known(operator: &Operator, count: usize) {
    let known = async {
        while operator.workers().await.unwrap().iter().filter(|w| !w.heartbeat.switches.is_empty()).count() < count
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, known).await.expect("all workers report");
}

async fn until_mode(switch: &Switch, mode: Mode) {
    let turned = async {
        while switch.mode() != mode {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, turned).await.expect("the switch is turned");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flip_reaches_three_workers_and_outlives_the_cluster() {
    let mut kafka = Kafka::start().await.unwrap();
    let (url, dir, key) = (kafka.url().to_owned(), tempfile::tempdir().unwrap(), Key::Switch("rows".into()));
    let broker = connect(&url).await;
    ensure(&*broker, "words", 1).await.unwrap();
    ensure(&*broker, "words", 1).await.unwrap();
    let mut workers = Vec::new();
    for name in ["one", "two", "three"] {
        workers.push(worker(connect(&url).await, dir.path(), name).await);
    }
    let operator = Operator::new(broker.clone(), "words", Clock::new());
    until_known(&operator, 3).await;
    let changed = operator.change(&key, "on", "ann@desk", "upgrade", None).await.unwrap();
    let answers = operator.await_applied(&changed, DEADLINE).await.unwrap();
    eprintln!("three workers applied it in {:?}", answers.took());
    assert_eq!(answers.applied().count(), 3, "{answers:?}");
    assert!(workers.iter().all(|(_, switch)| switch.mode() == Mode::On));
    let (first, _) = workers.remove(0);
    first.close().await;
    assert_eq!(operator.workers().await.unwrap().len(), 2);

    // Everything stops; a worker starts again while nobody answers.
    drop((first, workers));
    kafka.kill().unwrap();
    let (control, switch) = worker(broker, dir.path(), "one").await;
    assert_eq!(switch.mode(), Mode::On);
    kafka.restart().await.unwrap();
    until_known(&operator, 1).await;
    let changed = operator.change(&key, "auto", "ann@desk", "", None).await.unwrap();
    until_mode(&switch, Mode::Auto).await;
    let answers = operator.await_applied(&changed, DEADLINE).await.unwrap();
    assert!(answers.applied().any(|answer| answer.worker == "one"), "{answers:?}");
    assert_eq!(operator.audit(10).await.unwrap().len(), 2);
    control.close().await;
}
