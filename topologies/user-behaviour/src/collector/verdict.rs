//! Each record taken, or refused.

use squall::service::http::auth::{AppId, AppKeys};

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

/// Who sends records, and so whose they may be.
#[derive(Debug, Clone, Default)]
pub enum Caller {
    /// Nobody has a key.
    #[default]
    Anybody,
    /// This application: its own records alone.
    App(AppId),
    /// One without a key: records of applications that have none.
    NoKey(AppKeys),
}

impl Caller {
    /// Why a record of this application is not taken from this caller.
    fn refuses(&self, app_id: &str) -> Option<String> {
        match self {
            Self::App(app) if app.as_str() != app_id => {
                Some(format!("must be `{}`, the application that the key belongs to", app.as_str()))
            }
            Self::NoKey(keys) if keys.has(app_id) => {
                Some("is that of an application that has a key: send it as `x-app-key`".to_owned())
            }
            _ => None,
        }
    }
}

/// Reads each record in the newest version of the format and checks it at the time `now_ms`. Pure.
pub fn judge(records: &[&[u8]], caller: &Caller, now_ms: i64) -> Verdict {
    let mut verdict = Verdict { taken: Vec::with_capacity(records.len()), rejected: Vec::new() };
    let version = *BehaviourJson.versions().end();
    for (index, record) in records.iter().enumerate() {
        let decoded = BehaviourJson.decode(version, record);
        match decoded.and_then(|record| Ok(Decoded::new(record, now_ms)?)) {
            Ok(decoded) => match caller.refuses(&decoded.record().app_id) {
                None => verdict.taken.push(decoded),
                Some(reason) => {
                    verdict.rejected.push(Rejected { index, field: Some("app_id".to_owned()), reason });
                }
            },
            Err(error) => verdict.rejected.push(rejected(index, &error)),
        }
    }
    verdict
}

fn rejected(index: usize, error: &DecodeError) -> Rejected {
    Rejected { index, field: error.field().map(str::to_owned), reason: error.reason() }
}
