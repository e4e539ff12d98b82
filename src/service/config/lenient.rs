//! What a command line that runs no topology needs of its configuration.

use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, Source, load};
use crate::service::connect::BrokerConfig;

/// The log and the topics of a topology's configuration. Unlike the topology itself it leaves alone what else stands
/// there: only the topology knows those keys.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OperatorConfig {
    /// The log.
    pub broker: BrokerConfig,
    /// The topics.
    pub source: OperatorSource,
}

/// `[source]`, as far as an operator needs it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OperatorSource {
    /// Topic of the records.
    pub topic: Option<String>,
    /// Topic of the dead letters.
    pub dead_letters: Option<String>,
}

impl OperatorConfig {
    /// Reads a topology's file, with overrides as [`load`] takes them.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the remedy when there is no such file, or what is wrong with it.
    pub fn load(file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        if !file.exists() {
            return Err(ConfigError::Invalid {
                file: file.display().to_string(),
                key: "--config".into(),
                reason: "there is no such file; give the topology's configuration, or run where its folder \
                         `config` is"
                    .into(),
            });
        }
        load(&Source::File(file.to_owned()), overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::connect::BrokerKind;

    #[test]
    fn only_the_log_and_the_dead_letters_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("own.toml");
        let text = "own = 1\n[source]\ntopic = 't'\ndead_letters = 'd'\n[broker]\nkind = 'kafka'\n[else]\nx = 2\n";
        std::fs::write(&file, text).unwrap();
        let config = OperatorConfig::load(&file, &["source.dead_letters=e".into(), "any.thing=1".into()]).unwrap();
        assert_eq!(config.broker.kind, BrokerKind::Kafka);
        assert_eq!(config.source.dead_letters.as_deref(), Some("e"));
        std::fs::write(&file, "[broker]\nkidn = 'kafka'\n").unwrap();
        let error = OperatorConfig::load(&file, &[]).unwrap_err().to_string();
        assert!(error.contains("broker.kidn") && error.contains("did you mean `kind`?"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named_with_the_remedy() {
        let error = OperatorConfig::load(Path::new("/no/such.toml"), &[]).unwrap_err().to_string();
        assert!(error.starts_with("/no/such.toml: --config: there is no such file; give"), "{error}");
    }
}
