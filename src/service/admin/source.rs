//! Which spout is meant.

use super::{AdminContext, AdminError};
use crate::control::SpoutSource;

/// The spouts that the binary knows, with those of live workers; ordered by name.
pub(super) async fn spouts(context: &AdminContext) -> Result<Vec<SpoutSource>, AdminError> {
    let mut spouts = context.operator().spouts().await?;
    spouts.extend(context.spouts.iter().cloned());
    spouts.sort();
    spouts.dedup_by(|a, b| a.spout == b.spout);
    Ok(spouts)
}

/// The spout `name`, or the only one there is.
pub(super) async fn spout(context: &AdminContext, name: Option<&str>) -> Result<SpoutSource, AdminError> {
    let mut spouts = spouts(context).await?;
    let names: Vec<&str> = spouts.iter().map(|source| source.spout.as_str()).collect();
    let names = names.join(", ");
    let topology = &context.topology;
    if names.is_empty() {
        return Err(AdminError::UnknownName(format!(
            "no worker of `{topology}` runs, so its spouts are not known here; start one, or use the topology's own binary"
        )));
    }
    match name {
        Some(name) => match spouts.iter().position(|source| source.spout == name) {
            Some(at) => Ok(spouts.swap_remove(at)),
            None => Err(AdminError::UnknownName(format!("`{topology}` has no spout `{name}`; known are {names}"))),
        },
        None if spouts.len() == 1 => Ok(spouts.swap_remove(0)),
        None => Err(AdminError::Invalid(format!("`{topology}` has several spouts: give --spout, one of {names}"))),
    }
}
