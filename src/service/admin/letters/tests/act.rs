//! Sending back and discarding.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let stage = stage().await;
    stage.die().await;
    let before = stage.lengths().await;
    let outcome = stage.redrive("dead-letters redrive --everything --dry-run").await.unwrap();
    let text = outcome.text(false);
    assert!(text.starts_with("would send back 6 letters\nSINK"), "{text}");
    assert_eq!(
        (&outcome.json()["dry_run"], &outcome.json()["letters"], outcome.status()),
        (&true.into(), &6.into(), 0)
    );
    stage.run("dead-letters discard --sink rows --reason none --dry-run").await.unwrap();
    stage.run("dead-letters discard 0:1 --reason none --dry-run --json").await.unwrap();
    assert_eq!(stage.lengths().await, before);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_back_is_marked_and_audited_and_not_sent_again() {
    let stage = stage().await;
    stage.die().await;
    let line = "dead-letters redrive --class poison --max 3 --who ann@desk --reason fixed --json";
    let outcome = stage.redrive(line).await.unwrap();
    let text = outcome.text(false);
    assert!(text.starts_with("sent back 3 of 3 letters\n"), "{text}");
    assert!(text.contains("1 more are left for another time"), "{text}");
    let done = &outcome.json()["done"];
    assert_eq!(
        (&done["sent"], &done["died_again"], &done["looped"]),
        (&3.into(), &0.into(), &serde_json::Value::Null)
    );
    assert_eq!(stage.listed("").await.len(), 3);
    assert_eq!(stage.listed("--all").await.len(), 6);

    let audit = stage.audit().await;
    let said: Vec<_> =
        audit.iter().map(|record| (record.who.as_str(), record.action.as_str(), record.target.as_str())).collect();
    assert_eq!(said, [("ann@desk", "redrive", "dead-letters"), ("ann@desk", "redrive ended", "dead-letters")]);
    assert_eq!((&audit[0].details["letters"], audit[0].reason.as_str()), (&3.into(), "fixed"));
    assert_eq!(audit[1].details["sent"], 3);

    let sent = stage.records("squall.words.rows.retry-1s").await;
    let sent: Vec<_> = sent
        .iter()
        .chain(&stage.records("squall.words.timelines.retry-1s").await)
        .map(|record| Parked::read(record).unwrap().redriven)
        .collect();
    assert_eq!((sent.iter().sum::<u32>() as usize) + stage.records("lines").await.len(), 3);
    let marked = stage.listed("--all").await.into_iter().find(|id| id == "0:0" || id == "1:0").unwrap();
    let error = refused(stage.redrive("dead-letters redrive 0:0 0:1 0:2 0:3 1:0").await);
    assert!(error.contains("nothing was done: ") && error.contains("redriven before; --force"), "{error}");
    stage.redrive(&format!("dead-letters redrive {marked} --force --who bob@desk")).await.unwrap();
    let id: LetterId = marked.parse().unwrap();
    let mark = stage.letter(id.partition, id.offset).await.mark.unwrap();
    assert_eq!((mark.state, mark.who.as_str(), mark.times), (MarkState::Redriven, "bob@desk", 2));
    stage.redrive("dead-letters redrive --everything").await.unwrap();
    let outcome = stage.redrive("dead-letters redrive --everything").await.unwrap();
    assert_eq!((outcome.text(false).as_str(), outcome.status()), ("no open dead letter is like that", 0));
}

#[tokio::test(start_paused = true)]
async fn one_letter_gets_a_new_payload() {
    let stage = stage().await;
    stage.die().await;
    let file = stage.dir.path().join("payload");
    std::fs::write(&file, b"from a file\n").unwrap();
    stage.redrive(&format!("dead-letters redrive 0:0 --edit {}", file.display())).await.unwrap();
    stage.redrive("dead-letters redrive --sink - --replace mended").await.unwrap();
    assert_eq!(stage.records("squall.words.rows.retry-1s").await[0].value.as_deref(), Some(&b"from a file\n"[..]));
    assert_eq!(stage.records("lines").await[0].value.as_deref(), Some(&b"mended"[..]));
    let audit = stage.audit().await.len();
    let error = refused(stage.redrive("dead-letters redrive --sink rows --replace x").await);
    assert!(error.contains("exactly one letter, these are 2"), "{error}");
    let error = refused(stage.redrive("dead-letters redrive 0:1 --edit /no/such/file").await);
    assert!(error.contains("cannot read --edit /no/such/file"), "{error}");
    assert_eq!(stage.audit().await.len(), audit, "nothing was done");
}

#[tokio::test(start_paused = true)]
async fn a_loop_stops_the_redrive_with_a_status_of_its_own() {
    let stage = stage().await;
    let letters = (0..100).map(|at| letter(at, "rows", Class::Poison, "data too long"));
    stage.append(DEAD, letters.collect()).await;
    // A sink at which everything dies again.
    let (broker, topic) = (stage.context.broker.clone(), "squall.words.rows.retry-1s");
    let dies = tokio::spawn(async move {
        let mut cursor = broker.cursor(topic, &[(0, 0), (1, 0)]).unwrap();
        loop {
            let Some(fetched) = cursor.fetch(100, Duration::from_millis(10)).await.unwrap() else { continue };
            let again = fetched.records.iter().map(|record| Parked::read(record).unwrap().to_append());
            broker.producer().unwrap().append(DEAD, again.collect()).await.unwrap();
        }
    });
    let outcome = stage.redrive("dead-letters redrive --sink rows --rate 20/s").await.unwrap();
    dies.abort();
    assert_eq!(outcome.status(), 6);
    assert!(
        outcome.text(false).contains("have died again; the others are as they were"),
        "{}",
        outcome.text(false)
    );
    assert!(outcome.json()["done"]["sent"].as_u64().unwrap() < 50);
    assert!(stage.audit().await[1].details["looped"].is_object());
}

#[tokio::test(start_paused = true)]
async fn what_is_discarded_is_gone_from_the_list_and_audited() {
    let stage = stage().await;
    stage.die().await;
    stage.run("dead-letters discard --error answer --reason none --who ann@desk").await.unwrap();
    stage.run("dead-letters discard 0:0 1:0 --reason none --json").await.unwrap();
    assert_eq!(stage.listed("").await, ["0:1", "0:2", "0:3"]);
    let mark = stage.letter(0, 4).await.mark.unwrap();
    assert_eq!((mark.state, mark.who.as_str(), mark.reason.as_str()), (MarkState::Discarded, "ann@desk", "none"));
    let shown = show::as_text(&stage.letter(0, 4).await, false);
    assert!(shown.contains("state      discarded by ann@desk, 20"), "{shown}");
    assert_eq!(
        stage.audit().await.iter().map(|record| record.action.as_str()).collect::<Vec<_>>(),
        ["discard", "discard"]
    );
    let which: Vec<_> = stage.audit().await.into_iter().map(|record| record.details["which"].clone()).collect();
    assert_eq!(which, ["0:4", "0:0..1:0"]);
    let error = refused(stage.run("dead-letters discard 0:0 --reason again").await);
    assert!(error.contains("discarded before; ") && !error.contains("--force"), "{error}");
    stage.run("dead-letters discard --sink none --reason none").await.unwrap();
    assert_eq!(stage.audit().await.len(), 2, "nothing was done");
}

#[tokio::test(start_paused = true)]
async fn the_status_says_whether_all_was_done() {
    let stage = stage().await;
    stage.die().await;
    // What is larger with the header that is added than the log takes.
    let large = letter(5, "rows", Class::Poison, "large");
    let head: usize = large.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let size = 1024 * 1024 - head - large.key.as_ref().map_or(0, bytes::Bytes::len);
    stage.append(DEAD, vec![Append { value: Some(vec![b'x'; size].into()), ..large }]).await;
    stage.append(DEAD, vec![Append { value: None, partition: Some(1), ..Append::default() }]).await;
    let no_way = letter(6, "nowhere", Class::Poison, "no such sink");
    stage.append(DEAD, vec![no_way]).await;
    let discard =
        async |line: &str| stage.run(&format!("dead-letters discard --reason none {line}")).await.unwrap();
    for (line, status) in [
        ("--sink timelines", 0),
        ("--sink timelines", 0),
        ("--sink rows --max 1", 0),
        ("--sink rows --dry-run", 0),
        ("--sink rows", 1),
        ("--everything --dry-run", 0),
        ("--everything", 1),
    ] {
        let outcome = stage.redrive(&format!("dead-letters redrive {line}")).await.unwrap();
        assert_eq!(outcome.status(), status, "{line}: {}", outcome.text(false));
    }
    assert_eq!(discard("--everything --max 1").await, ExitCode::SUCCESS);
    assert_eq!(discard("--everything").await, ExitCode::SUCCESS);

    let action = match command("dead-letters discard --everything --reason none") {
        DeadLettersCommand::Discard(args) => args.action,
        other => panic!("{other:?} does not discard"),
    };
    let more = Plan { letters: [(LetterId { partition: 0, offset: 0 }, 0)].into(), beyond: 1, ..Plan::default() };
    assert_eq!([action.status(&more, 1), ActionArgs { max: Some(1), ..action }.status(&more, 1)], [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_the_log_stops_is_in_the_audit_with_how_far_it_came() {
    let stage = stage().await;
    let letters = (0..100).map(|at| letter(at, "rows", Class::Retryable, "no answer"));
    stage.append(DEAD, letters.collect()).await;
    // What is done with letters cannot be noted any more as soon as some are sent.
    let broker = stage.context.broker.clone();
    let breaks = tokio::spawn(async move {
        let mut cursor = broker.cursor("squall.words.rows.retry-1s", &[(0, 0), (1, 0)]).unwrap();
        while cursor.fetch(100, Duration::from_millis(10)).await.unwrap().is_none() {}
        tokio::time::sleep(Duration::from_millis(500)).await;
        broker.delete_topic("squall.words.letters").await.unwrap();
    });
    let error = refused(stage.redrive("dead-letters redrive --sink rows --rate 20/s --reason back").await);
    breaks.await.unwrap();
    assert!(error.starts_with("stopped after ") && error.contains(" of 100 letters"), "{error}");
    let audit = stage.audit().await;
    let said: Vec<_> = audit.iter().map(|record| (record.action.as_str(), record.reason.as_str())).collect();
    assert_eq!(said, [("redrive", "back"), ("redrive ended", "back")]);
    let (details, done) = (&audit[1].details, audit[1].details["done"].as_u64().unwrap());
    assert_eq!((&details["of"], details["error"].as_str()), (&100.into(), Some(error.as_str())));
    assert!((1..100).contains(&done), "{details}");

    let error = refused(stage.run("dead-letters discard --sink rows --reason none").await);
    assert!(error.contains("start the topology once"), "{error}");
    assert_eq!(stage.audit().await[3].action, "discard ended");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_meant_by_omission() {
    let stage = stage().await;
    stage.die().await;
    let before = stage.lengths().await;
    for (line, part) in [
        ("redrive", "no letter is named"),
        ("discard --reason none", "no letter is named"),
        ("redrive 0:0 --sink rows", "one of the three"),
        ("redrive --everything --sink rows", "one of the three"),
        ("redrive 0:0 0:77", "there is no letter 0:77"),
    ] {
        let error = refused(stage.run(&format!("dead-letters {line}")).await);
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(stage.lengths().await, before);
    for (line, part) in [
        ("discard 0:0", "--reason"),
        ("show 17", "such as 0:17"),
        ("list --class sad", "known are poison"),
        ("list --since soon", "2h (ago)"),
        ("list --origin a:b", "TOPIC:PARTITION:OFFSET"),
        ("redrive 0:0 --rate 0", "100/s"),
        ("redrive 0:0 --edit a --replace b", "cannot be used with"),
        ("redrive 0:0 --max 0", "1..=1000000"),
    ] {
        let error = parse(&format!("dead-letters {line}")).expect_err(line);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_commands_explain_themselves() {
    let mut cli = Cli::command();
    let letters = cli.find_subcommand_mut("dead-letters").unwrap();
    let abouts: Vec<_> =
        letters.get_subcommands().map(|command| command.get_about().unwrap().to_string()).collect();
    let begins =
        ["Show the newest letters", "Show all of one letter", "Send letters back", "Mark letters as of no use"];
    for (about, begin) in abouts.iter().zip(begins) {
        assert!(about.starts_with(begin), "{about}");
    }
    Cli::command().debug_assert();
}
