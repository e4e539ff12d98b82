//! Who gives a command.

use crate::control::host_name;

/// The person behind `sudo`, or the user, at this host; the number of the user where the environment has no name.
pub(super) fn who() -> String {
    let of = |name| std::env::var(name).ok().filter(|user: &String| !user.is_empty());
    let user = of("SUDO_USER")
        .or_else(|| of("USER"))
        .unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", host_name())
}
