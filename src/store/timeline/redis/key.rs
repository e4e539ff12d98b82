//! Names of keys.

use std::fmt::Write;

/// Appends the key of an owner's profile, which all its other keys start with.
pub(super) fn put_base(out: &mut String, prefix: &str, owner: &str) {
    out.push_str(prefix);
    out.push_str(":{");
    for c in owner.chars() {
        match c {
            '}' | '%' => write!(out, "%{:02X}", u32::from(c)).expect("writing to a string cannot fail"),
            c => out.push(c),
        }
    }
    out.push('}');
}

/// The key of an owner's profile.
pub(super) fn base(prefix: &str, owner: &str) -> String {
    let mut key = String::with_capacity(prefix.len() + owner.len() + 3);
    put_base(&mut key, prefix, owner);
    key
}

/// The pattern for `SCAN` that matches every owner's keys.
pub(super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::new();
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + ":{*}"
}

/// Whether a key that matches the pattern is an owner's profile.
pub(super) fn is_base(key: &[u8]) -> bool {
    key.iter().position(|byte| *byte == b'}') == Some(key.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_never_ends_its_tag() {
        assert_eq!(base("p", "a"), "p:{a}");
        assert_eq!(base("p", "}a%7D{"), "p:{%7Da%257D{}");
        assert_ne!(base("p", "a}"), base("p", "a%7D"));
        assert!(is_base(base("p", "}{}").as_bytes()));
        assert!(!is_base(b"p:{a}:t:}"));
        assert_eq!(pattern("a*b-c"), "a\\*b\\-c:{*}");
    }
}
