//! How many connections each address has; those of an IPv6 /64 are one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by address; holds as many as there are connections at most.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    peers: Peers,
}

impl Peers {
    pub(super) fn new(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// A place for a connection of `address`, if it has one left.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut counts = self.lock();
        let count = counts.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Place { address, peers: self.clone() })
    }

    /// Nothing panics while this lock is held; a poisoned value would still be whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts together: an IPv4 address, and of IPv6 the network that one caller has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.peers.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_places_and_nothing_is_kept_of_one_that_left() {
        let peers = Peers::new(2);
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let first = peers.place(address).unwrap();
        let second = peers.place("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert!(peers.place(address).is_none());
        let other = peers.place("10.0.0.2".parse().unwrap());
        assert!(other.is_some());
        let v6 = |address: &str| peers.place(address.parse().unwrap());
        let network = [v6("2001:db8::1"), v6("2001:db8::2"), v6("2001:db8:0:1::1")];
        assert!(
            network.iter().all(Option::is_some) && v6("2001:db8::3").is_none(),
            "a caller of IPv6 has a network"
        );
        drop(network);
        drop(first);
        let third = peers.place(address).unwrap();
        drop((second, third, other));
        assert!(peers.lock().is_empty());
    }
}
