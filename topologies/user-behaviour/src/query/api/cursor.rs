//! The token of a place in a list.
//!
//! base64url without padding, of: a version byte; eight bytes that check the place and the filters; the time, big-endian;
//! the event id. It is no secret and grants nothing: the check tells a token of another question, and a damaged one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::Xxh3;

use crate::query::read::{Ask, Place};
use crate::record::{MAX_ID, MAX_OCCURRED_AT};

const VERSION: u8 = 1;
const HEAD: usize = 1 + 8 + 8;

/// The token for `place` in the list of `ask`.
pub fn token(ask: &Ask, place: &Place) -> String {
    let mut bytes = Vec::with_capacity(HEAD + place.id.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&check(ask, place).to_be_bytes());
    bytes.extend_from_slice(&place.at_ms.to_be_bytes());
    bytes.extend_from_slice(place.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that `token` names in the list of `ask`; `None` when it is not one of that list.
pub fn place(ask: &Ask, token: &str) -> Option<Place> {
    // Base64 of the longest, so that nothing long is decoded.
    if token.len() > (HEAD + MAX_ID).div_ceil(3) * 4 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (head, id) = bytes.split_at_checked(HEAD)?;
    let number = |at: usize| head[at..at + 8].try_into().map(u64::from_be_bytes).ok();
    let id = std::str::from_utf8(id).ok().filter(|id| (1..=MAX_ID).contains(&id.len()))?;
    let place = Place { at_ms: number(9)?.cast_signed(), id: id.into() };
    let valid =
        head[0] == VERSION && (0..=MAX_OCCURRED_AT).contains(&place.at_ms) && number(1)? == check(ask, &place);
    valid.then_some(place)
}

/// Of everything that the list is of, and the place in it. The limit is not part of it: pages may differ in size.
fn check(ask: &Ask, place: &Place) -> u64 {
    let mut hash = Xxh3::with_seed(u64::from(VERSION));
    let mut put = |text: Option<&str>| {
        // The length first: no two lists of texts give the same bytes.
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        hash.update(&length.to_be_bytes());
        hash.update(text.unwrap_or_default().as_bytes());
    };
    put(Some(&ask.user));
    put(ask.business.as_deref());
    put(ask.action.as_deref());
    put(Some(&place.id));
    hash.update(&place.at_ms.to_be_bytes());
    hash.digest()
}
