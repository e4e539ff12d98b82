//! Topics, and what does not exist.

use tokio::time::Instant;

use super::Subject;
use super::support::{DEADLINE, STEP, create, fresh, refused, to, within};
use crate::broker::{BrokerError, GroupSettings, TopicInfo, TopicSpec};

/// Creating is idempotent, another number of partitions is refused, listing is ordered, deleting is idempotent.
pub async fn check_topics(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let (a, b) = (fresh("a"), fresh("b"));
    assert_eq!(within("topic", broker.topic(&a)).await.expect("topic"), None, "asking does not create");
    assert_eq!(within("topic", broker.topic(&a)).await.expect("topic"), None, "asking does not create");
    for name in [&b, &a, &a] {
        let spec = TopicSpec::new(name, 3);
        within("create_topic", broker.create_topic(&spec)).await.expect("created, or there already");
    }
    let info = TopicInfo { name: a.clone(), partitions: 3 };
    assert_eq!(within("topic", broker.topic(&a)).await.expect("topic"), Some(info.clone()));

    let other = TopicSpec::new(&a, 4);
    let error = refused("other partitions", within("create_topic", broker.create_topic(&other)).await);
    assert!(matches!(error, BrokerError::TopicMismatch { actual: 3, wanted: 4, .. }), "{error:?}");

    let listed = within("topics", broker.topics()).await.expect("topics");
    assert!(listed.contains(&info) && listed.iter().any(|t| t.name == b), "{listed:?}");
    assert!(listed.is_sorted_by(|x, y| x.name < y.name), "ordered by name: {listed:?}");

    for name in ["", "a/b", "a b", &"x".repeat(250)] {
        let spec = TopicSpec::new(name, 1);
        refused("an invalid name", within("create_topic", broker.create_topic(&spec)).await);
    }

    for _ in 0..2 {
        within("delete_topic", broker.delete_topic(&a)).await.expect("deleted, or not there");
    }
    let deadline = Instant::now() + DEADLINE;
    while within("topic", broker.topic(&a)).await.expect("topic").is_some() {
        assert!(Instant::now() < deadline, "a deleted topic is gone");
        tokio::time::sleep(STEP).await;
    }
}

/// Every call names the topic or the partition that does not exist, and creates nothing.
pub async fn check_unknown(subject: &mut dyn Subject) {
    let broker = subject.broker();
    let none = fresh("none");
    let is_unknown = |error: &BrokerError| matches!(error, BrokerError::UnknownTopic { topic } if *topic == none);

    let error = refused("bounds", within("bounds", broker.bounds(&none)).await);
    assert!(is_unknown(&error), "{error:?}");
    let error = refused("offsets_at", within("offsets_at", broker.offsets_at(&none, 0)).await);
    assert!(is_unknown(&error), "{error:?}");
    let producer = broker.producer().expect("there is a producer");
    let error = refused("append", within("append", producer.append(&none, vec![to(0, "x")])).await);
    assert!(is_unknown(&error), "{error:?}");
    let error = match broker.cursor(&none, &[(0, 0)]) {
        Err(error) => error,
        Ok(mut cursor) => refused("fetch", within("fetch", cursor.fetch(1, DEADLINE)).await),
    };
    assert!(is_unknown(&error), "{error:?}");
    let error = match broker.subscribe(&none, &GroupSettings::new(fresh("group"))) {
        Err(error) => error,
        Ok(mut consumer) => refused("poll", within("poll", consumer.poll(1)).await),
    };
    assert!(is_unknown(&error), "{error:?}");
    assert_eq!(within("topic", broker.topic(&none)).await.expect("topic"), None, "nothing was created");

    let topic = create(&broker, "two", 2).await;
    let error = refused("append", within("append", producer.append(&topic, vec![to(2, "x")])).await);
    assert!(matches!(error, BrokerError::UnknownPartition { partition: 2, .. }), "{error:?}");
    let error = match broker.cursor(&topic, &[(2, 0)]) {
        Err(error) => error,
        Ok(mut cursor) => refused("fetch", within("fetch", cursor.fetch(1, DEADLINE)).await),
    };
    assert!(matches!(error, BrokerError::UnknownPartition { partition: 2, .. }), "{error:?}");
}
