//! The id of a record whose client gave none.

use compact_str::{CompactString, format_compact};

use super::Behaviour;

impl Behaviour {
    /// The id that stands for this content: 32 hexadecimal digits, the 128-bit XXH3 hash of all fields but
    /// `event_id`, each after its length as a little-endian 64-bit number, attributes as canonical JSON.
    ///
    /// The same content always gets the same id, so that a resend is the same event. Different contents of
    /// one user get different ids unless somebody constructs a collision, which only hurts that user.
    pub fn derive_event_id(&self) -> CompactString {
        let mut attributes = Vec::new();
        self.attributes.to_json(&mut attributes);
        let fields: [&[u8]; 8] = [
            self.user_id.as_bytes(),
            self.app_id.as_bytes(),
            self.channel.as_str().as_bytes(),
            self.business.as_bytes(),
            self.action.as_bytes(),
            self.item_id.as_bytes(),
            &self.occurred_at.to_le_bytes(),
            &attributes,
        ];
        let mut content = Vec::with_capacity(fields.iter().map(|field| field.len() + 8).sum());
        for field in fields {
            content.extend_from_slice(&(field.len() as u64).to_le_bytes());
            content.extend_from_slice(field);
        }
        format_compact!("{:032x}", xxhash_rust::xxh3::xxh3_128(&content))
    }
}
