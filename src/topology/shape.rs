//! A topology while it is put together and while it is planned.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::graph::{Edge, Kind, Operator, type_name};
use super::plan::{Host, Hosts, Plan, PlannedTask, Work};
use super::port::{Path, Port};
use super::settings::OutOfRange;
use super::{Bounds, Data, Graph, Settings, TaskInfo, Tuning};

/// What is wrong with a topology, or with settings for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two operators have one name.
    #[error("two operators are named `{name}`")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// There is no spout.
    #[error("topology `{topology}` has no spout")]
    NoSpout {
        /// Name of the topology.
        topology: String,
    },
    /// A stream ends nowhere: its tuples would be thrown away.
    #[error(
        "nothing consumes the stream of `{tuple}` that leaves `{operator}`{steps}; end it in a sink, or say `.ignore()`"
    )]
    Unconsumed {
        /// Operator that emits it.
        operator: String,
        /// What happens to it on the way, in parentheses; empty when nothing does.
        steps: String,
        /// Type of its tuples.
        tuple: String,
    },
    /// A bound is zero, or so large that it bounds nothing.
    #[error("{of}.{key} is {value}; allowed is 1 to {most}")]
    OutOfRange {
        /// `defaults`, or `operators.` and a name.
        of: String,
        /// Which bound.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The greatest that is allowed.
        most: u64,
    },
    /// The settings name an operator that does not exist.
    #[error("operators.{name}: there is no such operator; did you mean `{nearest}`?")]
    UnknownOperator {
        /// The name in the settings.
        name: String,
        /// The nearest that exists.
        nearest: String,
    },
}

/// Index of an operator in the order of construction.
pub(super) type NodeId = usize;
type Maker = Box<dyn FnOnce(&Assembly<'_>)>;
/// Where the streams of an operator leave it, if one of them ends nowhere.
type Outlet = Box<dyn Fn() -> Option<LooseEnd>>;

/// A stream that nothing consumes.
struct LooseEnd {
    path: Option<Path>,
    tuple: String,
}

/// What all handles of one topology share while it is built.
pub(super) struct Shape {
    name: String,
    nodes: RefCell<Vec<Node>>,
    edges: RefCell<Vec<Edge>>,
    makers: RefCell<Vec<Maker>>,
    outlets: RefCell<Vec<Outlet>>,
    /// Run once planned: lets the inboxes' own senders go, so that an inbox closes with its last upstream task.
    afterwards: RefCell<Vec<Box<dyn FnOnce()>>>,
}

impl Shape {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: RefCell::default(),
            edges: RefCell::default(),
            makers: RefCell::default(),
            outlets: RefCell::default(),
            afterwards: RefCell::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn add(&self, node: Node) -> NodeId {
        self.nodes.borrow_mut().push(node);
        self.nodes.borrow().len() - 1
    }

    pub(super) fn make(&self, maker: impl FnOnce(&Assembly<'_>) + 'static) {
        self.makers.borrow_mut().push(Box::new(maker));
    }

    /// Records the edges that come together in `to`.
    pub(super) fn connect<T>(&self, sources: &[Path], to: NodeId, grouping: &str) {
        let nodes = self.nodes.borrow();
        let edges = sources.iter().map(|path| Edge {
            from: nodes[path.from].name.clone(),
            to: nodes[to].name.clone(),
            steps: path.steps.iter().map(|step| (*step).to_owned()).collect(),
            grouping: grouping.to_owned(),
            tuple: type_name::<T>(),
        });
        self.edges.borrow_mut().extend(edges);
    }

    /// Remembers that the streams that leave by `port` have to be consumed.
    pub(super) fn outlet<T: Data>(&self, port: &Rc<Port<T>>) {
        let port = port.clone();
        let loose = move || {
            let path = port.paths.borrow().first().cloned();
            port.is_loose().then(|| LooseEnd { path, tuple: type_name::<T>() })
        };
        self.outlets.borrow_mut().push(Box::new(loose));
    }

    /// Runs `act` once the topology is planned.
    pub(super) fn afterwards(&self, act: impl FnOnce() + 'static) {
        self.afterwards.borrow_mut().push(Box::new(act));
    }

    /// As data, with `settings` applied.
    pub(super) fn graph(&self, settings: &Settings) -> Graph {
        let nodes = self.nodes.borrow();
        let tasks = |at: usize| bounds_of(&nodes, at, settings).parallelism;
        Graph {
            topology: self.name.clone(),
            operators: nodes.iter().enumerate().map(|(at, node)| node.describe(tasks(at))).collect(),
            edges: self.edges.borrow().clone(),
        }
    }

    pub(super) fn check(&self, settings: &Settings) -> Result<(), BuildError> {
        let nodes = self.nodes.borrow();
        for (at, node) in nodes.iter().enumerate() {
            if nodes[..at].iter().any(|other| other.name == node.name) {
                return Err(BuildError::DuplicateName { name: node.name.clone() });
            }
        }
        if !nodes.iter().any(|node| node.kind == Kind::Spout) {
            return Err(BuildError::NoSpout { topology: self.name.clone() });
        }
        let tunings = settings.operators.iter().map(|(name, tuning)| (format!("operators.{name}"), tuning));
        for (of, tuning) in tunings.chain([("defaults".to_owned(), &settings.defaults)]) {
            tuning.check().map_err(|OutOfRange { key, value, most }| BuildError::OutOfRange {
                of,
                key,
                value,
                most,
            })?;
        }
        if let Some(LooseEnd { path, tuple }) = self.outlets.borrow().iter().find_map(|loose| loose()) {
            let steps = path.as_ref().map(|path| path.steps.join(", ")).filter(|steps| !steps.is_empty());
            return Err(BuildError::Unconsumed {
                operator: path.map(|path| nodes[path.from].name.clone()).unwrap_or_default(),
                steps: steps.map(|steps| format!(" ({steps})")).unwrap_or_default(),
                tuple,
            });
        }
        for name in settings.operators.keys() {
            if !nodes.iter().any(|node| node.name == *name) {
                let nearest = nodes.iter().map(|node| &node.name);
                let nearest = nearest.min_by_key(|known| strsim::damerau_levenshtein(known, name));
                return Err(BuildError::UnknownOperator {
                    name: name.clone(),
                    nearest: nearest.cloned().unwrap_or_default(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn plan(&self, settings: &Settings, hosts: &dyn Hosts) -> Result<Plan, BuildError> {
        self.check(settings)?;
        let graph = self.graph(settings);
        let makers = self.makers.take();
        let nodes = self.nodes.borrow();
        let assembly = Assembly { nodes: &nodes, graph: &graph, settings, hosts, tasks: RefCell::default() };
        for make in makers {
            make(&assembly);
        }
        let tasks = assembly.tasks.into_inner();
        for close in self.afterwards.take() {
            close();
        }
        drop(nodes);
        Ok(Plan { graph, tasks })
    }
}

/// An operator as it was declared.
pub(super) struct Node {
    name: String,
    kind: Kind,
    chained_to: Option<NodeId>,
    takes: Option<String>,
    emits: Option<String>,
    tuning: Tuning,
}

impl Node {
    /// A node named `name` that takes `In`, unless it is a spout.
    pub(super) fn new<In>(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            chained_to: None,
            takes: (kind != Kind::Spout).then(type_name::<In>),
            emits: None,
            tuning: Tuning::default(),
        }
    }

    pub(super) fn emitting<Out>(mut self) -> Self {
        self.emits = Some(type_name::<Out>());
        self
    }

    pub(super) fn tuned(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    pub(super) fn chained_to(mut self, node: NodeId) -> Self {
        self.chained_to = Some(node);
        self
    }

    fn describe(&self, parallelism: usize) -> Operator {
        Operator {
            name: self.name.clone(),
            kind: self.kind,
            parallelism,
            chained: self.chained_to.is_some(),
            takes: self.takes.clone(),
            emits: self.emits.clone(),
        }
    }
}

/// An operator's bounds; a chained one has as many tasks as the one it is chained to.
fn bounds_of(nodes: &[Node], at: NodeId, settings: &Settings) -> Bounds {
    let node = &nodes[at];
    let mut bounds = settings.bounds(&node.name, &node.tuning);
    if let Some(root) = node.chained_to {
        bounds.parallelism = bounds_of(nodes, root, settings).parallelism;
    }
    bounds
}

/// A topology while it is planned.
pub(super) struct Assembly<'a> {
    nodes: &'a [Node],
    graph: &'a Graph,
    settings: &'a Settings,
    hosts: &'a dyn Hosts,
    tasks: RefCell<Vec<PlannedTask>>,
}

/// One task of one operator while it is planned.
pub(super) struct Site {
    pub(super) index: usize,
    pub(super) host: Arc<dyn Host>,
    pub(super) bounds: Bounds,
}

impl Assembly<'_> {
    pub(super) fn bounds(&self, node: NodeId) -> Bounds {
        bounds_of(self.nodes, node, self.settings)
    }

    pub(super) fn tasks(&self, node: NodeId) -> usize {
        self.bounds(node).parallelism
    }

    pub(super) fn info(&self, node: NodeId, index: usize) -> TaskInfo {
        TaskInfo { operator: self.nodes[node].name.as_str().into(), task: index, tasks: self.tasks(node) }
    }

    pub(super) fn site(&self, node: NodeId, index: usize) -> Site {
        let bounds = self.bounds(node);
        Site { index, host: self.hosts.host(&self.graph.operators[node], index, &bounds), bounds }
    }

    pub(super) fn emit(&self, node: NodeId, index: usize, work: Work) {
        let (operator, bounds) = (self.nodes[node].name.as_str().into(), self.bounds(node));
        self.tasks.borrow_mut().push(PlannedTask { operator, index, bounds, work });
    }
}
