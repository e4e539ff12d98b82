//! Who calls: tokens of operators, and keys of apps.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`AdminTokens`] | the tokens that open the admin routes: `Authorization: Bearer` |
//! | [`Role`] [`Holder`] | what a token allows, and whose it is |
//! | [`RequireRole`] | lets only tokens of a role pass, behind [`AdminTokens`] |
//! | [`AppKeys`] | the keys by which callers say which app they are: `x-app-key` |
//! | [`AppId`] | which app a request is of |
//!
//! Both are known here by their SHA-256 only. What a caller presents is hashed too, so that neither the length nor the
//! bytes of a secret show in the time that a comparison takes; tokens are compared in constant time besides, all of them
//! for each request. The header is taken out of the request once it was looked at, so that nothing behind it can log it.

mod apps;
mod denied;
mod digest;
mod role;
mod secret;
#[cfg(test)]
mod tests;
mod tokens;

pub use apps::{APP_KEY, AppId, AppKeys};
pub use role::{Holder, RequireRole, Role};
pub use secret::BadSecret;
pub use tokens::AdminTokens;
