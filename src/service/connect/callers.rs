//! Who may operate a topology over HTTP, and which apps call its services.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::TlsConfig;
use crate::service::config::Secret;
use crate::service::http::TlsSettings;
use crate::service::http::auth::{AdminTokens, AppKeys, Role};
use crate::topology::{Error, Result};

/// Where the admin routes are when the configuration does not say.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9470);

/// `[admin]`: the routes by which an operator looks and changes. There are none without a token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Their address, which is one of their own; `127.0.0.1:9470` if not given.
    pub listen: Option<SocketAddr>,
    /// The tokens that open them.
    pub tokens: Vec<TokenConfig>,
    /// TLS, which an address beyond loopback must have: a token that is read on its way opens everything.
    pub tls: Option<TlsConfig>,
}

/// `[[admin.tokens]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Whose it is, for the audit. Two may have the same name while one is changed for the other.
    pub name: String,
    /// `read`, or `operate`, which may read too.
    pub role: Role,
    /// The token: 16 bytes or more, best as `env:NAME` or `file:PATH`.
    pub token: Secret,
}

/// The admin routes as they are to be.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Their address.
    pub listen: SocketAddr,
    /// The tokens that open them.
    pub tokens: AdminTokens,
    /// TLS; none on loopback unless given.
    pub tls: Option<TlsSettings>,
}

impl AdminConfig {
    /// The settings; `None` when there are to be no admin routes.
    ///
    /// # Errors
    /// A token that is of no use, or none for an address that is given.
    pub fn settings(&self) -> Result<Option<AdminSettings>> {
        if self.tokens.is_empty() {
            return match self.listen {
                None => Ok(None),
                Some(_) => Err(Error::fatal(
                    "admin.listen is given but no token is; give admin.tokens, or leave both out for no admin routes",
                )),
            };
        }
        if self.tokens.iter().any(|token| token.name.trim().is_empty()) {
            return Err(Error::fatal("admin.tokens: each needs a name, which stands in the audit"));
        }
        let tokens = self.tokens.iter().map(|token| (token.name.as_str(), token.role, &token.token));
        let tokens = AdminTokens::new(tokens).map_err(|error| Error::fatal(format!("admin.tokens: {error}")))?;
        let (listen, tls) = (self.listen.unwrap_or(LISTEN), self.tls.as_ref().map(TlsConfig::settings));
        if !listen.ip().is_loopback() && tls.is_none() {
            return Err(Error::fatal(format!(
                "admin.listen is {listen}, where tokens could be read on their way; give admin.tls, or listen on loopback"
            )));
        }
        Ok(Some(AdminSettings { listen, tokens, tls }))
    }
}

/// `[operations]`: where a process says how it is. Nowhere without an address; services say it at theirs, too.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationsConfig {
    /// Address of `/healthz`, `/readyz` and `/metrics`.
    pub listen: Option<SocketAddr>,
}

/// The apps that call a service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppsConfig {
    /// Whether a request without a key is refused; `false` if not given. One with a key that nobody knows always is.
    pub required: bool,
    /// The keys of each app: a list, so that a new one holds before the old one goes. Each has 8 bytes or more.
    pub keys: BTreeMap<String, Vec<Secret>>,
}

impl AppsConfig {
    /// The keys of the section `key`.
    ///
    /// # Errors
    /// A key that is of no use; an id that is none; that one is required where there is none.
    pub fn settings(&self, key: &str) -> Result<AppKeys> {
        if let Some(app) = self.keys.keys().find(|app| !(1..=32).contains(&app.len())) {
            return Err(Error::fatal(format!("{key}.keys: `{app}` is no app id; one has 1 to 32 bytes")));
        }
        let keys: Vec<_> =
            self.keys.iter().flat_map(|(app, keys)| keys.iter().map(move |key| (app.as_str(), key))).collect();
        if self.required && keys.is_empty() {
            return Err(Error::fatal(format!(
                "{key}.required is true but {key}.keys has none, so nobody could call; give keys, or set it to false"
            )));
        }
        AppKeys::new(keys, self.required).map_err(|error| Error::fatal(format!("{key}.keys: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(text: &str) -> std::result::Result<Option<AdminSettings>, String> {
        let config: AdminConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn there_are_no_admin_routes_without_a_token() {
        assert!(admin("").unwrap().is_none());
        let error = admin("listen = '127.0.0.1:1'").unwrap_err();
        assert!(error.contains("admin.listen") && error.contains("admin.tokens"), "{error}");
        let token = "[[tokens]]\nname = 'ann'\nrole = 'read'\ntoken = '0123456789abcdef'\n";
        let settings = admin(token).unwrap().unwrap();
        assert_eq!((settings.listen, settings.listen.ip().is_loopback()), (LISTEN, true));
        assert_eq!(settings.tokens.holder(b"0123456789abcdef").unwrap().role, Role::Read);
        let settings = admin(&format!("listen = '[::1]:7'\n{token}")).unwrap().unwrap();
        assert_eq!(settings.listen.to_string(), "[::1]:7");
        let error = admin(&format!("listen = '10.0.0.1:7'\n{token}")).unwrap_err();
        assert!(error.contains("give admin.tls"), "{error}");
        let tls = "tls = { certificate = 'a.crt', key = 'a.key' }";
        assert!(admin(&format!("listen = '10.0.0.1:7'\n{tls}\n{token}")).unwrap().unwrap().tls.is_some());
    }

    #[test]
    fn tokens_of_no_use_are_refused_and_not_shown() {
        let secret = "sesame-open";
        let one = |name: &str, role: &str, token: &str| {
            format!("[[tokens]]\nname = '{name}'\nrole = '{role}'\ntoken = '{token}'\n")
        };
        let long = format!("{secret}-{secret}");
        for (text, part) in [
            (one("ann", "read", secret), "admin.tokens: the secret of `ann` is too short"),
            (one("ann", "read", ""), "too short"),
            (one("", "read", &long), "needs a name"),
            (one("ann", "read", &format!("{long} x")), "cannot be sent"),
            (one("ann", "read", &long) + &one("bob", "operate", &long), "`bob` has the secret of `ann`"),
            (one("ann", "root", &long), "unknown variant `root`"),
        ] {
            let error = admin(&text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let config: AdminConfig = toml::from_str(&one("ann", "read", &long)).unwrap();
        let shown = format!("{config:?} {:?}", config.settings().unwrap());
        assert!(!shown.contains(secret) && shown.contains("ann"), "{shown}");
    }

    #[test]
    fn apps_have_their_keys() {
        let apps = |text: &str| {
            let config: AppsConfig = toml::from_str(text).unwrap();
            config.settings("collector.apps").map_err(|error| error.to_string())
        };
        assert!(!apps("").unwrap().required());
        let keys = apps("required = true\n[keys]\nshop = ['old-key-1', 'new-key-2']\n").unwrap();
        let of = |key: &[u8]| keys.app(key).map(|app| app.as_str().to_owned());
        assert_eq!(
            [of(b"old-key-1"), of(b"new-key-2"), of(b"old-key-2")],
            [Some("shop".into()), Some("shop".into()), None]
        );
        assert_eq!(format!("{keys:?}"), r#"AppKeys { apps: {"shop"}, required: true }"#);
        for (text, part) in [
            ("required = true", "collector.apps.required is true but"),
            ("[keys]\nshop = ['short']", "collector.apps.keys: the secret of `shop` is too short"),
            ("[keys]\na = ['same-key']\nb = ['same-key']", "`b` has the secret of `a`"),
            ("[keys]\n'' = ['some-key']", "`` is no app id"),
        ] {
            let error = apps(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
