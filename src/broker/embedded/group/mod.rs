//! Consumer groups of this process: who has which partition.
//!
//! [`Membership`] is a pure state machine over one group's members of one topic; [`Groups`] holds all of them under
//! one short lock. Assignment is cooperative: only partitions that must move are revoked; the others go on. A
//! revoked partition goes to its next owner when it is released, or when the drain timeout of its owner has
//! passed, which whoever polls the group notices.

mod membership;
mod registry;

#[cfg(test)]
mod tests;

pub(super) use membership::{Change, Grant, Membership};
pub(super) use registry::Groups;
