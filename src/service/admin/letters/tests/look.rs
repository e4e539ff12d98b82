//! Lists of letters, and one of them.

use super::*;
use crate::delivery::letters::Filter;

#[tokio::test(start_paused = true)]
async fn letters_are_found_by_what_they_are_like() {
    let stage = stage().await;
    stage.die().await;
    for (filters, expected) in [
        ("", vec!["0:0", "0:1", "0:2", "0:3", "0:4", "1:0"]),
        ("--limit 2", vec!["0:4", "1:0"]),
        ("--sink rows", vec!["0:0", "0:1", "0:3"]),
        ("--sink -", vec!["1:0"]),
        ("--sink rows --class poison", vec!["0:0", "0:3"]),
        ("--error LOCK", vec!["0:1"]),
        ("--key missing", vec![]),
        ("--origin lines:1", vec!["0:0", "0:1", "0:2", "0:3", "0:4"]),
        ("--origin lines:1:3", vec!["0:3"]),
        ("--origin other", vec![]),
        ("--since 7s", vec!["0:3", "0:4", "1:0"]),
        ("--since 1700000003000 --until 2023-11-14T22:13:24Z", vec!["0:3"]),
    ] {
        assert_eq!(stage.listed(filters).await, expected, "{filters}");
    }
    let filter = Filter { key: Some(b"key 2".to_vec()), ..Filter::default() };
    assert_eq!(stage.context.letters().unwrap().list(&filter, 9).await.unwrap().total(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_a_table_with_a_count_of_each_kind() {
    let stage = stage().await;
    stage.die().await;
    let listing = stage.context.letters().unwrap().list(&Default::default(), 5).await.unwrap();
    let text = as_text(&listing, START_MS + 65_000, None, false);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("LETTER  STATE  SINK       CLASS"), "{text}");
    let second = lines.iter().find(|line| line.starts_with("0:1 ")).unwrap();
    for part in ["open", "rows", "retryable", "lines[1]@1", "65 s ago", "60 s ago"] {
        assert!(second.contains(part), "`{second}` does not say `{part}`");
    }
    assert!(second.ends_with("Lock wait\\n\\u{1b}[31mexceeded"), "nothing reaches the terminal: {second}");
    assert!(text.contains("and 1 older; --limit shows more"), "{text}");
    assert!(text.contains("rows       poison     2") && text.contains("all                   6"), "{text}");
    let narrow = as_text(&listing, START_MS, Some(10), false);
    assert!(narrow.contains("  Lock wait\\n\\u{1b}[3…\n"), "{narrow}");
    let json = as_json(&listing);
    assert_eq!((&json["shown"], &json["total"]), (&5.into(), &6.into()));
    assert_eq!(
        (&json["letters"][0]["letter"], &json["letters"][0]["origin"]["offset"]),
        (&"0:1".into(), &1.into())
    );
    assert_eq!(json["summary"][0], serde_json::json!({ "sink": null, "class": "poison", "letters": 1 }));
    for line in [
        "dead-letters list",
        "dead-letters list --all --json",
        "dead-letters show 0:1",
        "dead-letters show 1:0 --raw",
    ] {
        assert_eq!(stage.run(line).await.unwrap(), ExitCode::SUCCESS, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_shown_whole_and_fit_for_a_terminal() {
    let stage = stage().await;
    stage.die().await;
    let text = show::as_text(&stage.letter(0, 1).await, false);
    for part in [
        "letter     0:1\nstate      open\ndied       2023-11-14 22:13:21 UTC\nsink       rows\n",
        "reason     Lock wait\\n\\u{1b}[31mexceeded\nkey        key 1\n",
        "\ncolour: red\nsquall-origin-topic: lines\n",
        "\npayload, 6 bytes\nline 1\n",
    ] {
        assert!(text.contains(part), "{text} does not say {part}");
    }
    let text = show::as_text(&stage.letter(1, 0).await, false);
    assert!(text.contains("sink       - (it came to none)") && text.contains("key        -"), "{text}");
    assert!(text.contains("\nbytes: ff 00\n") && text.ends_with("payload, 4 bytes\nde ad 0a ff\n"), "{text}");

    let strange = Append { value: None, partition: Some(1), ..Append::default() };
    stage.append(DEAD, vec![strange]).await;
    let text = show::as_text(&stage.letter(1, 1).await, false);
    assert!(text.contains("class      unreadable\nreason     words.dead[1]@1 is no parked record"), "{text}");
    assert!(text.ends_with("no payload: a tombstone\n"), "{text}");
    for (id, part) in [("0:5", "partition 0 holds 0 to 4"), ("7:0", "words.dead has 2 partition(s)")] {
        let error = refused(stage.run(&format!("dead-letters show {id}")).await);
        assert!(error.contains(id) && error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_letters_or_a_topic_for_them_it_is_said() {
    let stage = stage().await;
    for line in ["list", "list --json", "redrive --everything", "discard --everything --reason none"] {
        assert_eq!(stage.run(&format!("dead-letters {line}")).await.unwrap(), ExitCode::SUCCESS, "{line}");
    }
    assert!(refused(stage.run("dead-letters show 0:0").await).contains("partition 0 holds none"));
    let missing = AdminContext { dead_letters: Some("no.such".into()), ..stage.context.clone() };
    let error = refused(parse("dead-letters list").unwrap().run(&missing).await);
    assert!(error.contains("no dead-letter topic `no.such`") && error.contains("source.dead_letters"), "{error}");
    let unset = AdminContext { dead_letters: None, ..stage.context };
    assert!(refused(parse("dead-letters list").unwrap().run(&unset).await).contains("names no dead-letter topic"));
}
