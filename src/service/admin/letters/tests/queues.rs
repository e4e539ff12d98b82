//! What waits in the retry topics.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_queues_say_what_waits_and_when_it_is_due() {
    let stage = stage().await;
    let due = |at: u64, not_before_ms: i64| {
        let waits = letter(at, "rows", Class::Retryable, "locked");
        let headers = waits.headers.clone().with("squall-not-before-ms", not_before_ms.to_string());
        Append { partition: Some(at as u32 % 2), headers, ..waits }
    };
    let level = "squall.words.rows.retry-10s";
    let waits =
        [due(0, START_MS + 9_000), due(1, START_MS + 8_000), due(2, START_MS + 11_000), due(3, START_MS + 12_000)];
    stage.append(level, waits.into()).await;
    // One of partition 0 has been brought back.
    stage.context.broker.reset(level, level, &[(0, 1)]).await.unwrap();
    stage
        .append("squall.words.timelines.parked", vec![letter(7, "timelines", Class::Refused, "switched off")])
        .await;
    stage.run("switch on timelines --force --wait 0").await.unwrap();

    let (queues, switches) = retry::look(&stage.context).await.unwrap();
    let names: Vec<_> =
        queues.iter().map(|queue| (queue.sink.as_str(), queue.place.label(), queue.waiting)).collect();
    let (rows, timelines) = ("rows", "timelines");
    let expected = [
        (rows, "retry-1s", 0),
        (rows, "retry-10s", 3),
        (rows, "parked", 0),
        (timelines, "retry-1s", 0),
        (timelines, "retry-10s", 0),
        (timelines, "parked", 1),
    ];
    assert_eq!(names, expected.map(|(sink, place, waiting)| (sink, place.to_owned(), waiting)));
    assert_eq!((queues[1].oldest_ms, queues[1].next_due_ms), (Some(START_MS + 1_000), Some(START_MS + 8_000)));
    assert_eq!((queues[5].place, queues[5].next_due_ms), (Place::Parked(0), Some(0)));
    let table = retry::as_table(&queues, &switches, START_MS + 6_500).show(false);
    assert!(table.contains("rows       retry-10s  3        5 s ago  in 1.5 s                off\n"), "{table}");
    assert!(table.contains("timelines  parked     1        0 s ago  as the sink takes rows  on\n"), "{table}");
    assert_eq!(retry::as_json(&queues[5], &switches)["switch"], "on");
    for line in ["retry list", "retry list --json"] {
        assert!(matches!(parse(line).unwrap(), AdminCommand::Retry(RetryCommand::List(_))));
        stage.run(line).await.unwrap();
    }
    let other = AdminContext { topology: "other".into(), ..stage.context };
    assert!(retry::look(&other).await.unwrap().0.is_empty());
}
