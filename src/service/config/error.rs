//! What can be wrong with a configuration.

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not TOML.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file, or the `--set` at fault.
        file: String,
        /// Line, column and what was expected.
        reason: String,
    },
    /// A key is unknown, missing or of the wrong type.
    #[error("{file}: {key}: {reason}{}", nearest.as_ref().map(|known| format!("; did you mean `{known}`?")).unwrap_or_default())]
    Key {
        /// The file it was read from.
        file: String,
        /// Path of the key.
        key: String,
        /// What was expected.
        reason: String,
        /// The nearest valid key.
        nearest: Option<String>,
    },
    /// Values that are valid one by one and not together.
    #[error("{file}: {key}: {reason}")]
    Invalid {
        /// The file it was read from.
        file: String,
        /// Path of the key.
        key: String,
        /// What is wrong, and what is valid.
        reason: String,
    },
}
