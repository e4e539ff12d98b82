//! A profile: per business what was done, how often, and last.

use serde_json::{Map, Value, json};
use squall::store::timeline::{LineProfile, Profile};

use super::json;
use super::table::TextTable;
use super::time::{day, moment};

/// Per business one row for each action, with the number of events on kept days and the latest of them.
pub fn profile_table(profile: &Profile) -> String {
    let mut table = TextTable::new(&["BUSINESS", "ACTION", "COUNT", "DAYS", "LATEST (UTC)", "ITEM", "SEEN (UTC)"]);
    for (business, line) in &profile.lines {
        let mut seen = format!("{} to {}", moment(line.first_ms), moment(line.last_ms));
        let mut business = business.as_str();
        for (action, latest) in &line.latest {
            let (item, _) = json::details(&latest.body);
            let (count, days) = total(line, action);
            let (count, days) = (count.to_string(), days.to_string());
            table.row([business, action, &count, &days, &moment(latest.at_ms), &item, &seen]);
            business = "";
            seen.clear();
        }
    }
    table.render()
}

/// `{"businesses": {<business>: {first_seen, last_seen, latest: {<action>: record}, counts: {<action>: {<day>: n}}}}}`.
pub fn profile_json(profile: &Profile) -> Value {
    let businesses: Map<String, Value> =
        profile.lines.iter().map(|(business, line)| (business.clone(), line_json(line))).collect();
    json!({ "businesses": businesses })
}

fn line_json(line: &LineProfile) -> Value {
    let latest: Map<String, Value> =
        line.latest.iter().map(|(action, latest)| (action.clone(), json::body(&latest.body))).collect();
    let by_day = |days: &std::collections::BTreeMap<i64, u64>| -> Map<String, Value> {
        days.iter().map(|(days, count)| (day(*days), json!(count))).collect()
    };
    let counts: Map<String, Value> =
        line.counts.iter().map(|(action, days)| (action.clone(), Value::Object(by_day(days)))).collect();
    json!({ "first_seen": line.first_ms, "last_seen": line.last_ms, "latest": latest, "counts": counts })
}

/// Events of `action`, and on how many days.
fn total(line: &LineProfile, action: &str) -> (u64, usize) {
    line.counts.get(action).map_or((0, 0), |days| (days.values().sum(), days.len()))
}
