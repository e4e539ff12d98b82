//! The sink over a producer.
