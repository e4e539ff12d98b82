//! The spout over a consumer.
