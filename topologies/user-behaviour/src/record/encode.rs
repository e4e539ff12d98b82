//! The canonical JSON of a record.

use serde::Serialize;

use super::{Attributes, Behaviour};

impl Behaviour {
    /// Appends the canonical JSON: fields in the order of the struct, attributes ordered by name and always
    /// last, no white space. Equal records encode equally. `event_id` is left out when it is empty.
    pub fn to_json(&self, out: &mut Vec<u8>) {
        self.write_json(out);
    }

    /// [`to_json`](Self::to_json); returns where in `out` the attributes begin. They end before the last byte.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) -> usize {
        out.push(b'{');
        if !self.event_id.is_empty() {
            member(out, "\"event_id\":", self.event_id.as_str());
            out.push(b',');
        }
        member(out, "\"user_id\":", self.user_id.as_str());
        member(out, ",\"app_id\":", self.app_id.as_str());
        member(out, ",\"channel\":", self.channel.as_str());
        member(out, ",\"business\":", self.business.as_str());
        member(out, ",\"action\":", self.action.as_str());
        member(out, ",\"item_id\":", self.item_id.as_str());
        member(out, ",\"occurred_at\":", &self.occurred_at);
        out.extend_from_slice(b",\"attributes\":");
        let at = out.len();
        self.attributes.to_json(out);
        out.push(b'}');
        at
    }
}

impl Attributes {
    /// Appends the canonical JSON: ordered by name, no white space.
    pub fn to_json(&self, out: &mut Vec<u8>) {
        member(out, "", self);
    }
}

fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    out.extend_from_slice(name.as_bytes());
    serde_json::to_writer(out, value).expect("texts, numbers and maps of them always encode into memory");
}
