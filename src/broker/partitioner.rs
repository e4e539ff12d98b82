//! The partition of a key.
