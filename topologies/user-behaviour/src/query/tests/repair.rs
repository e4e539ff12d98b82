//! What comes back after a node lost its data.

use std::time::Duration;

use squall::guard::Mode;
use squall::store::Timelines;
use squall::store::timeline::memory::MemoryTimelines;
use squall::store::timeline::{Entry, Limits, Whole};
use squall::testing::store::{Random, seed};

use super::support::{BASE, Does, World, apply, record, settle, views};
use crate::query::QueryConfig;
use crate::record::Decoded;

const DAY_MS: i64 = 86_400_000;

/// Timelines and profile are what the topology would have written, whatever was lost, and stay it when repaired again.
#[tokio::test(start_paused = true)]
async fn a_read_brings_back_what_the_topology_would_have_written() {
    let seed = seed();
    println!("seed {seed}");
    for round in 0..60 {
        let mut random = Random::new(seed.wrapping_add(round));
        let keep = 5 + random.below(300) as usize;
        let limits = Limits { keep, max_age: Duration::from_secs(20 * 86_400), count_days: 10 };
        let world = World::with(QueryConfig::default(), limits);
        let all: Vec<Decoded> = (0..30 + random.below(900))
            .map(|event| {
                let (business, action) =
                    (random.pick(&["hotel", "flight"]), random.pick(&["view", "buy", "cart"]));
                record("u", business, action, event, BASE + DAY_MS * random.below(30) as i64)
            })
            .collect();
        world.store_rows(&all);
        // What arrived since the node came back, which nobody can tell from a young user.
        let since = random.below(4).min(all.len() as u64) as usize;
        world.store_timelines(&all[all.len() - since..]).await;
        let topology = MemoryTimelines::new(limits);
        apply(&topology, &all).await;
        for _ in 0..2 {
            world.get("/v1/users/u/behaviours?limit=200").await;
            world.get("/v1/users/u/behaviours?limit=200&action=buy").await;
            settle().await;
        }
        let (repaired, what) = (world.timelines.behind(), format!("seed {seed}, round {round}, keep {keep}"));
        for line in [None, Some("hotel"), Some("flight")] {
            let (is, should) =
                (repaired.timeline("u", line, 2_000).await, topology.timeline("u", line, 2_000).await);
            assert!(is.unwrap() == should.unwrap(), "{what}, {line:?}");
        }
        is_whole_like(&repaired, &topology, &what).await;
    }
}

/// Asserts that the user is whole, and has the profile that the topology alone gave him.
async fn is_whole_like(repaired: &MemoryTimelines, topology: &MemoryTimelines, what: &str) {
    let (is, should) =
        (repaired.profile("u").await.unwrap().unwrap(), topology.profile("u").await.unwrap().unwrap());
    assert_eq!(is.whole, Whole::All, "{what}");
    assert_eq!(is.lines, should.lines, "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_in_the_timelines_stays() {
    let world = World::new();
    world.store_rows(&views("u", 0..10));
    let newer = record("u", "hotel", "buy", 3, BASE + 99_000);
    world.store_timelines(std::slice::from_ref(&newer)).await;
    let answer = world.get("/v1/users/u/behaviours").await;
    assert_eq!(answer.told(), ("mysql", true, 10));
    assert_eq!(answer.json["records"][0]["occurred_at"], BASE + 99_000);
    settle().await;
    let held = world.timelines.behind().timeline("u", None, 20).await.unwrap();
    assert_eq!((held.len(), held[0].at_ms), (10, BASE + 99_000));
}

/// Nothing is missing of a user with old rows: that is found out once, not with each read.
#[tokio::test(start_paused = true)]
async fn what_the_timelines_need_not_keep_is_not_looked_for_with_each_read() {
    let limits = Limits { max_age: Duration::from_secs(5), ..Limits::default() };
    let (world, all) = (World::with(QueryConfig::default(), limits), views("u", 0..10));
    world.store_rows(&all);
    world.store_timelines(&all).await;
    world.vouch("u").await;
    let mut reads = Vec::new();
    for _ in 0..4 {
        let before = world.rows.script.reads();
        world.get("/v1/users/u/behaviours?business=hotel&action=buy").await;
        settle().await;
        reads.push(world.rows.script.reads() - before);
    }
    assert!(reads[0] > 1 && reads[1..] == [1, 1, 1], "{reads:?}");
}

/// Rows that lag by as much as entries are kept: what the timelines trimmed since is not what they lost.
#[tokio::test(start_paused = true)]
async fn rows_that_are_behind_bring_nothing_back_that_was_trimmed() {
    let limits = Limits { max_age: Duration::from_secs(5), ..Limits::default() };
    let (world, all) = (World::with(QueryConfig::default(), limits), views("u", 0..10));
    world.store_timelines(&all).await;
    world.vouch("u").await;
    world.store_rows(&all[..7]);
    for _ in 0..2 {
        assert_eq!(world.get("/v1/users/u/behaviours").await.told(), ("mysql", true, 10));
        settle().await;
        assert_eq!(world.rows.script.reads(), 1, "no repair reads them");
    }
    // One that is among those that are kept.
    let late = record("u", "hotel", "view", 77, BASE + 8_500);
    world.store_rows(std::slice::from_ref(&late));
    world.get("/v1/users/u/behaviours").await;
    settle().await;
    let held = world.timelines.behind().timeline("u", None, 20).await.unwrap();
    assert!(held.len() == 6 && held[1].id == "e0077", "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn timelines_that_are_out_of_the_path_or_away_are_repaired_once_they_are_back() {
    let world = World::new();
    world.store_rows(&views("u", 0..10));
    world.switch.set(Mode::On);
    world.get("/v1/users/u/behaviours").await;
    settle().await;
    assert_eq!(world.timelines.behind().owners().await.unwrap(), 0);
    world.switch.set(Mode::Off);
    world.timelines.script.set(Does::Fail);
    world.get("/v1/users/u/behaviours").await;
    settle().await;
    assert_eq!(world.timelines.behind().owners().await.unwrap(), 0);
    world.timelines.script.set(Does::Work);
    world.get("/v1/users/u/behaviours").await;
    settle().await;
    assert_eq!(world.timelines.behind().timeline("u", None, 20).await.unwrap().len(), 10);
}

/// A user with more rows than are brought back: the newest of each business that is asked for.
#[tokio::test(start_paused = true)]
async fn a_long_history_is_brought_back_in_part() {
    let limits = Limits { keep: 200, ..Limits::default() };
    let config = QueryConfig { repair_rows: Some(300), ..QueryConfig::default() };
    let world = World::with(config, limits);
    world.store_rows(&views("u", 0..2_000));
    world.get("/v1/users/u/behaviours").await;
    settle().await;
    assert!(world.rows.script.reads() < 5);
    let held = world.timelines.behind().timeline("u", None, 1_000).await.unwrap();
    assert_eq!((held.len(), held[0].id.as_str(), held[199].id.as_str()), (200, "e1999", "e1800"));
    assert_eq!(world.get("/v1/users/u/behaviours?limit=200").await.told(), ("redis", true, 200));
    world.rows.script.reads();
    let profile = world.get("/v1/users/u/profile").await;
    assert_eq!((&profile.json["source"], &profile.json["complete"]), (&"redis".into(), &false.into()));
    assert_eq!(world.rows.script.reads(), 0, "it would bring back no more");
}

/// Two services, which know nothing of each other, read a user again and again while both repair him.
#[tokio::test(start_paused = true)]
async fn two_services_make_a_user_whole_together() {
    let one = World::new();
    one.store_rows(&views("u", 0..900));
    let other = one.beside();
    one.rows.script.takes(Duration::from_millis(30));
    for world in [&one, &other].into_iter().cycle().take(40) {
        world.get("/v1/users/u/behaviours").await;
        tokio::time::sleep(Duration::from_millis(17)).await;
    }
    let topology = MemoryTimelines::new(Limits::default());
    apply(&topology, &views("u", 0..900)).await;
    is_whole_like(&one.timelines.behind(), &topology, "by both").await;
}

/// What the two stores say of an event is the newer version of the two.
#[tokio::test(start_paused = true)]
async fn an_older_version_is_found_out() {
    let world = World::new();
    let mut all = views("u", 0..30);
    world.store_timelines(&all).await;
    all.push(record("u", "hotel", "view", 3, BASE + 3_500));
    world.store_rows(&all);
    world.get("/v1/users/u/behaviours").await;
    settle().await;
    let held = world.timelines.behind().timeline("u", None, 50).await.unwrap();
    let found = held.iter().find(|entry| entry.id == "e0003").unwrap();
    assert_eq!((held.len(), found.at_ms), (30, BASE + 3_500));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_mended_or_left_out_and_told() {
    let uri = "/v1/users/u/behaviours";
    let world = World::new();
    world.store(&views("u", 0..9)).await;
    let at_ms = BASE + 4_000;
    let bad = Entry { owner: "u", line: "hotel", action: "view", id: "e0004", at_ms, body: b"{\"no\":record}" };
    assert!(world.timelines.behind().apply(&[bad]).await.unwrap().is_empty());
    assert_eq!(world.get(uri).await.told(), ("mysql", true, 9));
    settle().await;
    assert_eq!(world.get(uri).await.told(), ("redis", true, 9));

    world.rows.spoil("u", "e0006");
    world.switch.set(Mode::On);
    assert_eq!(world.get(uri).await.told(), ("mysql", false, 8));
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{uri}?limit=1{before}")).await;
        seen.extend(page.ids());
        match page.json["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["e0008", "e0007", "e0005", "e0004", "e0003", "e0002", "e0001", "e0000"]);
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_ended_early_is_begun_again() {
    let (world, all) = (World::new(), views("u", 0..700));
    world.store_rows(&all);
    world.rows.script.takes(Duration::from_millis(10));
    world.get("/v1/users/u/behaviours").await;
    world.rows.script.set(Does::Fail);
    settle().await;
    assert!(world.timelines.behind().timeline("u", None, 700).await.unwrap().len() < 200);
    world.rows.script.set(Does::Work);
    assert_eq!(world.get("/v1/users/u/behaviours").await.told(), ("mysql", true, 20));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let topology = MemoryTimelines::new(Limits::default());
    apply(&topology, &all).await;
    let repaired = world.timelines.behind();
    assert!(repaired.timeline("u", None, 700).await.unwrap() == topology.timeline("u", None, 700).await.unwrap());
    is_whole_like(&repaired, &topology, "repaired").await;
    assert_eq!(world.get("/v1/users/u/behaviours").await.told(), ("redis", true, 20));
}

/// A page that new records fill does not tell what was lost below it, nor does a business of which nothing is asked.
#[tokio::test(start_paused = true)]
async fn a_busy_user_of_a_node_that_lost_its_data_becomes_whole_again() {
    let world = World::new();
    let mut all = views("u", 0..300);
    all.extend((300..310).map(|event| record("u", "flight", "buy", event, BASE)));
    world.store(&all).await;
    let uri = "/v1/users/u/behaviours?business=hotel";
    for (source, compared) in [("mysql", true), ("redis", false), ("redis", false)] {
        assert_eq!(world.get(uri).await.told(), (source, true, 20));
        settle().await;
        assert_eq!(world.rows.script.reads() > 0, compared, "on his first read alone");
    }
    world.timelines.wipe();
    all.extend(views("u", 400..450));
    world.store(&all[310..]).await;
    world.rows.script.set(Does::Fail);
    assert_eq!(world.get(uri).await.told(), ("redis", false, 20), "it may lack something");
    world.rows.script.set(Does::Work);
    assert_eq!(world.get(uri).await.told(), ("mysql", true, 20));
    settle().await;
    let topology = MemoryTimelines::new(Limits::default());
    apply(&topology, &all).await;
    let repaired = world.timelines.behind();
    is_whole_like(&repaired, &topology, "repaired").await;
    for line in ["hotel", "flight"] {
        let (is, should) =
            (repaired.timeline("u", Some(line), 700).await, topology.timeline("u", Some(line), 700).await);
        assert_eq!(is.unwrap(), should.unwrap(), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_loses_its_data_while_it_is_repaired_is_not_taken_to_be_whole() {
    let (world, all) = (World::new(), views("u", 0..700));
    world.store_rows(&all);
    world.store_timelines(&all[690..]).await;
    world.rows.script.takes(Duration::from_millis(10));
    world.get("/v1/users/u/behaviours").await;
    tokio::time::sleep(Duration::from_millis(12)).await;
    world.timelines.wipe();
    world.store_timelines(&all[680..]).await;
    settle().await;
    let after = world.timelines.behind().read("u", None, 20).await.unwrap();
    assert_eq!(after.whole, Whole::Unknown);
    assert_eq!(world.get("/v1/users/u/behaviours").await.told(), ("mysql", true, 20));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let topology = MemoryTimelines::new(Limits::default());
    apply(&topology, &all).await;
    is_whole_like(&world.timelines.behind(), &topology, "repaired again").await;
}
