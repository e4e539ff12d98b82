//! Where a topology is put together, and how it becomes a [`Plan`].

use std::rc::Rc;

use super::graph::Kind;
use super::plan::{Hosts, Plan, SpoutSource, Work};
use super::port::Port;
use super::shape::{Node, Shape};
use super::stream::Stream;
use super::{BuildError, Graph, Settings, Spout, Tuning};

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
        Self { shape: Rc::new(Shape::named(name)) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.shape.name()
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
        self.shape.graph(settings)
    }

    /// Checks the topology and `settings` against each other.
    ///
    /// # Errors
    /// The first [`BuildError`] found.
    pub fn check(&self, settings: &Settings) -> Result<(), BuildError> {
        self.shape.check(settings)
    }

    /// Compiles the topology into tasks that a runtime can drive.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn plan(self, settings: &Settings, hosts: &dyn Hosts) -> Result<Plan, BuildError> {
        self.shape.plan(settings, hosts)
    }
}
