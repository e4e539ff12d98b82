//! Timelines of two nodes, of which one goes.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;
use squall::guard::{BreakerState, Mode, Switch};
use squall::store::Timelines;
use squall::store::timeline::{Limits, RingTimelines};

use super::stores::{TestRows, TestTimelines};
use super::support::{Does, World, settle, views};
use crate::query::read::{Interface, Sources};
use crate::query::{QueryConfig, QueryState, router};

/// A service over two nodes, and a user of each who has more than a page.
struct Two {
    nodes: [Arc<TestTimelines>; 2],
    ring: Arc<RingTimelines>,
    query: QueryState,
    world: World,
    users: [String; 2],
}

impl Two {
    async fn new() -> Self {
        let limits = Limits::default();
        let nodes = [(); 2].map(|()| Arc::new(TestTimelines::new(limits)));
        let named = ["a", "b"].into_iter().zip(&nodes);
        let named = named.map(|(name, node)| (name.to_owned(), node.clone() as Arc<dyn Timelines>));
        let ring = Arc::new(RingTimelines::new(named).unwrap());
        let (rows, switch) = (Arc::new(TestRows::new()), Switch::new(Mode::Off));
        let timelines: Arc<dyn Timelines> = ring.clone();
        let sources = Sources { timelines, limits, switch: switch.clone(), rows: rows.clone() };
        let query = QueryState::new(sources, None, QueryConfig::default().settings().unwrap());
        let users = [0, 1].map(|node| {
            let mut users = (0..).map(|n| format!("u{n}"));
            users.find(|user| ring.node_of(user) == node).unwrap()
        });
        let mut worlds = Vec::new();
        for (node, user) in nodes.iter().zip(&users) {
            let router = router(query.clone());
            let world = World { timelines: node.clone(), rows: rows.clone(), switch: switch.clone(), router };
            world.store(&views(user, 0..30)).await;
            world.vouch(user).await;
            worlds.push(world);
        }
        Self { nodes, ring, query, world: worlds.remove(0), users }
    }

    fn list(&self, node: usize) -> String {
        format!("/v1/users/{}/behaviours", self.users[node])
    }
}

#[tokio::test(start_paused = true)]
async fn the_users_of_the_other_node_notice_nothing() {
    let two = Two::new().await;
    two.nodes[1].script.set(Does::Fail);
    assert!(two.ring.ping_node(0).await.is_ok() && two.ring.ping_node(1).await.is_err());
    for _ in 0..20 {
        assert_eq!(two.world.get(&two.list(1)).await.told(), ("mysql", true, 20));
        assert_eq!(two.world.get(&two.list(0)).await.told(), ("redis", true, 20));
    }
    two.nodes[1].script.reads();
    assert_eq!(two.world.get(&two.list(1)).await.told(), ("mysql", true, 20));
    assert_eq!(two.nodes[1].script.reads(), 0, "its breaker is open");
    let open: Vec<(&str, usize, Interface)> = two
        .query
        .reader()
        .breakers()
        .filter(|(.., status)| status.state == BreakerState::Open)
        .map(|(store, node, interface, _)| (store, node, interface))
        .collect();
    assert_eq!(open, [("redis", 1, Interface::Behaviours)]);
    let both = two.world.post(&json!({ "users": two.users })).await;
    assert_eq!(
        (&both.json["results"][0]["source"], &both.json["results"][1]["source"]),
        (&json!("redis"), &json!("mysql"))
    );

    two.world.rows.script.set(Does::Fail);
    two.world.get(&two.list(1)).await.is_problem("store_unavailable");
    let both = two.world.post(&json!({ "users": two.users })).await;
    assert_eq!((both.status, &both.json["results"][0]["source"]), (StatusCode::OK, &json!("redis")));
    assert_eq!(two.world.get(&two.list(0)).await.told(), ("redis", true, 20));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_empty_is_filled_with_its_own_users() {
    let two = Two::new().await;
    two.nodes[1].wipe();
    for node in [0, 1] {
        assert!(two.world.get(&two.list(node)).await.told().1);
        settle().await;
    }
    assert_eq!(two.world.get(&two.list(1)).await.told(), ("redis", true, 20));
    for (node, user) in two.nodes.iter().zip(&two.users) {
        assert_eq!(node.behind().timeline(user, None, 100).await.unwrap().len(), 30);
        assert_eq!(node.behind().owners().await.unwrap(), 1);
    }
}
