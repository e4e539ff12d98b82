//! Opens the log and the stores that a configuration names.
