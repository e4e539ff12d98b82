//! A limit of each of a million addresses, in the memory that is allowed for it.
//!
//! The figure is the peak of the resident memory that the kernel accounts to the process (`VmHWM`), which the growth of
//! tables counts for too. It is the only test of its binary, so that nothing else allocates meanwhile.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use squall::guard::{Keyed, KeyedSettings, Limit, LiveLimit};

const ADDRESSES: u32 = 1_000_000;
const MOST_KIB: u64 = 64 * 1024;

/// Half of them of each kind.
fn address(n: u32) -> IpAddr {
    match n % 2 {
        0 => Ipv4Addr::from_bits(n.wrapping_mul(2_654_435_761)).into(),
        _ => Ipv6Addr::from_bits(u128::from(n) << 64).into(),
    }
}

/// The most memory that was ever resident, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_million_addresses_are_limited_one_by_one_within_64_mib() {
    let now = Duration::from_secs(1);
    let before = peak_kib();
    let limiter = Keyed::new(LiveLimit::new(Limit::new(1, 1)), KeyedSettings::default());
    let passed = (0..ADDRESSES).filter(|n| limiter.take(address(*n), now).is_ok()).count();
    assert_eq!((passed, limiter.len()), (ADDRESSES as usize, ADDRESSES as usize));
    let again = (0..ADDRESSES).filter(|n| limiter.take(address(*n), now).is_ok()).count();
    assert_eq!(again, 0, "each has its own limit, and it holds");
    let took = peak_kib() - before;
    println!("{took} KiB for {ADDRESSES} addresses");
    assert!(took > 0 && took < MOST_KIB, "{took} KiB");
    // As many again find no more room than is left, and take none.
    let more = (ADDRESSES..3 * ADDRESSES).filter(|n| limiter.take(address(*n), now).is_ok()).count();
    assert!(more < 100_000 && limiter.len() <= 1 << 20, "{more} more passed, {} are remembered", limiter.len());
    let took = peak_kib() - before;
    assert!(took < MOST_KIB, "{took} KiB");
    limiter.sweep(now * 10);
    assert!(limiter.is_empty());
}
