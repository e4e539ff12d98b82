//! Timelines on several nodes, each with a part of the owners.
//!
//! An owner's node is the one with the greatest hash of the node's name and the owner (rendezvous hashing): every process
//! that knows the same names agrees, in whatever order they are given, and a node more or less moves the owners of that node
//! alone. Names stay with the data, whatever the address is: a server that moves keeps its owners.
//!
//! Nothing is written twice. While a node is away its owners are served from the rows, and what is written for them is
//! parked; a node that comes back empty has no owner that is [whole](super::Whole), so that the query service brings back what
//! the rows have of each one when it is read.
//!
//! An owner that moved leaves its old timeline, with its mark, behind until that expires. So nobody may read at a place to
//! which not everybody writes: a name more, and the workers get it before the services that read; a name less, and its owners
//! may come back to a server that they have left before. Then the servers are started again once all processes have the new
//! names, which ends all marks.

use std::sync::Arc;

use futures_util::future::join_all;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Entry, Profile, Timeline, Timelines, Whole};
use crate::store::StoreError;
use crate::topology::BoxFuture;

/// A ring of stores. See the module's own words.
pub struct RingTimelines {
    /// The hash of the name of each, and the node.
    nodes: Box<[(u64, Arc<dyn Timelines>)]>,
}

impl RingTimelines {
    /// A ring of these nodes, each with its name.
    ///
    /// # Errors
    /// [`StoreError::Config`] without nodes, or with two of one name.
    pub fn new(nodes: impl IntoIterator<Item = (String, Arc<dyn Timelines>)>) -> Result<Self, StoreError> {
        let config = |reason: String| Err(StoreError::Config { store: "timelines", reason });
        let mut hashed: Vec<(u64, Arc<dyn Timelines>)> = Vec::new();
        for (name, node) in nodes {
            let hash = xxh3_64(name.as_bytes());
            if name.is_empty() || hashed.iter().any(|(known, _)| *known == hash) {
                return config(format!("the nodes of a ring have names of their own; `{name}` is none"));
            }
            hashed.push((hash, node));
        }
        if hashed.is_empty() {
            return config("a ring has at least one node".to_owned());
        }
        Ok(Self { nodes: hashed.into() })
    }

    fn of(&self, owner: &str) -> &dyn Timelines {
        &*self.nodes[self.node_of(owner)].1
    }

    /// Writes to each node its own entries, to all at once.
    async fn write(&self, entries: &[Entry<'_>]) -> Result<Vec<(usize, StoreError)>, StoreError> {
        let mut shares: Vec<(Vec<usize>, Vec<Entry<'_>>)> = vec![Default::default(); self.nodes.len()];
        for (at, entry) in entries.iter().enumerate() {
            let (places, share) = &mut shares[self.node_of(entry.owner)];
            places.push(at);
            share.push(*entry);
        }
        let written = self.nodes.iter().zip(&shares).filter(|(_, (places, _))| !places.is_empty());
        let writes = written.map(|((_, node), (places, share))| async move { (places, node.apply(share).await) });
        let mut refused = Vec::new();
        for (places, result) in join_all(writes).await {
            refused.extend(result?.into_iter().map(|(at, error)| (places[at], error)));
        }
        refused.sort_unstable_by_key(|(at, _)| *at);
        Ok(refused)
    }

    /// Of all nodes at once; the first error.
    async fn all<'a, T>(
        &'a self,
        ask: impl Fn(&'a dyn Timelines) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<Vec<T>, StoreError> {
        join_all(self.nodes.iter().map(|(_, node)| ask(&**node))).await.into_iter().collect()
    }
}

impl std::fmt::Debug for RingTimelines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingTimelines").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl Timelines for RingTimelines {
    fn apply<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<(usize, StoreError)>, StoreError>> {
        Box::pin(self.write(entries))
    }

    fn read<'a>(
        &'a self,
        owner: &'a str,
        line: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Timeline, StoreError>> {
        self.of(owner).read(owner, line, limit)
    }

    fn profile<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Option<Profile>, StoreError>> {
        self.of(owner).profile(owner)
    }

    fn begin_repair<'a>(&'a self, owner: &'a str, repair: u64) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        self.of(owner).begin_repair(owner, repair)
    }

    fn end_repair<'a>(
        &'a self,
        owner: &'a str,
        repair: u64,
        whole: Whole,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.of(owner).end_repair(owner, repair, whole)
    }

    /// An owner that moved between nodes counts once on each.
    fn owners(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(self.all(|node| node.owners()).await?.into_iter().sum()) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.all(|node| node.flush()).await.map(drop) })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.all(|node| node.ping()).await.map(drop) })
    }

    fn ping_node(&self, node: usize) -> BoxFuture<'_, Result<(), StoreError>> {
        self.nodes[node].1.ping()
    }

    fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn node_of(&self, owner: &str) -> usize {
        let weight = |(hash, _): &(u64, Arc<dyn Timelines>)| xxh3_64_with_seed(owner.as_bytes(), *hash);
        let weights = self.nodes.iter().map(weight).enumerate();
        weights.max_by_key(|(_, weight)| *weight).map_or(0, |(node, _)| node)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::super::memory::MemoryTimelines;
    use super::*;

    fn ring(dir: &tempfile::TempDir, names: &[&str]) -> RingTimelines {
        let node = |name: &&str| {
            let node = MemoryTimelines::open(&dir.path().join(name), Limits::default()).unwrap();
            ((*name).to_owned(), Arc::new(node) as Arc<dyn Timelines>)
        };
        RingTimelines::new(names.iter().map(node)).unwrap()
    }

    #[tokio::test]
    async fn a_node_more_takes_its_share_and_moves_nobody_else() {
        let dirs = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
        let three = ["a", "b", "c"];
        let (before, after) = (ring(&dirs[0], &three), ring(&dirs[1], &["d", "c", "b", "a"]));
        let mut shares = [0; 4];
        for user in 0..10_000 {
            let owner = format!("user-{user}");
            let (was, is) = (three[before.node_of(&owner)], ["d", "c", "b", "a"][after.node_of(&owner)]);
            assert!(is == was || is == "d", "{owner} went from {was} to {is}");
            shares[after.node_of(&owner)] += 1;
        }
        assert!(shares.iter().all(|share| (2_200..2_800).contains(share)), "{shares:?}");
    }

    #[tokio::test]
    async fn what_is_refused_keeps_its_place_and_each_owner_has_one_node() {
        let dir = tempfile::tempdir().unwrap();
        let ring = ring(&dir, &["a", "b", "c"]);
        let owners: Vec<String> = (0..60).map(|user| format!("user-{user}")).collect();
        let entry = |at: usize| Entry {
            owner: &owners[at],
            line: "shop",
            action: "view",
            id: if at % 7 == 3 { "" } else { "e" },
            at_ms: at as i64,
            body: b"{}",
        };
        let entries: Vec<Entry<'_>> = (0..60).map(entry).collect();
        let refused = ring.apply(&entries).await.unwrap();
        let expected: Vec<usize> = (0..60).filter(|at| at % 7 == 3).collect();
        assert_eq!(refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected);
        assert_eq!(ring.owners().await.unwrap(), 60 - expected.len() as u64);
        for (at, owner) in owners.iter().enumerate() {
            let stored = ring.timeline(owner, None, 10).await.unwrap();
            assert_eq!(stored.len(), usize::from(at % 7 != 3), "{owner}");
            for (node, (_, timelines)) in ring.nodes.iter().enumerate() {
                let there = timelines.timeline(owner, None, 10).await.unwrap();
                assert_eq!(there.len(), if node == ring.node_of(owner) { stored.len() } else { 0 });
            }
        }
    }

    #[test]
    fn names_are_one_for_each() {
        assert!(RingTimelines::new([]).is_err());
        let dir = tempfile::tempdir().unwrap();
        let node = |name: &str| {
            let node = MemoryTimelines::open(&dir.path().join(name), Limits::default()).unwrap();
            Arc::new(node) as Arc<dyn Timelines>
        };
        let twice = [("a".to_owned(), node("1")), ("a".to_owned(), node("2"))];
        let error = RingTimelines::new(twice).unwrap_err();
        assert!(error.to_string().contains("`a` is none"), "{error}");
    }
}
