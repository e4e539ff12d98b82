//! Where edges leave operators, and the inboxes where they arrive.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::plan::{Duplicate, Inbox, Mailbox, Output, Part, Push, Work};
use super::shape::{Assembly, NodeId, Shape, Site};
use super::{Batch, Data, TaskInfo};

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
    /// Streams that were handed out of it; each has to be consumed.
    streams: Cell<usize>,
    duplicate: Cell<Option<Duplicate<T>>>,
}

impl<T: Data> Port<T> {
    pub(super) fn of(node: NodeId) -> Rc<Self> {
        Self::over(vec![Path { from: node, steps: Vec::new() }])
    }

    pub(super) fn over(paths: Vec<Path>) -> Rc<Self> {
        Rc::new(Self {
            paths: RefCell::new(paths),
            edges: RefCell::default(),
            streams: Cell::new(1),
            duplicate: Cell::new(None),
        })
    }

    pub(super) fn attach(&self, edge: EdgeMaker<T>) {
        self.edges.borrow_mut().push(edge);
    }

    /// One more stream goes out of it.
    pub(super) fn duplicate_by(&self, duplicate: Duplicate<T>) {
        self.streams.set(self.streams.get() + 1);
        self.duplicate.set(Some(duplicate));
    }

    /// Whether a stream of it ends nowhere.
    pub(super) fn is_loose(&self) -> bool {
        self.edges.borrow().len() < self.streams.get()
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
        shape.afterwards(move || drop(closing.boxes.take()));
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
