//! The limits round a router.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};

use super::{Caller, Limits};
use crate::service::http::auth::AppId;
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
}

impl Check for Limits {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        let extensions = request.extensions();
        let caller = Caller {
            app: extensions.get::<AppId>().map(AppId::as_str),
            address: extensions.get::<Peer>().map_or(NOBODY, |peer| peer.0),
            route: extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str),
        };
        self.pass(caller).map_err(|reached| Box::new(Problem::from(reached).into_response()))
    }
}
