//! How a binary is pointed at real servers.

use squall::service::cli::CommonArgs;
use user_behaviour::settings::{Config, PROFILES};

/// Partitions of the topics of tests.
pub(crate) const PARTITIONS: u32 = 8;

/// The overrides for topics, a group and keys that are called `name`, on the servers at these addresses.
pub(crate) fn overrides(name: &str, kafka: &str, redis: &str, mysql: &str) -> Vec<String> {
    vec![
        format!("broker.kafka.bootstrap={kafka}"),
        format!("timelines.redis.url={redis}"),
        format!("timelines.redis.prefix={name}:"),
        format!("rows.mysql.url={mysql}"),
        format!("source.topic={name}"),
        format!("source.dead_letters={name}.dead"),
        format!("source.group={name}"),
        format!("source.partitions={PARTITIONS}"),
    ]
}

/// A command line of the profile `cluster` with these overrides.
pub(crate) fn args<'a>(command: &[&'a str], overrides: &'a [String]) -> Vec<&'a str> {
    let mut args = command.to_vec();
    args.extend(["--profile", "cluster"]);
    args.extend(overrides.iter().flat_map(|text| ["--set", text.as_str()]));
    args
}

/// The configuration that a command line would use.
pub(crate) fn config(profile: &str, overrides: &[String]) -> Config {
    let args = CommonArgs {
        config: None,
        profile: profile.to_owned(),
        data_dir: "unused".into(),
        overrides: overrides.to_vec(),
    };
    args.load(PROFILES).unwrap()
}
