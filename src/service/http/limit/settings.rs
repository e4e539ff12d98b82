//! The limits of a service while no operator has changed them.

use crate::guard::{KeyedSettings, Limit};

use super::Dimension;

/// The limits of a service while no operator has changed them, and the bounds of their memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Of each app; `None` = no limit.
    pub app: Option<Limit>,
    /// Of each address.
    pub ip: Option<Limit>,
    /// Of each interface.
    pub route: Option<Limit>,
    /// Of all requests.
    pub service: Option<Limit>,
    /// Addresses that are remembered at most; likewise apps. What happens beyond is described at
    /// [`Keyed`](crate::guard::Keyed).
    pub keys: KeyedSettings,
    /// Leading bits of an IPv6 address that count as one caller, 1 to 128: whoever has a line has a whole network of it.
    pub ipv6_prefix: u8,
}

impl LimitSettings {
    /// The limit of a dimension.
    pub fn of(&self, dimension: Dimension) -> Option<Limit> {
        match dimension {
            Dimension::App => self.app,
            Dimension::Ip => self.ip,
            Dimension::Route => self.route,
            Dimension::Service => self.service,
        }
    }
}

impl Default for LimitSettings {
    /// No limits, 1,048,576 addresses, IPv6 by networks of 64 bits.
    fn default() -> Self {
        Self { app: None, ip: None, route: None, service: None, keys: KeyedSettings::default(), ipv6_prefix: 64 }
    }
}
