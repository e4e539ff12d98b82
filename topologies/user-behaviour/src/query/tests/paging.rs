//! Pages, laid end to end.

use std::time::Duration;

use squall::guard::Mode;
use squall::store::timeline::Limits;
use squall::testing::store::{Random, seed};

use super::support::{BASE, Does, World, record, views};
use crate::query::QueryConfig;
use crate::record::Decoded;

/// Whatever arrives between pages, and whichever store answers each: all records that were there, once, newest first.
#[tokio::test(start_paused = true)]
async fn pages_are_all_records_newest_first_whatever_happens_between_them() {
    let seed = seed();
    println!("seed {seed}");
    for round in 0..200 {
        let mut random = Random::new(seed.wrapping_add(round));
        let keep = 1 + random.below(60) as usize;
        let limits = Limits { keep, max_age: Duration::from_secs(100 + random.below(200)), ..Limits::default() };
        let world = World::with(QueryConfig::default(), limits);
        let mut there: Vec<Decoded> = (0..random.below(150))
            .map(|event| {
                let (business, action) =
                    (random.pick(&["hotel", "flight", "train"]), random.pick(&["view", "buy"]));
                record("u", business, action, event, BASE + 1_000 * random.below(300) as i64)
            })
            .collect();
        world.store(&there).await;
        let business = random.pick(&[None, Some("hotel"), Some("none")]);
        let action = random.pick(&[None, None, Some("buy")]);
        there.retain(|decoded| {
            let record = decoded.record();
            business.is_none_or(|is| record.business == is) && action.is_none_or(|is| record.action == is)
        });
        there.sort_by(|a, b| b.record().version().cmp(&a.record().version()));
        let expected: Vec<String> = there.iter().map(|decoded| decoded.record().event_id.to_string()).collect();

        let filter = [("business", business), ("action", action)]
            .iter()
            .filter_map(|(name, value)| value.map(|value| format!("&{name}={value}")))
            .collect::<String>();
        let (mut seen, mut before, mut sources) = (Vec::new(), String::new(), Vec::new());
        for page in 0_u64.. {
            assert!(page < 400, "it never ends");
            disturb(&world, &mut random, page).await;
            let limit = 1 + random.below(40);
            let answer = world.get(&format!("/v1/users/u/behaviours?limit={limit}{filter}{before}")).await;
            assert!(answer.json["complete"].as_bool().unwrap_or(false), "{answer:?}");
            sources.push(answer.told().0.to_owned());
            seen.extend(answer.ids());
            match answer.json["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        // The first page may be newer than what was there.
        seen.retain(|id| !id.starts_with("e9"));
        let what = format!("seed {seed}, round {round}, keep {keep}, {filter}, {sources:?}");
        assert_eq!(seen, expected, "{what}");
    }
}

/// Newer records arrive, in both stores or in one for now; the timelines come, go, and lose what they had.
async fn disturb(world: &World, random: &mut Random, page: u64) {
    let newer = views("u", 9_000 + page..9_001 + page);
    match random.below(4) {
        0 => world.store(&newer).await,
        1 => world.store_timelines(&newer).await,
        2 => world.store_rows(&newer),
        _ => {}
    }
    world.timelines.script.set(random.pick(&[Does::Work, Does::Work, Does::Fail, Does::Hang]));
    world.switch.set(random.pick(&[Mode::Off, Mode::Off, Mode::Auto, Mode::On]));
    if random.below(8) == 0 {
        world.timelines.wipe();
    }
    if random.below(4) == 0 {
        tokio::time::sleep(Duration::from_secs(random.below(30))).await;
    }
}

/// What is past the end of the timelines is in the rows: while these are away, the list goes on from where it stood.
#[tokio::test(start_paused = true)]
async fn a_page_that_cannot_be_read_is_not_the_last_one() {
    let world = World::with(QueryConfig::default(), Limits { keep: 5, ..Limits::default() });
    world.store(&views("u", 0..30)).await;
    let next = world.get("/v1/users/u/behaviours?limit=5").await.json["next"].clone();
    let second = format!("/v1/users/u/behaviours?limit=5&before={}", next.as_str().unwrap());
    for does in [Does::Fail, Does::Hang] {
        world.rows.script.set(does);
        let away = world.get(&second).await;
        assert_eq!((away.told(), &away.json["next"]), (("redis", false, 0), &next), "{does:?}");
    }
    world.rows.script.set(Does::Work);
    assert_eq!(world.get(&second).await.ids()[0], "e0024");
}

#[tokio::test(start_paused = true)]
async fn a_cursor_is_of_its_question_alone() {
    let world = World::new();
    world.store(&views("u", 0..30)).await;
    let next = world.get("/v1/users/u/behaviours?business=hotel&limit=5").await.json["next"].clone();
    let next = next.as_str().unwrap();
    let good = world.get(&format!("/v1/users/u/behaviours?business=hotel&limit=7&before={next}")).await;
    assert_eq!(good.ids()[0], "e0024", "{good:?}");
    let mut wrong = vec![
        format!("/v1/users/v/behaviours?business=hotel&before={next}"),
        format!("/v1/users/u/behaviours?before={next}"),
        format!("/v1/users/u/behaviours?business=flight&before={next}"),
        format!("/v1/users/u/behaviours?business=hotel&action=view&before={next}"),
    ];
    for at in 0..next.len() {
        let other = if next.as_bytes()[at] == b'A' { "B" } else { "A" };
        let damaged = format!("{}{other}{}", &next[..at], &next[at + 1..]);
        wrong.push(format!("/v1/users/u/behaviours?business=hotel&before={damaged}"));
        wrong.push(format!("/v1/users/u/behaviours?business=hotel&before={}", &next[..at]));
    }
    for uri in wrong {
        let answer = world.get(&uri).await;
        answer.is_problem("invalid_request");
        assert_eq!(answer.json["parameter"], "before", "{uri}");
    }
}
