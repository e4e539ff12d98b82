//! What the README says of mistakes, tried on the binary.

use super::support::process::run;

const README: &str = include_str!("../../../../README.md");

/// The rows of the table below a heading: its cells, without what is above it and beside them.
fn rows(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let below = README.split_once(heading).expect("the README has this heading").1;
    let table = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// Whether a text begins with what was promised; `…` stands for anything, and what does not end with it is a whole line.
fn says(text: &str, promised: &str) -> bool {
    let mut parts = promised.split('…');
    let mut rest = text.strip_prefix(parts.next().unwrap_or_default());
    for part in parts {
        rest = rest.and_then(|rest| Some(rest.split_once(part)?.1));
    }
    rest.is_some_and(|rest| promised.ends_with('…') || rest.starts_with('\n'))
}

#[test]
fn each_mistake_of_an_operator_gets_the_status_and_the_line_of_the_readme() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("day.csv");
    let lines: String = (0..400).map(|n| format!("{n},2,3,pv,{}\n", 1_511_848_894 + n)).collect();
    std::fs::write(&input, lines).unwrap();
    let data_dir = dir.path().join("data");
    let input = ["--input", input.to_str().unwrap(), "--format", "taobao-csv"];
    assert!(run(&data_dir, &[&["run", "--once"][..], &input].concat()).status.success());
    assert!(run(&data_dir, &["backfill", "create", "--from", "1:0", "--to", "1:10"]).status.success());

    let audit = || run(&data_dir, &["audit", "list", "--json"]).stdout;
    let (before, mut tried) = (audit(), 0);
    for row in rows("### Mistakes") {
        let [mistake, status, promised] = row[..] else { panic!("{row:?} has not three cells") };
        let words: Vec<&str> = mistake.trim_matches('`').split(' ').collect();
        let output = run(&data_dir, &words);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status.parse().unwrap()), "{mistake}: {error}");
        assert!(says(&error, &format!("error: {promised}")), "{mistake}: `{error}` is not `{promised}`");
        assert!(status == "2" || error.trim_end().lines().count() == 1, "{mistake}: {error}");
        tried += 1;
    }
    assert!(tried >= 30, "{tried} rows of the table were found");
    assert!(String::from_utf8_lossy(&before).contains("backfill"), "the audit has what was done");
    assert_eq!(audit(), before, "a mistake changed something");
}
