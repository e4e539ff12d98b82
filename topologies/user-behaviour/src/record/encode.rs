//! The canonical JSON of a record.
//!
//! Nearly no text of a record needs an escape. One that needs none is copied as it is, from text to text, so that what comes
//! out need not be looked at again to know that it is UTF-8. The others, and numbers with a fraction, are written by serde, as
//! all of it could be: both give the same bytes.

use super::{Attribute, Attributes, Behaviour};

/// Where JSON goes.
pub(super) trait Out {
    fn put(&mut self, text: &str);
}

impl Out for String {
    fn put(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Out for Vec<u8> {
    fn put(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

impl Behaviour {
    /// Appends the canonical JSON: fields in the order of the struct, attributes ordered by name and always
    /// last, no white space. Equal records encode equally. `event_id` is left out when it is empty.
    pub fn to_json(&self, out: &mut Vec<u8>) {
        self.write_json(out);
    }

    /// [`to_json`](Self::to_json), as a text, and where in it the attributes begin. They end before the last byte.
    pub(super) fn json(&self) -> (String, usize) {
        let mut out = String::with_capacity(self.about());
        self.write_before_attributes(&mut out);
        let at = out.len();
        self.write_attributes(&mut out);
        (out, at)
    }

    fn write_json(&self, out: &mut impl Out) {
        self.write_before_attributes(out);
        self.write_attributes(out);
    }

    fn write_before_attributes(&self, out: &mut impl Out) {
        out.put("{");
        if !self.event_id.is_empty() {
            text(out, "\"event_id\":", &self.event_id);
            out.put(",");
        }
        text(out, "\"user_id\":", &self.user_id);
        text(out, ",\"app_id\":", &self.app_id);
        text(out, ",\"channel\":", self.channel.as_str());
        text(out, ",\"business\":", &self.business);
        text(out, ",\"action\":", &self.action);
        text(out, ",\"item_id\":", &self.item_id);
        out.put(",\"occurred_at\":");
        whole(out, self.occurred_at);
        out.put(",\"attributes\":");
    }

    fn write_attributes(&self, out: &mut impl Out) {
        self.attributes.write_json(out);
        out.put("}");
    }

    /// About how long it is where nothing needs an escape, so that mostly nothing has to move while it is written.
    fn about(&self) -> usize {
        const NAMES: usize = r#"{"event_id":"","user_id":"","app_id":"","channel":"","business":"","action":"","item_id":"","occurred_at":,"attributes":{}}"#.len();
        const TIME: usize = "1700000000000".len();
        let texts = [&self.event_id, &self.user_id, &self.app_id, &self.business, &self.action, &self.item_id];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        let attribute = |(name, value): (&str, &Attribute)| {
            name.len() + "\"\":,".len() + if let Attribute::Text(text) = value { text.len() + 2 } else { 8 }
        };
        NAMES + TIME + texts + self.channel.as_str().len() + self.attributes.iter().map(attribute).sum::<usize>()
    }
}

impl Attributes {
    /// Appends the canonical JSON: ordered by name, no white space.
    pub fn to_json(&self, out: &mut Vec<u8>) {
        self.write_json(out);
    }

    fn write_json(&self, out: &mut impl Out) {
        let mut before = "{";
        for (name, value) in self.iter() {
            out.put(before);
            text(out, "", name);
            out.put(":");
            match value {
                Attribute::Text(value) => text(out, "", value),
                Attribute::Int(number) => whole(out, *number),
                Attribute::Float(number) => by_serde(out, number),
                Attribute::Bool(truth) => out.put(if *truth { "true" } else { "false" }),
            }
            before = ",";
        }
        out.put(if self.is_empty() { "{}" } else { "}" });
    }
}

/// `value` in quotes, behind `name`.
fn text(out: &mut impl Out, name: &str, value: &str) {
    out.put(name);
    if needs_escape(value) {
        by_serde(out, value);
    } else {
        out.put("\"");
        out.put(value);
        out.put("\"");
    }
}

/// Each byte is looked at, whatever the ones before it were: so the processor can look at several at once.
fn needs_escape(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\'))
}

fn whole(out: &mut impl Out, number: i64) {
    out.put(itoa::Buffer::new().format(number));
}

fn by_serde<T: serde::Serialize + ?Sized>(out: &mut impl Out, value: &T) {
    out.put(&serde_json::to_string(value).expect("texts and numbers always encode into memory"));
}
