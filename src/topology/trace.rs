//! Where a record belongs among what its sender does: the W3C trace context.

use std::fmt;

/// Name of the header, of a request as of a record.
pub const TRACEPARENT: &str = "traceparent";

/// A place in a trace, as the header `traceparent` says it (W3C Trace Context, level 1).
///
/// ```
/// use squall::TraceContext;
///
/// let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context = TraceContext::parse(header).expect("it is one");
/// assert!(context.sampled);
/// assert_eq!(context.to_string(), header);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Which trace; never 0.
    pub trace_id: u128,
    /// Which span in it is the parent; never 0.
    pub parent_id: u64,
    /// Whether the caller keeps this trace.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads the header. Versions from 01 on are read by what they have in common with 00.
    ///
    /// `None` for anything else: a caller without a valid one has none.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version = hex::<2>(version)? as u8;
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace_id, parent_id) = (hex::<32>(trace)?, hex::<16>(parent)? as u64);
        let sampled = hex::<2>(flags)? & 1 == 1;
        (trace_id != 0 && parent_id != 0).then_some(Self { trace_id, parent_id, sampled })
    }

    /// The same trace with another parent, which must not be 0.
    pub fn child(self, parent_id: u64) -> Self {
        Self { parent_id: parent_id.max(1), ..self }
    }
}

/// The header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, u8::from(self.sampled))
    }
}

/// Exactly `N` lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<u128> {
    let valid = text.len() == N && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn it_reads_what_it_writes() {
        let context = TraceContext::parse(GOOD).unwrap();
        assert!(context.sampled);
        assert_eq!(context.to_string(), GOOD);
        assert_eq!(TraceContext::parse(&context.child(7).to_string()), Some(context.child(7)));
        assert_eq!(context.child(0).parent_id, 1);
    }

    #[test]
    fn later_versions_are_read_by_what_is_common() {
        assert!(TraceContext::parse(&GOOD.replacen("00", "01", 1)).is_some());
        assert!(TraceContext::parse(&(GOOD.replacen("00", "01", 1) + "-more")).is_some());
    }

    #[test]
    fn anything_else_is_none() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_parent = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let upper = GOOD.to_uppercase();
        let (more, newest) = (format!("{GOOD}-more"), GOOD.replacen("00", "ff", 1));
        for bad in ["", "00", "00-1-2-3", zero_trace, zero_parent, &upper, &more, &newest, &GOOD[..54], "é-ü-ö-ß"]
        {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
