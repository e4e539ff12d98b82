//! The services by hand: axum, and the client of each server. This program becomes one of them with arguments.

mod collector;
mod query;
mod serve;

/// Becomes the bare server that the arguments ask for; `None` when they ask for none.
pub(crate) fn become_one(args: &[String]) -> Option<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["bare-collector", kafka, topic] => serve::run(async { collector::router(kafka, topic) }),
        ["bare-query", redis, prefix, mysql] => serve::run(query::router(redis, prefix, mysql)),
        _ => return None,
    }
    Some(())
}
