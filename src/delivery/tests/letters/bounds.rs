//! How many, how fast and how often.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_count_survives_a_retry_that_fails_again_and_ends_the_redrives() {
    let stage = stage("count", &[4]).await;
    stage.die([letter(&stage.world, Some("first"), "4", 0).to_append()]).await;
    for redriven in 0..3 {
        let open = stage.open().await;
        assert_eq!((open.len(), open[0].redriven()), (1, redriven));
        let plan = stage.plan(Filter::default(), REDRIVE).await;
        assert_eq!(stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap().sent, 1);
        stage.run().await;
    }
    let id = stage.open().await[0].id();
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    assert!(plan.letters.is_empty());
    assert_eq!(Vec::from_iter(plan.refused), [(Refusal::Loops(3), (id, 1))]);
    let forced = stage.letters.plan(&Which::Ids(vec![id]), REDRIVE, true, 10).await.unwrap();
    assert_eq!(stage.letters.redrive(&forced, &how(100), |_| ()).await.unwrap().sent, 1);
    stage.run().await;
    assert_eq!(stage.open().await[0].redriven(), 4);
    assert!(stage.stored(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept() {
    let stage = stage("rate", &[]).await;
    stage.die((0..25).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append())).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let (letters, how) = (stage.letters.clone(), how(5));
    let redrive = tokio::spawn(async move { letters.redrive(&plan, &how, |_| ()).await.unwrap() });
    let mut sent = Vec::new();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..6 {
        sent.push(stage.waiting().await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(sent, [1, 6, 11, 16, 21, 25], "one at once, then five a second");
    assert_eq!(redrive.await.unwrap().sent, 25);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_whose_letters_die_again_stops() {
    let stage = stage("loop", &Vec::from_iter(0..200)).await;
    stage.die((0..200).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append())).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let (letters, how) = (stage.letters.clone(), how(10));
    let works = || -> Script { Box::new(|_| Behaviour::Works) };
    let (_, retry, _) = stage.world.topologies([works(), works()]);
    let retry = start(retry, &Settings::default(), Options::default()).unwrap();
    let done = letters.redrive(&plan, &how, |_| ()).await.unwrap();
    retry.stopper().stop();
    retry.wait().await;
    let looped = done.looped.expect("all of them die again");
    assert!(looped.of >= 20 && looped.returned > looped.of / 2, "{looped:?}");
    assert!((20..60).contains(&done.sent), "it stops early: {done:?}");
    let open = stage.open().await;
    let fresh = open.iter().filter(|letter| letter.redriven() == 0).count() as u64;
    assert_eq!(fresh, 200 - done.sent, "the others are as they were");
}

#[tokio::test(start_paused = true)]
async fn a_loop_by_way_of_the_source_is_seen_too() {
    let stage = stage("wide", &[]).await;
    let broken = |at: u64| {
        dead_letter(&letter(&stage.world, None, &format!("x{at}"), 0).record, Class::Poison, "no number")
    };
    stage.die((0..100).map(broken)).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let (main, _, _) = stage.world.topologies([Box::new(|_| Behaviour::Works), Box::new(|_| Behaviour::Works)]);
    let main = start(main, &Settings::default(), Options::default()).unwrap();
    let done = stage.letters.redrive(&plan, &how(10), |_| ()).await.unwrap();
    main.stopper().stop();
    main.wait().await;
    assert!(matches!(done.looped, Some(Looped { of: 20..50, .. })), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn the_letters_of_a_topic_that_was_made_anew_are_open() {
    let stage = stage("anew", &[]).await;
    let dead = |value: &str, at_ms: i64| Append {
        timestamp_ms: Some(START_MS + at_ms),
        ..letter(&stage.world, Some("first"), value, 0).to_append()
    };
    stage.die([dead("1", 0), dead("2", 1), dead("3", 2)]).await;
    let all = stage.plan(Filter::default(), Intent::Discard).await;
    assert_eq!(stage.letters.discard(&all, "ann@desk", "no use").await.unwrap(), 3);
    assert!(stage.open().await.is_empty());

    let topic = stage.world.letters();
    stage.world.broker.delete_topic(&topic).await.unwrap();
    stage.world.broker.create_topic(&TopicSpec::new(&topic, 1)).await.unwrap();
    stage.die([dead("4", 10), dead("2", 1), dead("5", 12)]).await;
    let open: Vec<_> = stage.open().await.iter().map(|letter| letter.id().offset).collect();
    assert_eq!(open, [0, 2], "only the one that is the same letter is marked");
    // What was planned of the old topic is not done to the letters of the new one.
    assert_eq!(stage.letters.redrive(&all, &how(100), |_| ()).await.unwrap().sent, 1);

    let plan = stage.plan(Filter::default(), REDRIVE).await;
    assert_eq!(stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap().sent, 2);
    let mark = stage.letters.find(LetterId { partition: 0, offset: 0 }).await.unwrap().mark.unwrap();
    assert_eq!((mark.state, mark.times), (MarkState::Redriven, 1));
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_bounded_and_the_rest_comes_with_the_next() {
    let stage = stage("bounded", &[]).await;
    stage
        .die((0..2_500).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append()))
        .await;
    let all = Which::Matching(Filter::default());
    let mut sent = 0;
    for beyond in [1_500, 500, 0] {
        let plan = stage.letters.plan(&all, REDRIVE, false, 1_000).await.unwrap();
        assert_eq!(plan.beyond, beyond);
        sent += stage.letters.redrive(&plan, &how(100_000), |_| ()).await.unwrap().sent;
    }
    assert_eq!((sent, stage.waiting().await), (2_500, 2_500), "each once");
}
