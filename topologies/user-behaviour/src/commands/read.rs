//! `read`: what is known of a user.

use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use super::cli::ReadArgs;
use crate::open::open_timelines;
use crate::settings::Config;
use crate::view::{profile_json, profile_table, timeline_json, timeline_table};

/// Prints the timeline and the profile.
pub(super) async fn read(config: &Config, data_dir: &Path, args: &ReadArgs) -> Result<ExitCode, Failure> {
    let timelines = open_timelines(config, data_dir).await?;
    let entries = timelines.timeline(&args.user_id, args.business.as_deref(), args.limit).await?;
    let profile = timelines.profile(&args.user_id).await?;
    if args.json {
        let answer = serde_json::json!({
            "user_id": args.user_id,
            "timeline": timeline_json(&entries),
            "profile": profile.as_ref().map(profile_json),
        });
        say!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(profile) = profile else {
        eprintln!("nothing is known of user `{}`", args.user_id);
        return Ok(ExitCode::SUCCESS);
    };
    say!("{}\n{}", timeline_table(&entries), profile_table(&profile).trim_end());
    Ok(ExitCode::SUCCESS)
}
