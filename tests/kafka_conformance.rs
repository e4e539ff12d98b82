//! The log on Kafka does what every log does, against a real server.

#![allow(clippy::unwrap_used, reason = "a test panics")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use squall::BoxFuture;
use squall::broker::Broker;
use squall::broker::kafka::{KafkaBroker, KafkaSettings};
use squall::testing::broker::{Subject, run_all};
use squall::testing::servers::Kafka;

struct RealKafka {
    url: String,
    broker: Arc<dyn Broker>,
    admin: AdminClient<DefaultClientContext>,
}

impl RealKafka {
    async fn connect(url: &str) -> Self {
        let admin = ClientConfig::new().set("bootstrap.servers", url).create().unwrap();
        Self { url: url.to_owned(), broker: connect(url).await, admin }
    }
}

async fn connect(url: &str) -> Arc<dyn Broker> {
    Arc::new(KafkaBroker::connect(KafkaSettings::new(url)).await.unwrap())
}

impl Subject for RealKafka {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.broker)
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.broker = connect(&self.url).await })
    }

    fn expire_before<'a>(&'a self, topic: &'a str, partition: u32, offset: u64) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, partition as i32, Offset::Offset(offset as i64)).unwrap();
            self.admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while self.broker.bounds(topic).await.unwrap()[partition as usize].earliest != offset {
                assert!(Instant::now() < deadline, "the records are not gone");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }

    fn session_timeout(&self) -> Duration {
        // As the server is started here; one that is named may not take it.
        if std::env::var_os("SQUALL_TEST_KAFKA").is_some() {
            Duration::from_secs(6)
        } else {
            Duration::from_secs(1)
        }
    }

    fn compact<'a>(&'a self, _topic: &'a str) -> BoxFuture<'a, bool> {
        // The server never compacts the newest segment, which is all that a small topic has.
        Box::pin(async { false })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_does_what_every_log_does() {
    let kafka = Kafka::start().await.unwrap();
    run_all(&mut RealKafka::connect(kafka.url()).await).await;
}
