//! Tokens of operators.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::denied::denied;
use super::digest::Digest;
use super::secret::usable;
use super::{BadSecret, Holder, Role};
use crate::service::config::Secret;
use crate::service::http::{Check, Code};

/// Bytes that a token must have: 16 random ones cannot be guessed.
const LEAST: usize = 16;

/// The tokens that open the admin routes. As a [`Check`] it puts the [`Holder`] into the request's extensions, or answers
/// `401`.
#[derive(Clone)]
pub struct AdminTokens(Arc<[(Digest, Holder)]>);

impl AdminTokens {
    /// Tokens by their names, each with what it allows. Several may have one name, so that one can be changed for another
    /// without a gap.
    ///
    /// # Errors
    /// The first secret that is of no use.
    pub fn new<'a>(tokens: impl IntoIterator<Item = (&'a str, Role, &'a Secret)>) -> Result<Self, BadSecret> {
        let mut known: Vec<(Digest, Holder)> = Vec::new();
        for (name, role, secret) in tokens {
            let digest = Digest::of(usable(name, secret, LEAST)?);
            if let Some((_, other)) = known.iter().find(|(known, _)| *known == digest) {
                return Err(BadSecret::Twice { name: name.to_owned(), other: other.name.to_string() });
            }
            known.push((digest, Holder { name: name.into(), role }));
        }
        Ok(Self(known.into()))
    }

    /// Whose token it is. Takes as long for each that is not known as for each that is.
    pub fn holder(&self, token: &[u8]) -> Option<Holder> {
        let presented = Digest::of(token);
        let mut found = None;
        for (digest, holder) in self.0.iter() {
            if digest.ct_eq(&presented).into() {
                found = Some(holder);
            }
        }
        found.cloned()
    }

    /// Whose tokens there are, and what they allow.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.0.iter().map(|(_, holder)| holder)
    }
}

impl Check for AdminTokens {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        if request.extensions().get::<Holder>().is_some() {
            // Asked for already, further out: callers have no way to put it there.
            return Ok(());
        }
        let holder = match bearer(request.headers()) {
            None => Err(missing()),
            Some(token) => self.holder(token).ok_or_else(unknown),
        };
        request.headers_mut().remove(AUTHORIZATION);
        request.extensions_mut().insert(holder?);
        Ok(())
    }
}

/// The token of the only `Authorization` header, if that is of the kind `Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (kind, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (kind.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

pub(super) fn missing() -> Box<Response> {
    let detail = "send a token of the configuration as `Authorization: Bearer TOKEN`";
    denied(Code::Unauthorized, detail, "Bearer realm=\"squall\"")
}

fn unknown() -> Box<Response> {
    let detail = "nobody knows this token";
    denied(Code::Unauthorized, detail, "Bearer realm=\"squall\", error=\"invalid_token\"")
}

/// Whose there are, and nothing of the tokens.
impl fmt::Debug for AdminTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.holders()).finish()
    }
}
