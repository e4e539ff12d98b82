//! Where letters go, and which of them do not.

use super::*;

#[tokio::test(start_paused = true)]
async fn letters_go_back_to_the_sink_that_failed_and_only_there() {
    let stage = stage("back", &[]).await;
    stage.die((0..30).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append())).await;
    stage.die([letter(&stage.world, Some("second"), "50", 0).to_append()]).await;
    let only = Filter { sink: Some("first".into()), ..Filter::default() };
    let plan = stage.plan(only, REDRIVE).await;
    assert_eq!((plan.letters.len(), plan.refused.len(), plan.beyond), (30, 0, 0));
    assert_eq!(stage.waiting().await, 0, "a plan changes nothing");

    let mut told = Vec::new();
    let done = stage.letters.redrive(&plan, &how(100), |done| told.push(done)).await.unwrap();
    assert_eq!((done.sent, done.of, done.returned, done.looped), (30, 30, 0, None));
    assert_eq!(told.last(), Some(&30));
    let level = stage.world.records("squall.back.first.retry-1s").await;
    assert_eq!(level.len(), 30, "the first level of its sink");
    let parked = Parked::read(level.iter().find(|record| value_of(record) == Some(7)).unwrap()).unwrap();
    let mut expected = letter(&stage.world, Some("first"), "7", 1);
    expected.record.origin.attempt = 0;
    assert_eq!(parked, expected, "due at once, with its attempts before it, counted, otherwise as it was");

    stage.run().await;
    assert_eq!((stage.stored(0), stage.stored(1)), ((0..30).collect(), BTreeSet::new()));
    let open = stage.open().await;
    assert_eq!((open.len(), open[0].sink()), (1, Some("second")));
    let all = stage.letters.list(&Filter { marked: true, ..Filter::default() }, 5).await.unwrap();
    assert_eq!((all.letters.len(), all.total()), (5, 31));
    let mark = stage.letters.find(LetterId { partition: 0, offset: 3 }).await.unwrap().mark.unwrap();
    assert_eq!(
        (mark.state, mark.who.as_str(), mark.reason.as_str(), mark.times),
        (MarkState::Redriven, "ann@desk", "fixed", 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_came_to_no_sink_goes_to_its_source_and_comes_to_all() {
    let stage = stage("source", &[]).await;
    let mut broken = letter(&stage.world, None, "x1", 0).record;
    broken.origin.partition = 1;
    stage.die([dead_letter(&broken, Class::Poison, "no number")]).await;
    stage.die([letter(&stage.world, Some("first"), "8", 0).to_append()]).await;

    // As it is it dies again, and its letter says that it was sent back.
    let nowhere = Filter { sink: Some(String::new()), ..Filter::default() };
    let plan = stage.plan(nowhere.clone(), REDRIVE).await;
    assert_eq!(stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap().sent, 1);
    let sent = stage.world.records(&stage.world.source()).await.pop().unwrap();
    assert_eq!(
        (sent.origin.partition, sent.key.clone(), sent.value.clone()),
        (1, broken.key.clone(), broken.value.clone())
    );
    assert_eq!(sent.headers, broken.headers.clone().with("squall-redriven", "1"), "its own headers and the count");
    stage.run().await;
    let again = stage.letters.list(&nowhere, 10).await.unwrap().letters;
    assert_eq!((again.len(), again[0].redriven()), (1, 1));

    // With a new payload every sink gets it.
    let payload = Some("17".into());
    let one = Which::Ids(vec![again[0].id()]);
    let plan = stage.letters.plan(&one, REDRIVE, false, 10).await.unwrap();
    stage.letters.redrive(&plan, &Redrive { payload, ..how(100) }, |_| ()).await.unwrap();
    // So it does with a letter of a sink that is sent to the source.
    let plan = stage.plan(Filter::default(), TO_SOURCE).await;
    let done = stage.letters.redrive(&plan, &Redrive { to_source: true, ..how(100) }, |_| ()).await.unwrap();
    assert_eq!(done.sent, 1);
    stage.run().await;
    assert_eq!((stage.stored(0), stage.stored(1)), (BTreeSet::from([8, 17]), BTreeSet::from([8, 17])));
    assert!(stage.open().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_refused_with_its_reason() {
    let stage = stage("refused", &[]).await;
    let mut cut = letter(&stage.world, Some("first"), "1", 0).to_append();
    cut.headers.push(TRUNCATED_FROM, "5000");
    let mut lost = letter(&stage.world, None, "2", 0).record;
    lost.origin.topic = "gone".into();
    let strange = Append { value: Some("what is this?".into()), ..Append::default() };
    let other = letter(&stage.world, Some("third"), "3", 0).to_append();
    stage.die([cut, dead_letter(&lost, Class::Poison, "no number"), strange, other]).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    assert!(plan.letters.is_empty());
    let id = |offset| LetterId { partition: 0, offset };
    let expected = [
        (Refusal::Truncated, (id(0), 1)),
        (Refusal::Unreadable, (id(2), 1)),
        (Refusal::NoWay("gone".into()), (id(1), 1)),
        (Refusal::NoWay("squall.refused.third.retry-*".into()), (id(3), 1)),
    ];
    assert_eq!(Vec::from_iter(plan.refused), expected);
    let edited = Intent::Redrive { to_source: false, new_payload: true, max_redrives: 3 };
    let plan = stage.letters.plan(&Which::Ids(vec![id(0)]), edited, false, 10).await.unwrap();
    assert_eq!(plan.letters.len(), 1, "a new payload is whole");
    let two = Which::Ids(vec![id(0), id(1)]);
    let two = stage.letters.plan(&two, Intent::Discard, false, 10).await.unwrap();
    let payload = Some("1".into());
    let error = stage.letters.redrive(&two, &Redrive { payload, ..how(1) }, |_| ()).await.unwrap_err();
    assert!(matches!(error, LettersError::NotOne { count: 2 }), "{error}");

    // All of them can be discarded, once.
    let all = stage.plan(Filter::default(), Intent::Discard).await;
    assert_eq!(stage.letters.discard(&all, "ann@desk", "no use").await.unwrap(), 4);
    assert!(stage.open().await.is_empty());
    let again = stage.letters.plan(&Which::Ids(vec![id(2)]), Intent::Discard, false, 10).await.unwrap();
    assert_eq!(Vec::from_iter(again.refused), [(Refusal::Closed(MarkState::Discarded), (id(2), 1))]);
}

#[tokio::test(start_paused = true)]
async fn letters_too_large_for_the_log_are_left_out_and_the_others_go() {
    let stage = stage("large", &[]).await;
    // With the header that is added it exceeds the log's megabyte.
    let mut large = letter(&stage.world, Some("first"), "1", 0);
    let rest: usize = 1024 * 1024 - size(&large.to_append()) + 1;
    large.record.value = Some(vec![b'1'; rest].into());
    stage.die([large.to_append(), letter(&stage.world, Some("first"), "2", 0).to_append()]).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let done = stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap();
    assert_eq!((done.sent, done.too_large.as_slice()), (1, &[LetterId { partition: 0, offset: 0 }][..]));
    assert_eq!(stage.open().await.len(), 1, "it is as it was");
}

fn size(append: &Append) -> usize {
    let headers: usize = append.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    headers + append.key.as_ref().map_or(0, bytes::Bytes::len) + append.value.as_ref().map_or(0, bytes::Bytes::len)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_could_not_be_marked() {
    let stage = stage("unmarked", &[]).await;
    stage.die([letter(&stage.world, Some("first"), "1", 0).to_append()]).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    stage.world.broker.delete_topic("squall.unmarked.letters").await.unwrap();
    assert_eq!(stage.open().await.len(), 1, "without marks all are open");
    let error = stage.letters.redrive(&plan, &how(1), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("start the topology once"), "{error}");
    assert_eq!(stage.waiting().await, 0);
}
