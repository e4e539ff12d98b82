//! What is told of single records.

use super::world::World;
use crate::broker::TopicSpec;
use crate::control::{Operator, SeekTo, SpoutSource};
use crate::guard::Clock;
use crate::service::verify::{Found, SkippedBy, Standing, Subject, Tracer, Verdict};

async fn at(world: &World, partition: u32, offset: u64) -> Found {
    let tracer = Tracer::new(world.source.clone(), &world.stores);
    let subjects = tracer.at(partition, offset).await.unwrap();
    tracer.trace(&subjects).await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_record_that_waits_says_where_since_when_and_why() {
    let world = World::new().await;
    let record = world.order(2, "7").await;
    world.stores.tell("first", 7, Standing::Newer);
    world.wait("second", "squall.shop.second.retry-10s", &record).await;
    world.wait("second", "squall.shop.second.retry-10s", &world.order(2, "8").await).await;
    world.all().await;
    let found = at(&world, 2, 0).await;
    assert_eq!((found.name.as_deref(), found.committed), (Some("order 7"), Some(true)));
    assert_eq!(found.log.map(|log| (log.partition, log.offset, log.time_ms)), Some((2, 0, 1_000)));
    assert_eq!(found.sinks[0].verdict, Some(Verdict::Newer));
    let second = &found.sinks[1];
    assert_eq!((second.sink.as_deref(), second.verdict), (Some("second"), Some(Verdict::Waiting)));
    assert_eq!(second.waits.len(), 1, "{second:?}");
    let wait = &second.waits[0];
    assert_eq!((wait.queue.as_str(), wait.due_ms, wait.attempts), ("retry-10s", 7_000, 2));
    assert_eq!((wait.last_failure_ms, wait.error.as_str()), (3_000, "the store is away"));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_decode_has_its_letter() {
    let world = World::new().await;
    let record = world.order(0, "nonsense").await;
    world.all().await;
    let found = at(&world, 0, 0).await;
    assert_eq!(found.undecodable.as_deref(), Some("`nonsense` is no order"));
    assert_eq!((found.sinks[0].sink.as_deref(), found.sinks[0].verdict), (None, Some(Verdict::Missing)));
    world.die(None, &record).await;
    let found = at(&world, 0, 0).await;
    assert_eq!(found.sinks.len(), 1);
    assert_eq!(found.sinks[0].verdict, Some(Verdict::Dead));
    let letter = &found.sinks[0].letters[0];
    assert_eq!((letter.letter.as_str(), letter.reason.as_str(), letter.holds), ("0:0", "not an order", true));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_passed_over_says_by_whom() {
    let world = World::new().await;
    for id in 0..4 {
        world.order(0, &id.to_string()).await;
    }
    world.audit("skip", "orders[0]", 1, 3).await;
    world.job("b-9", 0, 2, 3, Some("orders")).await;
    world.all().await;
    assert_eq!(at(&world, 0, 0).await.sinks[0].verdict, Some(Verdict::Missing));
    let found = at(&world, 0, 1).await;
    assert_eq!(found.sinks[0].verdict, Some(Verdict::Skipped));
    assert!(matches!(found.skip.unwrap().by, SkippedBy::Operator { who, .. } if who == "ann"));
    assert!(matches!(at(&world, 0, 2).await.skip.unwrap().by, SkippedBy::Backfill { id } if id == "b-9"));
    world.commit("shop", "orders", 0, 3).await;
    let found = at(&world, 0, 3).await;
    assert_eq!((found.committed, found.sinks[0].verdict), (Some(false), Some(Verdict::InFlight)));
}

#[tokio::test(start_paused = true)]
async fn what_a_seek_passed_over_is_skipped_until_another_goes_back() {
    let world = World::new().await;
    for id in 0..10 {
        world.order(0, &id.to_string()).await;
    }
    world.seek("others", 0, 0, 10).await;
    world.seek("orders", 1, 0, 10).await;
    world.all().await;
    let skipped = async || {
        let mut skipped = Vec::new();
        for offset in 0..10 {
            if at(&world, 0, offset).await.sinks[0].verdict == Some(Verdict::Skipped) {
                skipped.push(offset);
            }
        }
        skipped
    };
    assert_eq!(skipped().await, [0; 0]);
    world.seek("orders", 0, 2, 9).await;
    assert_eq!(skipped().await, [2, 3, 4, 5, 6, 7, 8]);
    world.seek("orders", 0, 10, 4).await;
    assert_eq!(skipped().await, [2, 3]);
    world.seek("orders", 0, 6, 7).await;
    world.audit("lost", "orders[0]", 8, 9).await;
    world.seek("orders", 0, 10, 0).await;
    assert_eq!(skipped().await, [8], "what was lost stays so");
}

/// Nobody was at work to make the first of two seeks: what only it would have passed over was read.
#[tokio::test(start_paused = true)]
async fn a_seek_that_was_never_made_excuses_nothing() {
    for (then, skipped) in [(40, 10..40), (10, 0..0)] {
        let world = World::new().await;
        for id in 0..100 {
            world.order(0, &id.to_string()).await;
        }
        world.commit("shop", "orders", 0, 10).await;
        let operator = Operator::new(world.broker.clone(), "shop", Clock::new());
        let source = SpoutSource { spout: "orders".into(), topic: "orders".into(), group: "shop".into() };
        for to in [90, then] {
            let to = SeekTo::Offsets([(0, to)].into());
            let plan = operator.plan_seek(&source, &to).await.unwrap();
            operator.seek(plan, "ann", "").await.unwrap();
        }
        world.all().await;
        for offset in 0..100 {
            let verdict = if skipped.contains(&offset) { Verdict::Skipped } else { Verdict::Missing };
            assert_eq!(at(&world, 0, offset).await.sinks[0].verdict, Some(verdict), "{then}: {offset}");
        }
    }
}

/// What a seek passed over, a job has brought since, and is not there: nobody is to bring it any more.
#[tokio::test(start_paused = true)]
async fn what_a_finished_job_should_have_brought_is_missing_whoever_passed_over_it() {
    let world = World::new().await;
    for id in 0..10 {
        world.order(0, &id.to_string()).await;
    }
    world.all().await;
    world.seek("orders", 0, 0, 10).await;
    world.job("b-1", 0, 0, 4, None).await;
    world.job("b-2", 0, 4, 6, None).await;
    world.job("b-3", 0, 6, 8, None).await;
    world.event("finished", "b-1").await;
    world.event("cancel", "b-2").await;
    for (offset, verdict) in
        [(0, Verdict::Missing), (3, Verdict::Missing), (4, Verdict::Skipped), (7, Verdict::Skipped)]
    {
        assert_eq!(at(&world, 0, offset).await.sinks[0].verdict, Some(verdict), "{offset}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_is_searched_for_the_newest() {
    let world = World::new().await;
    for id in 0..300 {
        world.order(id % 3, &(id / 3).to_string()).await;
    }
    let tracer = Tracer::new(world.source.clone(), &world.stores);
    let search = async |since_ms, limit, wanted: fn(&u64) -> bool| {
        let mut looked_at = 0;
        let found = tracer.search(since_ms, limit, wanted, |done, _| looked_at = done).await.unwrap();
        let place = |subject: &Subject<u64>| subject.log.map(|log| (log.partition, log.offset)).unwrap();
        (found.iter().map(place).collect::<Vec<_>>(), looked_at)
    };
    assert_eq!(search(0, 5, |id| *id == 40).await, (vec![(0, 40), (1, 40), (2, 40)], 300));
    assert_eq!(search(0, 2, |id| *id >= 10).await.0, [(2, 98), (2, 99)]);
    assert_eq!(search(1_001, 5, |_| true).await, (vec![], 0), "nothing came since");
    // What only a store knows has no place.
    world.stores.tell("first", 5, Standing::Stored);
    let found = tracer.trace(&[Subject { log: None, item: Ok(5) }]).await.unwrap().remove(0);
    assert_eq!((found.log, found.committed), (None, None));
    assert_eq!(found.sinks.iter().map(|at| at.verdict).collect::<Vec<_>>(), [Some(Verdict::Stored), None]);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_the_log_does_not_have_is_refused_with_what_it_has() {
    let world = World::new().await;
    world.order(0, "1").await;
    let tracer = Tracer::new(world.source.clone(), &world.stores);
    for (place, parts) in [
        ((0, 1), ["no offset 1", "valid are 0 to 0"]),
        ((1, 0), ["no offset 0", "it holds none"]),
        ((3, 0), ["no partition 3", "valid are 0 to 2"]),
    ] {
        let error = tracer.at(place.0, place.1).await.unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    world.audit("lost", "orders[1]", 0, 5).await;
    assert!(tracer.at(1, 0).await.unwrap_err().to_string().contains("lost"));
    // A topology that never had a dead letter or a retry has no such topics.
    world.broker.delete_topic("orders.dead").await.unwrap();
    world.broker.create_topic(&TopicSpec::new("other", 1)).await.unwrap();
    assert_eq!(at(&world, 0, 0).await.sinks[0].verdict, Some(Verdict::InFlight));
}
