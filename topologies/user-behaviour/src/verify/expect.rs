//! Both stores, asked for the records of a log.

use std::path::Path;
use std::sync::Arc;

use squall::BoxFuture;
use squall::broker::LogRecord;
use squall::service::verify::{Expect, Standing};
use squall::store::timeline::Limits;
use squall::store::{Rows, StoreError, Timelines};

use super::{rows, timelines};
use crate::format::Format;
use crate::open::{open_rows, open_timelines};
use crate::record::Decoded;
use crate::settings::Config;
use crate::topology::{ROWS, TIMELINES, decode};

/// The stores of the topology, and the format of its records.
pub struct Stores {
    /// Format of records that do not name theirs.
    pub format: &'static dyn Format,
    /// The timelines.
    pub timelines: Arc<dyn Timelines>,
    /// What a timeline keeps.
    pub limits: Limits,
    /// The rows.
    pub rows: Arc<dyn Rows>,
}

impl Stores {
    /// Opens both stores as they are.
    ///
    /// # Errors
    /// What a store says; a schema that this program does not know, or that is not there yet.
    pub async fn open(config: &Config, data_dir: &Path) -> squall::Result<Self> {
        let format = config.format().map_err(|error| squall::Error::fatal(error.to_string()))?;
        let rows = open_rows(config, data_dir).await?;
        rows.check_schema().await?;
        let timelines = open_timelines(config, data_dir).await?;
        Ok(Self { format, timelines, limits: config.timelines.limits(), rows })
    }
}

impl Expect for Stores {
    type Item = Decoded;

    fn sinks(&self) -> &[&'static str] {
        &[TIMELINES, ROWS]
    }

    fn decode(&self, record: &LogRecord) -> Result<Decoded, String> {
        decode(self.format, record).map_err(|error| error.to_string())
    }

    /// `user/event@time`
    fn name(&self, decoded: &Decoded) -> String {
        let record = decoded.record();
        format!("{}/{}@{}", record.user_id, record.event_id, record.occurred_at)
    }

    fn look<'a>(
        &'a self,
        sink: &'a str,
        items: &'a [&'a Decoded],
    ) -> BoxFuture<'a, Result<Vec<Standing>, StoreError>> {
        match sink {
            TIMELINES => Box::pin(timelines::look(&self.timelines, self.limits, items)),
            _ => Box::pin(rows::look(&*self.rows, items)),
        }
    }
}
