//! What a token allows.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::denied::denied;
use crate::service::http::{Check, Code};

/// What a token allows; each allows what those before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// To look.
    Read,
    /// To change.
    Operate,
}

impl Role {
    /// Its word in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }
}

/// Whose token a request has: in its extensions behind [`AdminTokens`](super::AdminTokens).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Name of the token, which stands in the audit.
    pub name: Arc<str>,
    /// What it allows.
    pub role: Role,
}

/// Lets only requests pass whose token allows this: `403` for others, and `401` where no token was looked for.
#[derive(Debug, Clone, Copy)]
pub struct RequireRole(pub Role);

impl Check for RequireRole {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        let Self(needed) = *self;
        match request.extensions().get::<Holder>() {
            Some(holder) if holder.role >= needed => Ok(()),
            Some(holder) => {
                let (has, needed) = (holder.role.as_str(), needed.as_str());
                let detail = format!("the token `{}` has the role {has}; this needs {needed}", holder.name);
                Err(denied(Code::Forbidden, detail, "Bearer realm=\"squall\", error=\"insufficient_scope\""))
            }
            None => Err(super::tokens::missing()),
        }
    }
}
