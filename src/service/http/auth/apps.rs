//! Keys of apps.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use super::BadSecret;
use super::denied::denied;
use super::digest::Digest;
use super::secret::usable;
use crate::service::config::Secret;
use crate::service::http::{Check, Code};

/// Name of the header that has the key.
pub const APP_KEY: &str = "x-app-key";

/// Bytes that a key must have. Keys of apps that run in browsers are no secrets, so that they may be short.
const LEAST: usize = 8;

/// Which app a request is of: in its extensions behind [`AppKeys`], when it has a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppId(Arc<str>);

impl AppId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for AppId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for AppId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// The keys by which callers say which app they are. As a [`Check`] it puts the [`AppId`] into the request's extensions,
/// or answers `401`: for a key that nobody knows, for more than one, and for none where one is required. Into those of a
/// request without a key, where that is allowed, it puts itself: what comes in may still claim to be of an app that has keys.
#[derive(Clone)]
pub struct AppKeys(Arc<Known>);

struct Known {
    /// By the hash of the key: how long looking one up takes says something of the hash, and nothing of the key.
    apps: HashMap<Digest, AppId>,
    ids: HashSet<AppId>,
    required: bool,
}

impl AppKeys {
    /// Keys, each with its app. An app may have several, so that one can be changed for another without a gap.
    ///
    /// # Errors
    /// The first key that is of no use.
    pub fn new<'a>(
        keys: impl IntoIterator<Item = (&'a str, &'a Secret)>,
        required: bool,
    ) -> Result<Self, BadSecret> {
        let mut apps = HashMap::new();
        for (app, key) in keys {
            let digest = Digest::of(usable(app, key, LEAST)?);
            if let Some(other) = apps.insert(digest, AppId::from(app)) {
                return Err(BadSecret::Twice { name: app.to_owned(), other: other.as_str().to_owned() });
            }
        }
        let ids = apps.values().cloned().collect();
        Ok(Self(Arc::new(Known { apps, ids, required })))
    }

    /// Whether the app of this id has a key.
    pub fn has(&self, id: &str) -> bool {
        self.0.ids.contains(id)
    }

    /// Which app has this key.
    pub fn app(&self, key: &[u8]) -> Option<&AppId> {
        self.0.apps.get(&Digest::of(key))
    }

    /// Whether a request without a key is refused.
    pub fn required(&self) -> bool {
        self.0.required
    }
}

impl Check for AppKeys {
    fn check(&self, request: &mut Request) -> Result<(), Box<Response>> {
        let mut keys = request.headers().get_all(APP_KEY).iter();
        let app = match (keys.next(), keys.next()) {
            (None, _) if self.0.required => Err(refused("send the key of your app as `x-app-key`")),
            (None, _) => Ok(None),
            (Some(key), None) => match self.app(key.as_bytes()) {
                Some(app) => Ok(Some(app.clone())),
                None => Err(refused("nobody knows this key")),
            },
            (Some(_), Some(_)) => Err(refused("send one `x-app-key`, not several")),
        };
        request.headers_mut().remove(APP_KEY);
        match app? {
            Some(app) => _ = request.extensions_mut().insert(app),
            None => _ = request.extensions_mut().insert(self.clone()),
        }
        Ok(())
    }
}

fn refused(detail: &str) -> Box<Response> {
    denied(Code::Unauthorized, detail, "AppKey realm=\"squall\", header=\"x-app-key\"")
}

/// Which apps there are, and nothing of their keys.
impl fmt::Debug for AppKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apps: BTreeSet<&str> = self.0.ids.iter().map(AppId::as_str).collect();
        f.debug_struct("AppKeys").field("apps", &apps).field("required", &self.0.required).finish()
    }
}
