//! Both stores, asked for the records of a log.

use std::path::Path;
use std::sync::{Arc, Mutex};

use squall::BoxFuture;
use squall::broker::LogRecord;
use squall::service::verify::{Expect, Standing};
use squall::store::timeline::Limits;
use squall::store::{Rows, StoreError, Timelines};

use super::timelines::Remembered;
use super::{rows, timelines};
use crate::format::Format;
use crate::open::{open_rows, open_timelines};
use crate::record::Decoded;
use crate::settings::Config;
use crate::topology::{ROWS, TIMELINES, decode};

/// The stores of the topology, and the format of its records.
pub struct Stores {
    format: &'static dyn Format,
    pub(super) timelines: Arc<dyn Timelines>,
    limits: Limits,
    remembered: Mutex<Remembered>,
    pub(super) rows: Arc<dyn Rows>,
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
        let (limits, remembered) = (config.timelines.limits(), Mutex::default());
        Ok(Self { format, timelines, limits, remembered, rows })
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
            TIMELINES => Box::pin(timelines::look(&self.timelines, self.limits, &self.remembered, items)),
            _ => Box::pin(rows::look(&*self.rows, items)),
        }
    }
}
