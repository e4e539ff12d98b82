//! Who calls, behind proxies too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::HeaderMap;

use crate::service::http::{Network, Peer};

/// What proxies add to.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that a request counts for.
///
/// Each proxy appends the address that it was called from, so the list is read from its end, and only as long as whoever
/// vouches for an entry is trusted: the first address that is no trusted proxy is the caller. What stands further left
/// anybody may have written. An entry that is no address ends the reading at the proxy that vouched for it.
pub(super) fn peer(connection: Option<IpAddr>, headers: &HeaderMap, trusted: &[Network]) -> Peer {
    let connection = connection.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut peer = connection;
    if !is_trusted(connection) {
        return Peer(peer);
    }
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let entries = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        let Some(address) = std::str::from_utf8(entry).ok().and_then(address) else { break };
        peer = address;
        if !is_trusted(address) {
            break;
        }
    }
    Peer(peer)
}

/// An address, with or without a port.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address: IpAddr = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|it| it.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_what_a_trusted_proxy_vouches_for_counts() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).into();
        for (connection, lines, expected) in [
            // Nobody is believed who is not listed.
            ("203.0.113.5", &["198.51.100.1"][..], "203.0.113.5"),
            ("203.0.113.5", &[], "203.0.113.5"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            // What the caller itself wrote stands further left.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1,10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            // Only proxies: the one that is furthest away.
            ("10.0.0.1", &["10.0.0.3 , 10.0.0.2"], "10.0.0.3"),
            // Ports, brackets, IPv4 in IPv6 clothes.
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            // What is no address is not passed by.
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let found = peer(Some(connection.parse().unwrap()), &headers, &trusted);
            assert_eq!(found, Peer(expected.parse().unwrap()), "{connection} {lines:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_bytes(b"\xff, 198.51.100.1").unwrap());
        let found = peer(Some("10.0.0.1".parse().unwrap()), &headers, &trusted);
        assert_eq!(found, Peer("198.51.100.1".parse().unwrap()));
        assert_eq!(peer(None, &headers, &trusted), Peer("0.0.0.0".parse().unwrap()));
    }
}
