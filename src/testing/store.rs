//! The conformance suites of stores.
