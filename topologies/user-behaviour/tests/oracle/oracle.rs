//! What must be stored, computed from the written rules alone.
//!
//! Written from the description of the system and of the timelines: it keeps every version of every event and
//! computes rows, timelines and profiles from all of them at once, where the stores work write by write. It
//! uses nothing of the package and nothing of squall.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

pub(crate) const DAY_MS: i64 = 86_400_000;

/// A record, field by field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fields {
    pub(crate) event_id: String,
    pub(crate) user_id: String,
    pub(crate) app_id: String,
    pub(crate) channel: String,
    pub(crate) business: String,
    pub(crate) action: String,
    pub(crate) item_id: String,
    pub(crate) occurred_at: i64,
    pub(crate) attributes: BTreeMap<String, Value>,
}

/// A row as the table holds it.
pub(crate) type Rows = BTreeMap<(String, String), Fields>;

/// The latest entry of an action: time and id.
pub(crate) type Latest = BTreeMap<String, (i64, String)>;

/// What is known of a user in one business.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) latest: Latest,
    pub(crate) counts: BTreeMap<String, BTreeMap<i64, u64>>,
}

/// All versions of all events, in order of arrival.
#[derive(Default)]
pub(crate) struct Oracle {
    versions: BTreeMap<String, Vec<Fields>>,
    /// Content without id → id, of the records whose id was derived.
    derived: HashMap<String, String>,
    taken: HashMap<(String, String), String>,
}

impl Oracle {
    /// Takes a line `user,item,category,behaviour,unix seconds`. `id` is what the program derived for it.
    pub(crate) fn taobao(&mut self, line: &str, id: &str) -> Fields {
        let columns: Vec<&str> = line.trim_end_matches(['\r', '\n']).split(',').collect();
        let [user, item, category, behaviour, seconds] = columns[..] else { panic!("not five columns: {line}") };
        let action = match behaviour {
            "pv" => "view",
            "buy" => "order",
            "cart" => "cart",
            "fav" => "favourite",
            other => panic!("behaviour {other}"),
        };
        let fields = Fields {
            event_id: id.to_owned(),
            user_id: user.to_owned(),
            app_id: "taobao".to_owned(),
            channel: "app".to_owned(),
            business: "retail".to_owned(),
            action: action.to_owned(),
            item_id: item.to_owned(),
            occurred_at: seconds.parse::<i64>().unwrap() * 1000,
            attributes: BTreeMap::from([("category".to_owned(), Value::from(category))]),
        };
        self.derived_id(&fields);
        self.add(fields.clone());
        fields
    }

    /// Takes a JSON object. `id` is what the program derived for it, if it has none.
    pub(crate) fn json(&mut self, value: &[u8], id: &str) -> Fields {
        let Value::Object(mut object) = serde_json::from_slice(value).unwrap() else { panic!("not an object") };
        let mut text = |name: &str| match object.remove(name) {
            Some(Value::String(text)) => Some(text),
            None => None,
            Some(other) => panic!("{name} is {other}"),
        };
        let given = text("event_id");
        let mut fields = Fields {
            event_id: given.clone().unwrap_or_else(|| id.to_owned()),
            user_id: text("user_id").unwrap(),
            app_id: text("app_id").unwrap(),
            channel: text("channel").unwrap(),
            business: text("business").unwrap(),
            action: text("action").unwrap(),
            item_id: text("item_id").unwrap_or_default(),
            occurred_at: 0,
            attributes: BTreeMap::new(),
        };
        fields.occurred_at = object.remove("occurred_at").unwrap().as_i64().unwrap();
        if let Some(Value::Object(attributes)) = object.remove("attributes") {
            fields.attributes.extend(attributes);
        }
        fields.attributes.extend(object);
        if given.is_none() {
            self.derived_id(&fields);
        }
        self.add(fields.clone());
        fields
    }

    /// Takes a record as it is.
    pub(crate) fn add(&mut self, fields: Fields) {
        self.versions.entry(fields.user_id.clone()).or_default().push(fields);
    }

    /// A derived id has 1 to 64 bytes, is the same for the same content, and another for other content.
    fn derived_id(&mut self, fields: &Fields) {
        let id = fields.event_id.clone();
        assert!((1..=64).contains(&id.len()), "derived id `{id}`");
        let content = format!("{:?}", Fields { event_id: String::new(), ..fields.clone() });
        let before = self.derived.insert(content.clone(), id.clone());
        assert!(before.is_none_or(|before| before == id), "one content, two ids: {content}");
        let before = self.taken.insert((fields.user_id.clone(), id), content.clone());
        assert!(before.is_none_or(|before| before == content), "two contents, one id: {content}");
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// One row per user and event: its newest version, the last to arrive of equal ones.
    pub(crate) fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for fields in self.versions.values().flatten() {
            let key = (fields.user_id.clone(), fields.event_id.clone());
            let newer = rows.get(&key).is_none_or(|row| fields.occurred_at >= row.occurred_at);
            if newer {
                rows.insert(key, fields.clone());
            }
        }
        rows
    }

    /// The timeline of a user in one business, newest first.
    pub(crate) fn timeline(&self, user: &str, business: &str, keep: usize, max_age_ms: i64) -> Vec<Fields> {
        let mut events: BTreeMap<&str, &Fields> = BTreeMap::new();
        for fields in self.of(user).iter().filter(|fields| fields.business == business) {
            let newer = events.get(&*fields.event_id).is_none_or(|event| fields.occurred_at >= event.occurred_at);
            if newer {
                events.insert(&fields.event_id, fields);
            }
        }
        let mut timeline: Vec<_> = events.into_values().cloned().collect();
        timeline.sort_by_key(|fields| std::cmp::Reverse((fields.occurred_at, fields.event_id.clone())));
        let newest = timeline.first().map_or(0, |fields| fields.occurred_at);
        timeline.retain(|fields| fields.occurred_at > newest - max_age_ms);
        timeline.truncate(keep);
        timeline
    }

    /// The profile of a user, by business.
    pub(crate) fn profile(&self, user: &str, count_days: i64) -> BTreeMap<String, Line> {
        let newest_day = self.of(user).iter().map(day).max().unwrap_or(0);
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for fields in self.of(user) {
            let (at, id) = (fields.occurred_at, &fields.event_id);
            let fresh = Line { first_ms: at, last_ms: at, ..Line::default() };
            let line = lines.entry(fields.business.clone()).or_insert(fresh);
            line.first_ms = line.first_ms.min(at);
            line.last_ms = line.last_ms.max(at);
            let latest = line.latest.entry(fields.action.clone()).or_insert((at, id.clone()));
            *latest = latest.clone().max((at, id.clone()));
            let kept = day(fields) > newest_day - count_days;
            if kept && counted.insert((&fields.business, &fields.action, day(fields), id)) {
                *line.counts.entry(fields.action.clone()).or_default().entry(day(fields)).or_default() += 1;
            }
        }
        lines
    }

    fn of(&self, user: &str) -> &[Fields] {
        self.versions.get(user).map_or(&[], Vec::as_slice)
    }
}

fn day(fields: &Fields) -> i64 {
    fields.occurred_at.div_euclid(DAY_MS)
}
