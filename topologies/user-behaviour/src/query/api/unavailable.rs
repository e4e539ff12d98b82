//! Two stores that do not answer, as a problem.

use squall::service::http::{Code, Problem};
use squall::service::read::Unread;

use crate::query::read::{Away, Unavailable};

impl From<Unavailable> for Problem {
    fn from(away: Unavailable) -> Self {
        let late = |unread: &Unread| matches!(unread, Unread::Late);
        if late(&away.rows) || matches!(&away.timelines, Away::Unread(unread) if late(unread)) {
            return Self::new(Code::DeadlineExceeded, "the stores did not answer within the time of the request");
        }
        let (code, detail) = match &away.rows {
            Unread::Busy { .. } => {
                (Code::Overloaded, "the timelines are away, and the rows have as many readers as they may have")
            }
            _ => (
                Code::StoreUnavailable,
                "neither store answers; an older answer may be had with `Cache-Control: max-stale`",
            ),
        };
        Self::new(code, detail)
            .with("redis", away.timelines.reason())
            .with("mysql", away.rows.reason())
            .retry_after(away.retry_after())
    }
}
