//! Beside a topology at work nothing seems to be missing that only moves.

use super::world::{World, parked};
use crate::broker::Append;
use crate::service::verify::{Settings, Standing, Verdict, Verifier};

/// Runs a verification of the record of one order; `meanwhile` is called before the stores answer for the first time.
async fn verdict(world: &World, meanwhile: impl FnMut(u64) + Send + 'static) -> Verdict {
    *world.stores.before_look.lock().unwrap() = Some(Box::new(meanwhile));
    let all = world.all().await;
    let verifier = Verifier::new(world.source.clone(), &world.stores, Settings::default());
    let report = verifier.run(&all, None, |_| ()).await.unwrap();
    let tally = report.sink("first").unwrap();
    Verdict::ALL.into_iter().find(|verdict| tally.of(*verdict) == 1).unwrap()
}

/// An append that is made at once: the log of tests works on the task that calls.
fn append(world: &World, topic: &'static str, append: Append) -> impl FnMut(u64) + Send + 'static {
    let producer = world.broker.producer().unwrap();
    move |look| {
        if look == 1 {
            let (producer, append) = (producer.clone(), append.clone());
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async move {
                    producer.append(topic, vec![append]).await.unwrap();
                });
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_wait_or_dies_between_two_looks_is_not_missing() {
    for (topic, expected) in [
        ("squall.shop.first.retry-1s", Verdict::Waiting),
        ("squall.shop.first.parked", Verdict::Waiting),
        ("orders.dead", Verdict::Dead),
    ] {
        let world = World::new().await;
        let record = world.order(0, "1").await;
        world.stores.tell("second", 1, Standing::Stored);
        let meanwhile = append(&world, topic, parked("first", &record).to_append());
        assert_eq!(verdict(&world, meanwhile).await, expected, "{topic}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_between_two_looks_is_stored() {
    let world = std::sync::Arc::new(World::new().await);
    world.order(0, "1").await;
    world.stores.tell("second", 1, Standing::Stored);
    let stores = std::sync::Arc::downgrade(&world);
    let meanwhile = move |look| {
        // The looks of the first time are one a sink.
        if look == 3 {
            stores.upgrade().unwrap().stores.tell("first", 1, Standing::Stored);
        }
    };
    assert_eq!(verdict(&world, meanwhile).await, Verdict::Stored);
    assert_eq!(*world.stores.looks.lock().unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_looked_at_once_only() {
    let world = World::new().await;
    for id in 0..50 {
        world.order(1, &id.to_string()).await;
        world.stores.tell("first", id, Standing::Stored);
        world.stores.tell("second", id, Standing::Newer);
    }
    assert_eq!(world.all().await.len(), 3);
    let all = world.all().await;
    let verifier = Verifier::new(world.source.clone(), &world.stores, Settings::default());
    assert_eq!(verifier.run(&all, None, |_| ()).await.unwrap().missing, 0);
    assert_eq!(*world.stores.looks.lock().unwrap(), 2);
}
