//! The log in one process, durable, with nothing installed.
