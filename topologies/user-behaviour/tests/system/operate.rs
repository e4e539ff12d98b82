//! The operator's commands on the binary, and what a run leaves for them.

use crate::support::process::{Process, last_line, run};

#[test]
fn a_switch_that_is_set_while_nothing_runs_holds_for_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let refused = |args: &[&str], part: &str| {
        let output = run(&data_dir, args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(error.starts_with("error: ") && error.contains(part), "{error}");
    };
    refused(&["switch", "list"], "there is no log in");
    assert!(!data_dir.exists(), "a look created something");
    assert!(run(&data_dir, &["generate", "--count", "10"]).status.success());
    refused(&["switch", "on", "rows"], "--force");
    let on = ["switch", "on", "rows", "--force", "--json", "--who", "ann", "--reason", "upgrade", "--for", "2h"];
    let output = run(&data_dir, &on);
    assert!(output.status.success());
    assert_eq!(last_line(&output)["of"], 0);

    let mut process = Process::start(&data_dir, &["run"]);
    process.wait_until_running();
    // The running process answers for its log, and applies the change.
    let flipped = last_line(&run(&data_dir, &["switch", "off", "rows", "--json"]));
    assert_eq!((&flipped["of"], &flipped["applied"]), (&1.into(), &1.into()), "{flipped}");
    assert!(run(&data_dir, &on).status.success());
    process.terminate();
    assert!(process.wait().0.success());
    let last_known: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data_dir.join("control.json")).unwrap()).unwrap();
    assert_eq!(last_known["entries"]["switch/rows"]["value"], "on");

    let listed = last_line(&run(&data_dir, &["switch", "list", "--json"]));
    assert_eq!((&listed["switches"][0]["name"], &listed["switches"][0]["value"]), (&"rows".into(), &"on".into()));
    assert_eq!(listed["switches"][0]["change"]["reason"], "upgrade");
    assert_eq!(last_line(&run(&data_dir, &["workers", "list", "--json"]))["workers"], serde_json::json!([]));
    let audit = last_line(&run(&data_dir, &["audit", "list", "--json"]));
    assert_eq!((&audit["audit"][0]["who"], &audit["audit"][0]["target"]), (&"ann".into(), &"switch/rows".into()));
}

#[test]
fn a_running_spout_goes_on_where_it_is_told_and_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    assert!(run(&data_dir, &["generate", "--count", "3000", "--users", "50"]).status.success());
    let lag = || last_line(&run(&data_dir, &["lag", "--over", "0s", "--json"]))["spouts"][0].clone();
    assert_eq!(lag()["lag"], 3000);
    let refused = run(&data_dir, &["seek", "--to", "9:1"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(error.trim(), "error: behaviour has no partition 9; it has 0 to 3");

    let mut process = Process::start(&data_dir, &["run"]);
    process.wait_until_running();
    let caught_up = |lag: &dyn Fn() -> serde_json::Value| {
        for _ in 0..600 {
            if lag()["lag"] == 0 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the lag stays: {}", lag());
    };
    caught_up(&lag);
    let back = last_line(&run(&data_dir, &["seek", "--to", "earliest", "--json", "--reason", "once more"]));
    assert_eq!((&back["repeated"], &back["skipped"]), (&3000.into(), &0.into()), "{back}");
    assert_eq!((back["moved"].as_array().unwrap().len(), &back["missing"]), (4, &serde_json::json!([])), "{back}");
    caught_up(&lag);
    let audit = last_line(&run(&data_dir, &["audit", "list", "--json", "--limit", "1"]));
    assert_eq!(
        (&audit["audit"][0]["action"], &audit["audit"][0]["reason"]),
        (&"seek".into(), &"once more".into())
    );
    process.terminate();
    assert!(process.wait().0.success());
}
