//! A service over HTTP, as far as all services have the same.

use super::{AppsConfig, HttpConfig, LimitsConfig, ShedConfig};
use crate::service::http::ServiceSettings;
use crate::topology::Result;

/// What a service has round its routes: `[<service>.http]`, `[<service>.apps]`, `[<service>.limits]`, `[<service>.shed]`.
#[derive(Debug, Clone, Copy)]
pub struct ServiceConfig<'a> {
    /// The server.
    pub http: &'a HttpConfig,
    /// Who calls.
    pub apps: &'a AppsConfig,
    /// How many requests it takes.
    pub limits: &'a LimitsConfig,
    /// How many it works at at once.
    pub shed: &'a ShedConfig,
}

impl ServiceConfig<'_> {
    /// The settings of the service whose section is `key`.
    ///
    /// # Errors
    /// The first value that cannot be meant, by its key.
    pub fn settings(&self, key: &str) -> Result<ServiceSettings> {
        Ok(ServiceSettings {
            http: self.http.settings(&format!("{key}.http"))?,
            apps: self.apps.settings(&format!("{key}.apps"))?,
            limits: self.limits.settings(&format!("{key}.limits"))?,
            shed: self.shed.settings(&format!("{key}.shed"))?,
            cors: None,
        })
    }
}
