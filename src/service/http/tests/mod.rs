//! Over real sockets: what callers see of a server, whatever they do.

mod access;
mod admin;
mod assembled;
mod bounds;
mod layers;
mod loris;
mod metrics;
mod phases;
mod requests;
mod stop;
mod tls;
mod world;
