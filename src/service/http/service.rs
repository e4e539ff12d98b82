//! A service, put together.

use std::net::SocketAddr;

use axum::Router;
use tower_http::cors::CorsLayer;

use super::admin::AdminApi;
use super::auth::AppKeys;
use super::limit::{LimitSettings, Limits};
use super::metrics::Exporter;
use super::{
    CheckLayer, Ended, HttpError, HttpSettings, Readiness, Server, Shed, ShedSettings, Shell, operations,
};
use crate::control::Control;
use crate::guard::Clock;
use crate::service::connect::AdminSettings;

/// The bounds of a service.
#[derive(Clone)]
pub struct ServiceSettings {
    /// The server.
    pub http: HttpSettings,
    /// Who calls.
    pub apps: AppKeys,
    /// How many requests it takes.
    pub limits: LimitSettings,
    /// How many it works at at once.
    pub shed: ShedSettings,
    /// Which pages of other origins may call; none if not given.
    pub cors: Option<CorsLayer>,
}

/// What the services of a process have in common.
#[derive(Clone)]
pub struct Surroundings {
    /// What moves the limits.
    pub control: Control,
    /// The time, by which limits count.
    pub clock: Clock,
    /// What `/metrics` shows.
    pub exporter: Exporter,
    /// What `/readyz` says.
    pub readiness: Readiness,
}

/// A router with all that a service has round it, at its address: the [`Shell`] with the leave of other origins' pages;
/// inside of it the app keys, then the limits, which count by app, then, once the whole request is there, a place among
/// those that are worked at.
pub struct Service {
    server: Server,
    app: Router,
    scheme: &'static str,
}

impl Service {
    /// Binds its address. The limits have the names `<name>.app` and so on among the control records.
    ///
    /// # Errors
    /// [`HttpError`], naming the address and what to do.
    pub async fn bind(
        name: &str,
        settings: ServiceSettings,
        routes: Router,
        around: &Surroundings,
    ) -> Result<Self, HttpError> {
        let ServiceSettings { http, apps, limits, shed, cors } = settings;
        let scheme = if http.tls.is_some() { "https" } else { "http" };
        let (exporter, readiness) = (around.exporter.clone(), around.readiness.clone());
        let limits = Limits::follow(&around.control, name, &limits, around.clock);
        if apps.required() && !limits.bounds_guesses() {
            tracing::warn!(
                service = name,
                "a key is required, but keys that are refused count for no limit while `{name}.ip` is off: set it"
            );
        }
        let shell = Shell::new(name, &http, exporter.clone(), readiness.clone());
        let shell = match cors {
            Some(cors) => shell.cors(cors),
            None => shell,
        };
        let app = shell
            .before_body(limits.keys(apps))
            .before_body(limits.layer())
            .after_body(Shed::new(shed).layer())
            .wrap(routes);
        let server = Server::bind(http).await?.with_metrics(exporter.http(name)).with_readiness(readiness);
        Ok(Self { server, app, scheme })
    }

    /// The admin routes, at an address of their own, where nothing else is: no `/healthz`, `/readyz` or `/metrics`.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_admin(
        settings: AdminSettings,
        api: AdminApi,
        around: &Surroundings,
    ) -> Result<Self, HttpError> {
        let tls = settings.tls.clone();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let http = HttpSettings { listen: settings.listen, tls, ..HttpSettings::default() };
        let (exporter, readiness) = (around.exporter.clone(), around.readiness.clone());
        // Round everything: what is not there is nobody's business either, and no body is read for a stranger. How the
        // process is, which names parts and reasons, is said at the address of operations.
        let app = Shell::new("admin", &http, exporter.clone(), readiness.clone())
            .without_operations()
            .before_body(CheckLayer::new(settings.tokens.clone()))
            .wrap(api.router(settings.tokens));
        let server = Server::bind(http).await?.with_metrics(exporter.http("admin")).with_readiness(readiness);
        Ok(Self { server, app, scheme })
    }

    /// `/healthz`, `/readyz` and `/metrics` alone, for a process that has no service of its own.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_operations(listen: SocketAddr, around: &Surroundings) -> Result<Self, HttpError> {
        let (exporter, readiness) = (around.exporter.clone(), around.readiness.clone());
        let http = HttpSettings { listen, ..HttpSettings::default() };
        let app = operations(exporter.clone(), readiness.clone());
        let server = Server::bind(http).await?.with_metrics(exporter.http("operations")).with_readiness(readiness);
        Ok(Self { server, app, scheme: "http" })
    }

    /// Where it listens, as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.server.local_addr())
    }

    /// Answers until `stop`; then takes no more, finishes what runs, within the settings' drain time.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Ended {
        self.server.run(self.app, stop).await
    }
}
