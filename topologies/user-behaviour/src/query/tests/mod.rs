//! The service through its routes, over stores that do as they are told, on paused time.

mod bad_input;
mod batches;
mod cursor;
mod document;
mod fallbacks;
mod herds;
mod nodes;
mod paging;
mod profile;
mod repair;
mod stores;
mod support;
