//! The two services, each over what it needs.

use std::path::Path;
use std::sync::Arc;

use squall::Error;
use squall::broker::{Broker, Producer};
use squall::control::Control;
use squall::guard::Clock;
use squall::service::http::admin::AdminApi;
use squall::service::http::metrics::Exporter;
use squall::service::http::{HttpError, Readiness, Service, Surroundings};
use squall::service::read::LagWatch;
use squall::store::{Rows, Timelines};

use super::Beside;
use super::standing::{CollectorFigures, QueryFigures, watch_collector, watch_query};
use crate::collector::{self, Collector};
use crate::commands::admin::context;
use crate::commands::collect;
use crate::commands::role::Roles;
use crate::query::read::Sources;
use crate::query::{self, QueryState};
use crate::settings::Config;
use crate::topology::TIMELINES;

/// What the services of this process share, and the stores and the log that they use.
pub(crate) struct Shared<'a> {
    pub(crate) config: &'a Config,
    pub(crate) data_dir: &'a Path,
    pub(crate) around: Surroundings,
}

impl<'a> Shared<'a> {
    pub(crate) fn new(config: &'a Config, data_dir: &'a Path, control: &Control) -> Self {
        let around = Surroundings {
            control: control.clone(),
            clock: Clock::wall(),
            exporter: Exporter::new(),
            readiness: Readiness::default(),
        };
        Self { config, data_dir, around }
    }

    /// Starts the services that are asked for; the one that answers over these stores.
    pub(crate) async fn start(
        &self,
        roles: Roles,
        log: Arc<dyn Broker>,
        stores: Option<(Arc<dyn Timelines>, Arc<dyn Rows>)>,
    ) -> squall::Result<Beside> {
        let mut beside = Beside::new();
        // Before anybody can ask: what is not there yet is not ready.
        let part = |is_asked_for: bool, name: &str| is_asked_for.then(|| self.around.readiness.part(name));
        let collector_part = part(roles.collector, "collector");
        let query_part = part(roles.query && stores.is_some(), "query");
        self.start_operations(&mut beside, &log).await?;
        if let Some(part) = collector_part {
            let (service, collector) = self.collector(log.producer()?).await?;
            beside.watch(watch_collector(part, CollectorFigures::new(&self.around.exporter), collector.clone()));
            beside.closes(collector);
            beside.start("collector", service);
        }
        if let (Some(part), Some((timelines, rows))) = (query_part, stores) {
            let (service, query) = self.query(log, timelines.clone(), rows.clone()).await?;
            let figures = QueryFigures::new(&self.around.exporter);
            beside.watch(watch_query(part, figures, query, (timelines, rows)));
            beside.start("query", service);
        }
        Ok(beside)
    }

    /// Starts what is for those who run the process, as far as it has an address.
    async fn start_operations(&self, beside: &mut Beside, log: &Arc<dyn Broker>) -> squall::Result<()> {
        if let Some(listen) = self.config.operations.listen {
            beside.start("operations", Service::bind_operations(listen, &self.around).await.map_err(fatal)?);
        }
        if let Some(settings) = self.config.admin.settings()? {
            let api = AdminApi::new(context(self.config, log.clone()));
            beside.start("admin", Service::bind_admin(settings, api, &self.around).await.map_err(fatal)?);
        }
        Ok(())
    }

    /// The service that takes records, and what is to be closed after it.
    async fn collector(&self, log: Arc<dyn Producer>) -> squall::Result<(Service, Collector)> {
        let mut settings = self.config.collector.service().settings("collector")?;
        let collector = collect::open_over(self.config, self.data_dir, log).await?;
        let (body, most) = (collector.settings().max_body_bytes, settings.http.max_body_bytes);
        if body > most {
            return Err(Error::fatal(format!(
                "collector.max_body_bytes is {body}, which no body can have: collector.http.max_body_bytes is {most}"
            )));
        }
        settings.cors = collector::cors(collector.settings());
        let routes = collector::router(collector.clone());
        let service = Service::bind("collector", settings, routes, &self.around).await.map_err(fatal)?;
        Ok((service, collector))
    }

    /// The service that answers, and what it answers from.
    async fn query(
        &self,
        log: Arc<dyn Broker>,
        timelines: Arc<dyn Timelines>,
        rows: Arc<dyn Rows>,
    ) -> squall::Result<(Service, QueryState)> {
        let config = self.config;
        let (settings, bounds) = (config.query.service().settings("query")?, config.query.settings()?);
        let lag = LagWatch::start(log, &config.source.topic, &config.source.group, bounds.lag_every);
        let switch = self.around.control.switch(TIMELINES);
        let sources = Sources { timelines, limits: config.timelines.limits(), switch, rows };
        let query = QueryState::new(sources, Some(lag), bounds);
        let routes = query::router(query.clone());
        let service = Service::bind("query", settings, routes, &self.around).await.map_err(fatal)?;
        Ok((service, query))
    }
}

fn fatal(error: HttpError) -> Error {
    Error::fatal(error.to_string())
}
