//! Which application sends.

use compact_str::CompactString;

/// The application that a request's key belongs to, in the request's extensions. Records of another one are refused;
/// without it nothing is checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct App(pub CompactString);
