//! The interface: what may be asked, what is answered, and the document that says so.
//!
//! # Stale answers
//!
//! A caller that would rather have an old answer than none says so as HTTP does: `Cache-Control: max-stale`, for any age
//! up to `stale_ms`, or `max-stale=<seconds>`. What it gets then has `source` `stale` and `as_of` as it was.
//!
//! # Cursors
//!
//! `next` of an answer, given back as `before`, is the place of its last record, not a number of records: what arrives
//! meanwhile moves nothing, and it does not matter which store answers. An event that is written again with another time
//! moves to where that belongs.

mod answer;
mod cursor;
mod document;
mod handlers;
mod params;
mod unavailable;

pub use answer::{BatchAnswer, BatchResult, BusinessProfile, Freshness, PageAnswer, ProfileAnswer};
pub use cursor::{place as cursor_place, token as cursor_token};
pub use document::ApiDocument;
pub(super) use handlers::{behaviours, many, openapi, profile};
pub use params::page as page_of;
