//! `run --role collector` and `run --role query`: what answers over HTTP.

mod alone;
mod beside;
mod services;
mod standing;

pub(super) use alone::serve_alone;
pub(super) use beside::Beside;
pub(super) use services::Shared;
pub(super) use standing::watch_topology;
