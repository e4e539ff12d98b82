//! Configuration: TOML text, overrides from the command line, one checked type.
//!
//! A topology's binary carries its default files, one per profile; `--config` replaces the file, `--set key=value`
//! overrides single values. Every key is known: an unknown or ill-typed one names the file, the key, what was expected
//! and the nearest valid key.

mod error;
mod lenient;
mod load;
mod secret;

pub use error::ConfigError;
pub use lenient::{OperatorConfig, OperatorSource};
pub use load::{Source, load};
pub use secret::Secret;
