//! The conformance suite of logs.
