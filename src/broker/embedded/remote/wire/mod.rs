//! What goes over the socket, as bytes.
//!
//! Numbers are LEB128, signed ones zigzag; a text or a list begins with its length; what may be missing begins with 0
//! or 1. Bytes from outside may be anything: what cannot be read is `None`, never a panic, and takes memory in
//! proportion to what has arrived, not to what it promises.

mod fault;
mod greeting;
mod link;
mod member;
mod parts;
mod records;
mod reply;
mod request;

pub(super) use greeting::{GREETING_BYTES, Greeting, frame_bytes, hello, is_hello};
pub(super) use link::{FrameError, Link};
pub(super) use member::Hold;
pub(super) use reply::Reply;
pub(super) use request::Request;

#[cfg(test)]
pub(super) use fault::{KNOWN, put_error, read_error};
#[cfg(test)]
pub(super) use greeting::VERSION;
