//! Arguments that every command line of a topology has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::config::{ConfigError, Source, load};
use crate::topology::Graph;

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Configuration file; without it the one that the binary carries for the profile.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which of the binary's own configurations to use.
    #[arg(long, global = true, default_value = "embedded", value_name = "NAME")]
    pub profile: String,
    /// Folder for everything that the embedded profile keeps.
    #[arg(long, global = true, default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Overrides one value, such as topology.operators.rows.parallelism=8; may be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// A configuration that a binary carries.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// What `--profile` calls it.
    pub name: &'static str,
    /// Name of the file it was made from.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl CommonArgs {
    /// Loads the configuration that these arguments ask for.
    ///
    /// # Errors
    /// An unknown profile, or whatever is wrong with the file or an override.
    pub fn load<T: serde::de::DeserializeOwned>(&self, profiles: &[Profile]) -> Result<T, ConfigError> {
        if let Some(file) = &self.config {
            return load(&Source::File(file.clone()), &self.overrides);
        }
        let known = || profiles.iter().map(|profile| profile.name);
        let profile = profiles.iter().find(|profile| profile.name == self.profile).ok_or_else(|| {
            let names: Vec<_> = known().collect();
            ConfigError::Invalid {
                file: "command line".into(),
                key: "--profile".into(),
                reason: format!("there is no profile `{}`; known are {}", self.profile, names.join(", ")),
            }
        })?;
        load(&Source::Embedded { name: profile.file, text: profile.text }, &self.overrides)
    }
}

/// How a graph is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
}

impl GraphFormat {
    /// The graph in this format.
    pub fn show(self, graph: &Graph) -> String {
        match self {
            GraphFormat::Text => graph.to_text(),
            GraphFormat::Json => graph.to_json(),
            GraphFormat::Mermaid => graph.to_mermaid(),
            GraphFormat::Dot => graph.to_dot(),
        }
    }
}
