//! What a process does.

use clap::ValueEnum;

use super::Failure;

/// One thing that a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Fresh records, what failed or was parked, and backfills.
    All,
    /// Fresh records only.
    Worker,
    /// Only what failed or was parked.
    Retry,
    /// Only backfills.
    Backup,
    /// Takes records over HTTP.
    Collector,
    /// Answers over HTTP what users did.
    Query,
}

/// All that a process does: at most one topology, and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Which part of the topology it runs; none for services alone.
    pub(crate) work: Option<Role>,
    /// Whether it takes records.
    pub(crate) collector: bool,
    /// Whether it answers.
    pub(crate) query: bool,
}

impl Roles {
    /// Everything.
    pub(crate) const DEMO: Self = Self { work: Some(Role::All), collector: true, query: true };

    /// The roles that are asked for.
    pub(crate) fn of(asked: &[Role]) -> Result<Self, Failure> {
        let mut roles = Self { work: None, collector: false, query: false };
        for role in asked {
            match role {
                Role::Collector => roles.collector = true,
                Role::Query => roles.query = true,
                work if roles.work.is_none_or(|known| known == *work) => roles.work = Some(*work),
                _ => {
                    let taken = "all, worker, retry and backup";
                    return Err(format!("--role takes one of {taken}, and collector and query beside it").into());
                }
            }
        }
        Ok(roles)
    }

    /// As it stands in the roster of workers.
    pub(crate) fn name(self) -> String {
        let services = [(self.collector, "collector"), (self.query, "query")];
        let services = services.into_iter().filter(|(is_so, _)| *is_so).map(|(_, name)| name);
        self.work.map(Role::as_str).into_iter().chain(services).collect::<Vec<_>>().join(",")
    }
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Worker => "worker",
            Self::Retry => "retry",
            Self::Backup => "backup",
            Self::Collector => "collector",
            Self::Query => "query",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_one_part_of_the_topology_and_any_services() {
        let roles = Roles::of(&[Role::Query, Role::Worker, Role::Worker]).unwrap();
        assert_eq!((roles.work, roles.collector, roles.query), (Some(Role::Worker), false, true));
        assert_eq!(roles.name(), "worker,query");
        assert_eq!(Roles::of(&[Role::Collector]).unwrap().name(), "collector");
        assert_eq!(Roles::DEMO.name(), "all,collector,query");
        let error = Roles::of(&[Role::Worker, Role::Retry]).unwrap_err().to_string();
        assert!(error.contains("one of all, worker, retry and backup"), "{error}");
    }
}
