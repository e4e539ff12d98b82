//! The limits round a router.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};

use super::{Caller, Limits};
use crate::service::http::auth::{AppId, AppKeys};
use crate::service::http::{Check, CheckLayer, Peer, Problem};

/// What a request without a known sender counts for.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl Limits {
    /// The layer for a router. It takes the [`AppId`] that [`AppKeys`](super::super::auth::AppKeys) has found and the
    /// [`Peer`] from the request's extensions, so it belongs inside of what puts them there; and it is laid round the
    /// router with [`Router::layer`](axum::Router::layer), so that the interface is known. Requests for nothing that is
    /// there count as one interface.
    pub fn layer(&self) -> CheckLayer<Self> {
        CheckLayer::new(self.clone())
    }

    /// The layer that finds the app of a request, and lets an address guess at keys no faster than it may ask.
    pub fn keys(&self, keys: AppKeys) -> CheckLayer<Guarded> {
        CheckLayer::new(Guarded { keys, limits: self.clone() })
    }
}

/// Keys of apps, where a request that they refuse counts for its address. It counts in no other dimension: what the apps
/// share is not for those that are none of them to use up.
#[derive(Debug, Clone)]
pub struct Guarded {
    keys: AppKeys,
    limits: Limits,
}

impl Check for Guarded {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        self.keys.check(request).map_err(|refused| match self.limits.guess(address(request)) {
            Ok(()) => refused,
            Err(reached) => Box::new(Problem::from(reached).into_response()),
        })
    }
}

fn address(request: &Request) -> IpAddr {
    request.extensions().get::<Peer>().map_or(NOBODY, |peer| peer.0)
}

impl Check for Limits {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        let extensions = request.extensions();
        let caller = Caller {
            app: extensions.get::<AppId>().map(AppId::as_str),
            address: address(request),
            route: extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str),
        };
        self.pass(caller).map_err(|reached| Box::new(Problem::from(reached).into_response()))
    }
}
