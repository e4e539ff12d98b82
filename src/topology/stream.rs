//! Typed streams: what an operator emits, on its way to the next.

use std::hash::Hash;
use std::rc::Rc;

use super::flow::{Direct, FilterMap, FlatMap, FlatMapWith, Flow, Map};
use super::graph::Kind;
use super::grouped::{Exchange, Grouped};
use super::grouping::{DirectTo, Fields, Grouping, KeyHasher, PartialKey, hash_key};
use super::plan::{BoltPush, Fused, Output, RejectRoute, Rejects, SinkPush, SplitPush};
use super::port::{EdgeMaker, Inboxes, Path, Port};
use super::shape::{Assembly, Node, NodeId, Shape, Site};
use super::{Bolt, Data, Sink};

/// One of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first stream.
    Left(A),
    /// The second stream.
    Right(B),
}

/// A tuple that a bolt called poison, and why: what the second stream of [`Stream::try_bolt`] carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedTuple<T> {
    /// The tuple as the bolt got it.
    pub tuple: T,
    /// The chain of causes.
    pub reason: String,
}

/// The output of an operator and the steps fused to it so far.
///
/// Used once; a second use needs `clone`, which needs tuples that are `Clone`. A wrong wire does not compile:
///
/// ```compile_fail
/// use squall::{Topology, testing::{Capture, numbers}};
/// let texts = Capture::<String>::default();
/// Topology::new("t").spout("numbers", numbers(0..3)).shuffle().sink("texts", texts);
/// ```
///
/// Nor can a cycle be written: an operator exists only after everything it takes its tuples from.
#[must_use = "what a stream carries is thrown away unless something consumes it"]
pub struct Stream<T: Data, F: Flow<Out = T> = Direct<T>> {
    shape: Rc<Shape>,
    port: Rc<Port<F::In>>,
    flow: F,
}

impl<T: Data> Stream<T> {
    pub(super) fn new(shape: Rc<Shape>, port: Rc<Port<T>>) -> Self {
        shape.outlet(&port);
        Self { shape, port, flow: Direct::default() }
    }
}

/// A second use of the same stream: every tuple goes both ways.
impl<T: Data, F: Flow<Out = T>> Clone for Stream<T, F>
where
    F::In: Clone,
{
    fn clone(&self) -> Self {
        self.port.duplicate_by(|tuples| tuples.to_vec());
        Self { shape: self.shape.clone(), port: self.port.clone(), flow: self.flow.clone() }
    }
}

impl<T: Data, F: Flow<Out = T>> Stream<T, F> {
    /// Turns each tuple into another. The closure may keep state, which is per task.
    pub fn map<U: Data, G>(self, closure: G) -> Stream<U, Map<F, G>>
    where
        G: FnMut(T) -> U + Clone + Send + 'static,
    {
        Stream { shape: self.shape, port: self.port, flow: Map::new(self.flow, closure) }
    }

    /// Turns each tuple into another or drops it.
    pub fn filter_map<U: Data, G>(self, closure: G) -> Stream<U, FilterMap<F, G>>
    where
        G: FnMut(T) -> Option<U> + Clone + Send + 'static,
    {
        Stream { shape: self.shape, port: self.port, flow: FilterMap::new(self.flow, closure) }
    }

    /// Turns each tuple into any number of others. What the iterator yields cannot borrow from the tuple: see
    /// [`flat_map_with`](Self::flat_map_with).
    pub fn flat_map<I, G>(self, closure: G) -> Stream<I::Item, FlatMap<F, G>>
    where
        I: IntoIterator<Item: Data>,
        G: FnMut(T) -> I + Clone + Send + 'static,
    {
        Stream { shape: self.shape, port: self.port, flow: FlatMap::new(self.flow, closure) }
    }

    /// [`flat_map`](Self::flat_map) with a callback, for pieces made from a borrow of the tuple.
    ///
    /// ```
    /// # use squall::{Topology, testing::{Capture, values}};
    /// # let t = Topology::new("t");
    /// t.spout("lines", values(vec!["a b".to_owned()]))
    ///     .flat_map_with(|line: String, next| line.split(' ').for_each(|word| next(word.to_owned())))
    ///     .shuffle()
    ///     .sink("words", Capture::<String>::default());
    /// ```
    pub fn flat_map_with<U: Data, G>(self, closure: G) -> Stream<U, FlatMapWith<F, G, U>>
    where
        G: FnMut(T, &mut dyn FnMut(U)) + Clone + Send + 'static,
    {
        Stream { shape: self.shape, port: self.port, flow: FlatMapWith::new(self.flow, closure) }
    }

    /// Makes two streams of one.
    pub fn split<A: Data, B: Data>(
        self,
        choose: impl FnMut(T) -> Either<A, B> + Clone + Send + 'static,
    ) -> (Stream<A>, Stream<B>) {
        let paths = self.paths("split");
        let (left, right) = (Port::over(paths.clone()), Port::over(paths));
        let (a, b, flow) = (left.clone(), right.clone(), self.flow);
        self.port.attach(Box::new(move |assembly, site| {
            Box::new(SplitPush {
                flow: flow.clone(),
                choose: choose.clone(),
                left: a.open(assembly, site),
                right: b.open(assembly, site),
                host: site.host.clone(),
            })
        }));
        (Stream::new(self.shape.clone(), left), Stream::new(self.shape, right))
    }

    /// [`map`](Self::map) that may fail: what failed is the second stream.
    pub fn try_map<U: Data, E: Data>(
        self,
        mut closure: impl FnMut(T) -> Result<U, E> + Clone + Send + 'static,
    ) -> (Stream<U>, Stream<E>) {
        self.split(move |tuple| match closure(tuple) {
            Ok(out) => Either::Left(out),
            Err(failed) => Either::Right(failed),
        })
    }

    /// Puts another stream of the same type beside this one.
    pub fn merge<G: Flow<Out = T>>(self, other: Stream<T, G>) -> Merged<T> {
        let merged = Merged { shape: self.shape.clone(), port: Port::over(Vec::new()) };
        self.shape.outlet(&merged.port);
        merged.merge(self).merge(other)
    }

    /// Adds a bolt that runs in the task of the operator before it.
    pub fn bolt<B: Bolt<In = T>>(self, name: &str, bolt: B) -> Stream<B::Out> {
        self.chain(name, bolt, |_, _| None)
    }

    /// [`bolt`](Self::bolt) whose poison tuples become the second stream, instead of failing their trees.
    pub fn try_bolt<B: Bolt<In = T>>(self, name: &str, bolt: B) -> (Stream<B::Out>, Stream<RejectedTuple<T>>)
    where
        T: Clone,
    {
        let rejected = Port::over(Vec::new());
        let (shape, port) = (self.shape.clone(), rejected.clone());
        let out =
            self.chain(name, bolt, move |assembly, site| Some(Box::new(Rejects::new(port.open(assembly, site)))));
        rejected.paths.borrow_mut().extend(out.paths("rejected"));
        (out, Stream::new(shape, rejected))
    }

    fn chain<B: Bolt<In = T>>(
        self,
        name: &str,
        bolt: B,
        rejects: impl Fn(&Assembly<'_>, &Site) -> Option<Box<dyn RejectRoute<T>>> + 'static,
    ) -> Stream<B::Out> {
        let node = self.chained_node::<B::Out>(name, Kind::Bolt);
        let port = Port::of(node);
        let (out, flow) = (port.clone(), self.flow);
        self.port.attach(Box::new(move |assembly, site| {
            let own = assembly.site(node, site.index);
            let (output, route) = (out.open(assembly, &own), rejects(assembly, &own));
            let info = assembly.info(node, site.index);
            Box::new(BoltPush::new(flow.clone(), bolt.clone(), output, route, info, &own.bounds, own.host))
        }));
        Stream::new(self.shape, port)
    }

    /// Ends the stream in a sink that runs in the task of the operator before it. For lanes of its own, group first.
    pub fn sink<S: Sink<In = T>>(self, name: &str, sink: S) {
        let node = self.chained_node::<()>(name, Kind::Sink);
        let flow = self.flow;
        self.port.attach(Box::new(move |assembly, site| {
            let own = assembly.site(node, site.index);
            let info = assembly.info(node, site.index);
            Box::new(SinkPush::new(flow.clone(), sink.clone(), info, &own.bounds, own.host))
        }));
    }

    /// Ends the stream in nothing, on purpose: its tuples pass the steps fused to it and are done. A stream that is
    /// merely dropped is refused when the topology is built.
    ///
    /// ```
    /// # use squall::{Topology, testing::{Capture, values}};
    /// # let t = Topology::new("t");
    /// let (numbers, others) = t.spout("texts", values(["1", "x"])).try_map(|text| text.parse::<u8>());
    /// numbers.shuffle().sink("numbers", Capture::default());
    /// others.ignore();
    /// # t.check(&squall::Settings::default()).unwrap();
    /// ```
    pub fn ignore(self) {
        let flow = self.flow;
        self.port.attach(Box::new(move |_, site| {
            let nowhere = Output::new(Vec::new(), None);
            Box::new(Fused { flow: flow.clone(), next: nowhere, host: site.host.clone() })
        }));
    }

    fn chained_node<Out>(&self, name: &str, kind: Kind) -> NodeId {
        let paths = self.paths("");
        let mut node = Node::new::<T>(name, kind).chained_to(paths[0].from);
        if kind == Kind::Bolt {
            node = node.emitting::<Out>();
        }
        let node = self.shape.add(node);
        self.shape.connect::<T>(&paths, node, "same task");
        node
    }

    /// Where the tuples come from, with this stream's steps and one more unless it is empty.
    pub(super) fn paths(&self, step: &'static str) -> Vec<Path> {
        let mut steps = Vec::new();
        self.flow.steps(&mut steps);
        steps.extend(Some(step).filter(|step| !step.is_empty()));
        let mut paths = self.port.paths.borrow().clone();
        for path in &mut paths {
            path.steps.extend(&steps);
        }
        paths
    }

    fn exchange(self, exchange: impl Exchange<F>) -> Grouped<T> {
        let (paths, label, flow) = (self.paths(""), exchange.label(), self.flow);
        let port = self.port;
        Grouped::new(self.shape, paths, label, move |inboxes: Rc<Inboxes<T>>| {
            port.attach(Box::new(move |assembly, site| {
                exchange.push(flow.clone(), inboxes.parts(assembly), site)
            }));
        })
    }
}

/// Several streams of one type beside each other; a grouping makes one of them.
#[must_use = "what a stream carries is thrown away unless something consumes it"]
pub struct Merged<T: Data> {
    shape: Rc<Shape>,
    port: Rc<Port<T>>,
}

impl<T: Data> Merged<T> {
    /// Adds another stream.
    pub fn merge<G: Flow<Out = T>>(self, other: Stream<T, G>) -> Self {
        self.port.paths.borrow_mut().extend(other.paths("merge"));
        let (flow, port) = (other.flow, self.port.clone());
        let edge: EdgeMaker<G::In> = Box::new(move |assembly, site| {
            Box::new(Fused { flow: flow.clone(), next: port.open(assembly, site), host: site.host.clone() })
        });
        other.port.attach(edge);
        self
    }

    fn exchange(self, exchange: impl Exchange<Direct<T>>) -> Grouped<T> {
        Stream { shape: self.shape, port: self.port, flow: Direct::default() }.exchange(exchange)
    }
}

/// The groupings, the same for one stream and for merged ones.
macro_rules! groupings {
    ([$($generics:tt)*] $stream:ty) => {
        impl<T: Data, $($generics)*> $stream {
            /// Whole batches to tasks in turn.
            pub fn shuffle(self) -> Grouped<T> {
                self.exchange(super::grouped::InTurn)
            }

            /// Everything to task 0.
            pub fn global(self) -> Grouped<T> {
                self.exchange(super::grouped::ToFirst)
            }

            /// Every tuple to every task.
            pub fn all(self) -> Grouped<T>
            where
                T: Clone,
            {
                self.exchange(super::grouped::ToAll)
            }

            /// Equal keys to one task; the key is a reference: a field, or the tuple itself.
            pub fn fields<K: Hash + ?Sized>(self, key: impl Fn(&T) -> &K + Clone + Send + 'static) -> Grouped<T> {
                self.group(Fields(move |tuple: &T, hasher: &mut KeyHasher| hash_key(key(tuple), hasher)))
            }

            /// Equal keys to one task; the key is a value: computed, or composite.
            pub fn fields_by<K: Hash>(self, key: impl Fn(&T) -> K + Clone + Send + 'static) -> Grouped<T> {
                self.group(Fields(move |tuple: &T, hasher: &mut KeyHasher| hash_key(&key(tuple), hasher)))
            }

            /// Each key to the less loaded of two tasks.
            pub fn partial_key<K: Hash + ?Sized>(
                self,
                key: impl Fn(&T) -> &K + Clone + Send + 'static,
            ) -> Grouped<T> {
                self.group(PartialKey::new(move |tuple: &T, hasher: &mut KeyHasher| hash_key(key(tuple), hasher)))
            }

            /// Each tuple to the task that it names, modulo the number of tasks.
            pub fn direct(self, task: impl Fn(&T) -> usize + Clone + Send + 'static) -> Grouped<T> {
                self.group(DirectTo(task))
            }

            /// A grouping of your own.
            pub fn group<G: Grouping<T>>(self, grouping: G) -> Grouped<T> {
                self.exchange(super::grouped::Chosen(grouping))
            }
        }
    };
}

groupings!([F: Flow<Out = T>] Stream<T, F>);
groupings!([] Merged<T>);
