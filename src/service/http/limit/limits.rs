//! The four dimensions together.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::{Dimension, LimitSettings, Reached};
use crate::control::Control;
use crate::guard::{Clock, Direct, Exceeded, Keyed, LiveLimit};

/// Who asks, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller<'a> {
    /// Whose key it has; `None` without one.
    pub app: Option<&'a str>,
    /// Where it comes from.
    pub address: IpAddr,
    /// Which interface it is for, without the values of its parameters.
    pub route: &'a str,
}

/// The limits of a service. Clones are the same.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: Keyed,
    ip: Keyed,
    route: Keyed,
    service: Direct,
    ipv6_prefix: u8,
    clock: Clock,
}

impl Limits {
    /// The limits `<service>.app`, `.ip`, `.route` and `.service`, which an operator changes while they hold.
    pub fn follow(control: &Control, service: &str, settings: &LimitSettings, clock: Clock) -> Self {
        let live = |dimension: Dimension| {
            control.limit(&format!("{service}.{}", dimension.as_str()), settings.of(dimension))
        };
        Self::over(live, settings, clock)
    }

    /// Limits that nobody changes.
    pub fn fixed(settings: &LimitSettings, clock: Clock) -> Self {
        Self::over(|dimension| LiveLimit::new(settings.of(dimension)), settings, clock)
    }

    pub(super) fn over(live: impl Fn(Dimension) -> LiveLimit, settings: &LimitSettings, clock: Clock) -> Self {
        let keyed = |dimension| Keyed::new(live(dimension), settings.keys);
        Self(Arc::new(Inner {
            app: keyed(Dimension::App),
            ip: keyed(Dimension::Ip),
            route: keyed(Dimension::Route),
            service: Direct::new(live(Dimension::Service)),
            ipv6_prefix: settings.ipv6_prefix.clamp(1, 128),
            clock,
        }))
    }

    /// Whether a request may be taken now. It counts then.
    ///
    /// # Errors
    /// The first limit that is reached; the request does not count.
    pub fn pass(&self, caller: Caller<'_>) -> Result<(), Reached> {
        self.pass_at(caller, self.0.clock.now())
    }

    /// The same at a time that is given, counted from any fixed moment.
    ///
    /// # Errors
    /// As [`pass`](Self::pass).
    pub fn pass_at(&self, caller: Caller<'_>, now: Duration) -> Result<(), Reached> {
        let Inner { app, ip, route, service, .. } = &*self.0;
        let Caller { app: of_app, route: of_route, .. } = caller;
        let network = self.network(caller.address);
        of(Dimension::App, app.look(of_app, now))?;
        of(Dimension::Ip, ip.look(network, now))?;
        of(Dimension::Route, route.look(of_route, now))?;
        of(Dimension::Service, service.take(now))?;
        of(Dimension::Route, route.take(of_route, now))?;
        of(Dimension::Ip, ip.take(network, now))?;
        of(Dimension::App, app.take(of_app, now))
    }

    /// Whether there is a limit now for keys that are refused.
    pub(in crate::service::http) fn bounds_guesses(&self) -> bool {
        self.0.ip.is_limited()
    }

    /// Whether an address may be told that its key is refused. That counts then, for the address alone.
    pub(super) fn guess(&self, address: IpAddr) -> Result<(), Reached> {
        of(Dimension::Ip, self.0.ip.take(self.network(address), self.0.clock.now()))
    }

    /// What an address counts for: an IPv4 address for itself, also when it is written as one of IPv6.
    fn network(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let mask = u128::MAX << (128 - u32::from(self.0.ipv6_prefix));
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
            v4 => v4,
        }
    }
}

fn of(dimension: Dimension, outcome: Result<(), Exceeded>) -> Result<(), Reached> {
    outcome.map_err(|exceeded| Reached { dimension, exceeded })
}
