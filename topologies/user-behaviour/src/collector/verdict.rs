//! Each record taken, or refused.

use squall::service::http::auth::AppId;

use super::Rejected;
use crate::format::{BehaviourJson, DecodeError, Format};
use crate::record::Decoded;

/// What became of the records of a body.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// Those that may be stored, in their order.
    pub taken: Vec<Decoded>,
    /// The others, in their order.
    pub rejected: Vec<Rejected>,
}

/// Reads each record in the newest version of the format and checks it at the time `now_ms`; with an `app`, only records
/// of that application are taken. Pure.
pub fn judge(records: &[&[u8]], app: Option<&AppId>, now_ms: i64) -> Verdict {
    let mut verdict = Verdict::default();
    let version = *BehaviourJson.versions().end();
    for (index, record) in records.iter().enumerate() {
        let decoded = BehaviourJson.decode(version, record);
        match decoded.and_then(|record| Ok(Decoded::new(record, now_ms)?)) {
            Ok(decoded) => match app.filter(|app| app.as_str() != decoded.record().app_id) {
                None => verdict.taken.push(decoded),
                Some(app) => verdict.rejected.push(Rejected {
                    index,
                    field: Some("app_id".to_owned()),
                    reason: format!("must be `{}`, the application that the key belongs to", app.as_str()),
                }),
            },
            Err(error) => verdict.rejected.push(rejected(index, &error)),
        }
    }
    verdict
}

fn rejected(index: usize, error: &DecodeError) -> Rejected {
    Rejected { index, field: error.field().map(str::to_owned), reason: error.reason() }
}
