//! A stream with a grouping: what may have tasks of its own.

use std::rc::Rc;

use super::flow::{Direct, Flow};
use super::graph::Kind;
use super::grouping::Grouping;
use super::plan::{BoltPush, Broadcast, Deal, Part, Push, Rejects, Scatter, SinkPush};
use super::port::{Inboxes, Path, Port};
use super::shape::{Assembly, Node, Shape, Site};
use super::stream::{RejectedTuple, Stream};
use super::{Bolt, Data, Sink, Tuning};

/// A stream dealt out to the tasks of the operator that comes next.
#[must_use = "what a stream carries is thrown away unless something consumes it"]
pub struct Grouped<T: Data> {
    shape: Rc<Shape>,
    paths: Vec<Path>,
    label: &'static str,
    tuning: Tuning,
    wire: Box<dyn FnOnce(Rc<Inboxes<T>>)>,
}

impl<T: Data> Grouped<T> {
    pub(super) fn new(
        shape: Rc<Shape>,
        paths: Vec<Path>,
        label: &'static str,
        wire: impl FnOnce(Rc<Inboxes<T>>) + 'static,
    ) -> Self {
        Self { shape, paths, label, tuning: Tuning::default(), wire: Box::new(wire) }
    }

    /// How many tasks the next operator has, unless the configuration says otherwise. For a sink: its ordered lanes.
    pub fn parallelism(mut self, tasks: usize) -> Self {
        self.tuning = self.tuning.parallelism(tasks);
        self
    }

    /// Bounds of the next operator, unless the configuration says otherwise.
    pub fn tune(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning.over(&self.tuning);
        self
    }

    /// Adds a bolt with tasks of its own.
    pub fn bolt<B: Bolt<In = T>>(self, name: &str, bolt: B) -> Stream<B::Out> {
        self.add_bolt(name, bolt, None::<fn(&Assembly<'_>, &Site) -> _>)
    }

    /// [`bolt`](Self::bolt) whose poison tuples become the second stream, instead of failing their trees.
    pub fn try_bolt<B: Bolt<In = T>>(self, name: &str, bolt: B) -> (Stream<B::Out>, Stream<RejectedTuple<T>>)
    where
        T: Clone,
    {
        let rejected = Port::over(Vec::new());
        let (shape, port) = (self.shape.clone(), rejected.clone());
        let out = self.add_bolt(
            name,
            bolt,
            Some(move |assembly: &Assembly<'_>, site: &Site| {
                Box::new(Rejects::new(port.open(assembly, site))) as Box<dyn super::plan::RejectRoute<T>>
            }),
        );
        rejected.paths.borrow_mut().extend(out.paths("rejected"));
        (out, Stream::new(shape, rejected))
    }

    fn add_bolt<B: Bolt<In = T>>(
        self,
        name: &str,
        bolt: B,
        rejects: Option<impl Fn(&Assembly<'_>, &Site) -> Box<dyn super::plan::RejectRoute<T>> + 'static>,
    ) -> Stream<B::Out> {
        let node = Node::new::<T>(name, Kind::Bolt).emitting::<B::Out>().tuned(self.tuning);
        let node = self.shape.add(node);
        self.shape.connect::<T>(&self.paths, node, self.label);
        let inboxes = Inboxes::<T>::of(&self.shape, node);
        (self.wire)(inboxes.clone());
        let port = Port::of(node);
        let out = port.clone();
        self.shape.make(move |assembly| {
            inboxes.plan(assembly, |assembly, site, info| {
                let output = out.open(assembly, site);
                let route = rejects.as_ref().map(|make| make(assembly, site));
                let (flow, host) = (Direct::default(), site.host.clone());
                Box::new(BoltPush::new(flow, bolt.clone(), output, route, info, &site.bounds, host))
            });
        });
        Stream::new(self.shape, port)
    }

    /// Ends the stream in a sink with tasks of its own.
    pub fn sink<S: Sink<In = T>>(self, name: &str, sink: S) {
        let node = self.shape.add(Node::new::<T>(name, Kind::Sink).tuned(self.tuning));
        self.shape.connect::<T>(&self.paths, node, self.label);
        let inboxes = Inboxes::<T>::of(&self.shape, node);
        (self.wire)(inboxes.clone());
        self.shape.make(move |assembly| {
            inboxes.plan(assembly, |_, site, info| {
                let (flow, host) = (Direct::default(), site.host.clone());
                Box::new(SinkPush::new(flow, sink.clone(), info, &site.bounds, host))
            });
        });
    }
}

/// Makes the end of an upstream task for one grouping.
pub(super) trait Exchange<F: Flow>: 'static {
    fn label(&self) -> &'static str;
    fn push(&self, flow: F, parts: Vec<Part<F::Out>>, site: &Site) -> Box<dyn Push<F::In>>;
}

pub(super) struct InTurn;
pub(super) struct ToFirst;
pub(super) struct ToAll;
pub(super) struct Chosen<G>(pub(super) G);

impl<F: Flow> Exchange<F> for InTurn {
    fn label(&self) -> &'static str {
        "shuffle"
    }

    fn push(&self, flow: F, parts: Vec<Part<F::Out>>, site: &Site) -> Box<dyn Push<F::In>> {
        Box::new(Deal::in_turn(flow, parts, site.index, site.host.clone()))
    }
}

impl<F: Flow> Exchange<F> for ToFirst {
    fn label(&self) -> &'static str {
        "global"
    }

    fn push(&self, flow: F, parts: Vec<Part<F::Out>>, site: &Site) -> Box<dyn Push<F::In>> {
        Box::new(Deal::to_first(flow, parts, site.host.clone()))
    }
}

impl<F: Flow<Out: Clone>> Exchange<F> for ToAll {
    fn label(&self) -> &'static str {
        "all"
    }

    fn push(&self, flow: F, parts: Vec<Part<F::Out>>, site: &Site) -> Box<dyn Push<F::In>> {
        Box::new(Broadcast::new(flow, parts, site.host.clone()))
    }
}

impl<F: Flow, G: Grouping<F::Out>> Exchange<F> for Chosen<G> {
    fn label(&self) -> &'static str {
        self.0.label()
    }

    fn push(&self, flow: F, parts: Vec<Part<F::Out>>, site: &Site) -> Box<dyn Push<F::In>> {
        Box::new(Scatter::new(flow, self.0.clone(), parts, &site.bounds, site.host.clone()))
    }
}
