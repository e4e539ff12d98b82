//! Which letters are meant.

use clap::Args;

use crate::delivery::letters::{Filter, LetterId, OriginFilter, Which};
use crate::service::admin::AdminError;
use crate::service::admin::moment::{Moment, parse_moment};
use crate::topology::Class;

/// What letters must be like.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArgs {
    /// The sink that did not store them; - for those that came to no sink.
    #[arg(long)]
    pub(super) sink: Option<String>,
    /// A part of the reason, in upper or lower case.
    #[arg(long, value_name = "TEXT")]
    pub(super) error: Option<String>,
    /// Class of the failure: poison, retryable, refused or fatal.
    #[arg(long, value_parser = parse_class)]
    pub(super) class: Option<Class>,
    /// Died at this time or later: 2h (ago), 2026-11-21T15:30:00Z, or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(super) since: Option<Moment>,
    /// Died before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(super) until: Option<Moment>,
    /// Key of the record.
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Where the record was first read.
    #[arg(long, value_name = "TOPIC[:P[:O]]")]
    pub(super) origin: Option<OriginFilter>,
}

/// Letters by name, or by what they are like.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectArgs {
    /// Letters by name, as `list` shows them, such as 0:17.
    #[arg(value_name = "P:O")]
    pub(super) letters: Vec<LetterId>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// All open letters.
    #[arg(long)]
    pub(super) everything: bool,
}

impl FilterArgs {
    /// The filter at this time.
    pub(super) fn filter(&self, now_ms: i64, marked: bool) -> Filter {
        Filter {
            sink: self.sink.clone().map(|sink| if sink == "-" { String::new() } else { sink }),
            error: self.error.clone(),
            class: self.class,
            since_ms: self.since.map(|since| since.unix_ms(now_ms)),
            until_ms: self.until.map(|until| until.unix_ms(now_ms)),
            key: self.key.clone().map(String::into_bytes),
            origin: self.origin.clone(),
            marked,
        }
    }
}

impl SelectArgs {
    /// The letters that are meant; never all of them by omission.
    pub(super) fn which(&self, now_ms: i64) -> Result<Which, AdminError> {
        let filter = self.filter.filter(now_ms, false);
        match (self.letters.is_empty(), filter.is_everything(), self.everything) {
            (false, true, false) => Ok(Which::Ids(self.letters.clone())),
            (true, false, false) | (true, true, true) => Ok(Which::Matching(filter)),
            (true, true, false) => Err(AdminError::Invalid(
                "no letter is named; name some as P:O, give a filter such as --sink or --error, or --everything"
                    .into(),
            )),
            _ => {
                Err(AdminError::Invalid("name letters, or give filters, or --everything: one of the three".into()))
            }
        }
    }
}

fn parse_class(text: &str) -> Result<Class, String> {
    let all = [Class::Poison, Class::Retryable, Class::Refused, Class::Fatal];
    let class = all.into_iter().find(|class| class.as_str() == text);
    class.ok_or_else(|| format!("`{text}` is no class; known are poison, retryable, refused and fatal"))
}
