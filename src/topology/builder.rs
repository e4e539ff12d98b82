//! Where a topology is put together, and how it becomes a [`Plan`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::graph::{Edge, Kind, Operator, type_name};
use super::plan::{Duplicate, Hosts, Inbox, Mailbox, Output, Part, Plan, PlannedTask, Push, SpoutSource, Work};
use super::stream::Stream;
use super::{Batch, Bounds, Data, Graph, Settings, Spout, TaskInfo, Tuning};

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
    /// The settings name an operator that does not exist.
    #[error("operators.{name}: there is no such operator; did you mean `{nearest}`?")]
    UnknownOperator {
        /// The name in the settings.
        name: String,
        /// The nearest that exists.
        nearest: String,
    },
}

/// A topology under construction.
///
/// ```
/// use squall::{Settings, Topology, testing::{Capture, numbers}};
///
/// let even = Capture::<u64>::default();
/// let t = Topology::new("even");
/// t.spout("numbers", numbers(0..10))
///     .filter_map(|n| (n % 2 == 0).then_some(n))
///     .shuffle()
///     .sink("even", even.clone());
///
/// assert_eq!(t.graph(&Settings::default()).operators.len(), 2);
/// ```
pub struct Topology {
    shape: Rc<Shape>,
}

impl Topology {
    /// An empty topology. The name goes into topics, metrics and descriptions.
    pub fn new(name: &str) -> Self {
        let shape = Shape {
            name: name.to_owned(),
            nodes: RefCell::default(),
            edges: RefCell::default(),
            makers: RefCell::default(),
            afterwards: RefCell::default(),
        };
        Self { shape: Rc::new(shape) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shape.name
    }

    /// Adds a spout of one task.
    pub fn spout<S: Spout>(&self, name: &str, spout: S) -> Stream<S::Out> {
        self.spout_with(name, Tuning::default(), spout)
    }

    /// Adds a spout with bounds of its own.
    pub fn spout_with<S: Spout>(&self, name: &str, tuning: Tuning, spout: S) -> Stream<S::Out> {
        let node = self.shape.add(Node::new::<()>(name, Kind::Spout).emitting::<S::Out>().tuned(tuning));
        let port = Port::of(node);
        let out = port.clone();
        self.shape.make(move |assembly| {
            for index in 0..assembly.tasks(node) {
                let site = assembly.site(node, index);
                let source =
                    SpoutSource::new(spout.clone(), assembly.info(node, index), out.open(assembly, &site));
                assembly.emit(node, index, Work::Source(Box::new(source)));
            }
        });
        Stream::new(self.shape.clone(), port)
    }

    /// The shape, with `settings` applied.
    pub fn graph(&self, settings: &Settings) -> Graph {
        let nodes = self.shape.nodes.borrow();
        let tasks = |at: usize| bounds_of(&nodes, at, settings).parallelism;
        Graph {
            topology: self.shape.name.clone(),
            operators: nodes.iter().enumerate().map(|(at, node)| node.describe(tasks(at))).collect(),
            edges: self.shape.edges.borrow().clone(),
        }
    }

    /// Checks the topology and `settings` against each other.
    ///
    /// # Errors
    /// The first [`BuildError`] found.
    pub fn check(&self, settings: &Settings) -> Result<(), BuildError> {
        let nodes = self.shape.nodes.borrow();
        for (at, node) in nodes.iter().enumerate() {
            if nodes[..at].iter().any(|other| other.name == node.name) {
                return Err(BuildError::DuplicateName { name: node.name.clone() });
            }
        }
        if !nodes.iter().any(|node| node.kind == Kind::Spout) {
            return Err(BuildError::NoSpout { topology: self.shape.name.clone() });
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

    /// Compiles the topology into tasks that a runtime can drive.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn plan(self, settings: &Settings, hosts: &dyn Hosts) -> Result<Plan, BuildError> {
        self.check(settings)?;
        let graph = self.graph(settings);
        let makers = self.shape.makers.take();
        let nodes = self.shape.nodes.borrow();
        let assembly = Assembly { nodes: &nodes, graph: &graph, settings, hosts, tasks: RefCell::default() };
        for make in makers {
            make(&assembly);
        }
        let tasks = assembly.tasks.into_inner();
        for close in self.shape.afterwards.take() {
            close();
        }
        drop(nodes);
        Ok(Plan { graph, tasks })
    }
}

/// Index of an operator in the order of construction.
pub(super) type NodeId = usize;
type Maker = Box<dyn FnOnce(&Assembly<'_>)>;

/// What all handles of one topology share while it is built.
pub(super) struct Shape {
    name: String,
    nodes: RefCell<Vec<Node>>,
    edges: RefCell<Vec<Edge>>,
    makers: RefCell<Vec<Maker>>,
    /// Run once planned: lets the inboxes' own senders go, so that an inbox closes with its last upstream task.
    afterwards: RefCell<Vec<Box<dyn FnOnce()>>>,
}

impl Shape {
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
    pub(super) host: Arc<dyn super::plan::Host>,
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

/// Where tuples of an edge come from, and the steps fused on the way.
#[derive(Clone)]
pub(super) struct Path {
    pub(super) from: NodeId,
    pub(super) steps: Vec<&'static str>,
}

pub(super) type EdgeMaker<T> = Box<dyn Fn(&Assembly<'_>, &Site) -> Box<dyn Push<T>>>;

/// Where an operator's output leaves: the edges that were attached so far.
pub(super) struct Port<T> {
    pub(super) paths: RefCell<Vec<Path>>,
    edges: RefCell<Vec<EdgeMaker<T>>>,
    duplicate: Cell<Option<Duplicate<T>>>,
}

impl<T: Data> Port<T> {
    pub(super) fn of(node: NodeId) -> Rc<Self> {
        Self::over(vec![Path { from: node, steps: Vec::new() }])
    }

    pub(super) fn over(paths: Vec<Path>) -> Rc<Self> {
        Rc::new(Self { paths: RefCell::new(paths), edges: RefCell::default(), duplicate: Cell::new(None) })
    }

    pub(super) fn attach(&self, edge: EdgeMaker<T>) {
        self.edges.borrow_mut().push(edge);
    }

    pub(super) fn duplicate_by(&self, duplicate: Duplicate<T>) {
        self.duplicate.set(Some(duplicate));
    }

    /// The output as one task sees it.
    pub(super) fn open(&self, assembly: &Assembly<'_>, site: &Site) -> Output<T> {
        let edges = self.edges.borrow().iter().map(|edge| edge(assembly, site)).collect();
        Output::new(edges, self.duplicate.get())
    }
}

/// The inboxes of all tasks of one operator, made when first needed.
pub(super) struct Inboxes<T> {
    node: NodeId,
    boxes: RefCell<Option<Vec<Mailbox<T>>>>,
}

impl<T: Data> Inboxes<T> {
    pub(super) fn of(shape: &Shape, node: NodeId) -> Rc<Self> {
        let inboxes = Rc::new(Self { node, boxes: RefCell::new(None) });
        let closing = inboxes.clone();
        shape.afterwards.borrow_mut().push(Box::new(move || drop(closing.boxes.take())));
        inboxes
    }

    fn with<R>(&self, assembly: &Assembly<'_>, use_boxes: impl FnOnce(&[Mailbox<T>]) -> R) -> R {
        let mut boxes = self.boxes.borrow_mut();
        let boxes = boxes.get_or_insert_with(|| {
            let bounds = assembly.bounds(self.node);
            (0..bounds.parallelism).map(|_| async_channel::bounded::<Batch<T>>(bounds.edge)).collect()
        });
        use_boxes(boxes)
    }

    /// A way to each task, for one upstream task.
    pub(super) fn parts(&self, assembly: &Assembly<'_>) -> Vec<Part<T>> {
        self.with(assembly, |boxes| boxes.iter().map(|(sender, _)| Part::new(sender.clone())).collect())
    }

    /// Plans the operator's tasks, each around what `work` makes.
    pub(super) fn plan(
        &self,
        assembly: &Assembly<'_>,
        work: impl Fn(&Assembly<'_>, &Site, TaskInfo) -> Box<dyn Push<T>>,
    ) {
        let inboxes: Vec<_> =
            self.with(assembly, |boxes| boxes.iter().map(|(_, receiver)| receiver.clone()).collect());
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let site = assembly.site(self.node, index);
            let work = work(assembly, &site, assembly.info(self.node, index));
            assembly.emit(self.node, index, Work::Stage(Box::new(Inbox::new(inbox, work, site.host))));
        }
    }
}
