//! Finding and running the programs that servers need.

use std::path::PathBuf;
use std::process::Command;

use super::ServerError;

/// The remedy for a missing server.
pub(super) const INSTALL: &str = "run `make install-test`";

/// Looks on the `PATH` and where Debian keeps daemons, which is not on everybody's `PATH`.
pub(super) fn find(name: &str) -> Result<PathBuf, ServerError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| ServerError::Missing { what: format!("`{name}`"), remedy: INSTALL })
}

/// Runs a command to its end; its output is part of the error when it fails.
pub(super) fn run(mut command: Command) -> Result<(), ServerError> {
    let context = format!("cannot run {}", command.get_program().display());
    let output = command.output().map_err(ServerError::io(context.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(ServerError::Failed { context, reason })
}
