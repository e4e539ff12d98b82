//! What the tests of the binary share: the binary as a child process, the servers it runs on, and the verifier.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub(crate) mod cluster;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod verify;
