//! Secrets as they are kept.

use ring::digest::{SHA256, digest};
use subtle::{Choice, ConstantTimeEq};

/// SHA-256 of a secret: of one length, and of no use to whoever sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(secret: &[u8]) -> Self {
        let hashed = digest(&SHA256, secret);
        Self(hashed.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0[..].ct_eq(&other.0[..])
    }
}
