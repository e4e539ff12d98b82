//! The engine as a whole, on paused time.

mod delivery;
mod failures;
mod shapes;
mod stop;
