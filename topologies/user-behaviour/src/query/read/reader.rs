//! Reads a page from whichever store can answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::guard::{BreakerStatus, Clock, Mode, Switch};
use squall::service::http::Deadline;
use squall::service::read::ReadGate;
use squall::store::timeline::{Limits, Whole};
use squall::store::{Rows, Timelines};
use tokio::sync::Semaphore;

use super::held::Held;
use super::known::Known;
use super::last::Last;
use super::mend::{Mender, Numbers};
use super::merge::merge;
use super::rows::{RowReader, RowsPage};
use super::time::{before_the_end, first_half};
use super::{Ask, Away, Found, Interface, Item, Origin, Unavailable};
use crate::query::QuerySettings;
use crate::query::settings::MAX_LIMIT;

/// The stores that are read.
#[derive(Clone)]
pub struct Sources {
    /// The timelines and profiles.
    pub timelines: Arc<dyn Timelines>,
    /// What a timeline keeps.
    pub limits: Limits,
    /// Takes the timelines out of the path: the switch that also takes them out of that of the topology. `auto` leaves them
    /// in it: here the breakers decide.
    pub switch: Switch,
    /// The rows.
    pub rows: Arc<dyn Rows>,
}

/// Reads from both stores. Shared by all requests.
pub struct Reader {
    pub(super) sources: Sources,
    /// By node.
    timelines: Box<[Gates]>,
    pub(super) rows: RowReader,
    pub(super) rows_gates: Gates,
    pub(super) known: Known,
    pub(super) mender: Arc<Mender>,
    pub(super) last: Last,
    pub(super) settings: QuerySettings,
    clock: Clock,
}

/// The ways of the interfaces to a store, or to one of its nodes.
pub(super) struct Gates([ReadGate; 3]);

impl Gates {
    fn new(store: &'static str, settings: squall::service::read::GateSettings) -> Self {
        let first = ReadGate::new(store, settings);
        Self([first.clone(), first.beside(settings.step), first.beside(settings.step)])
    }

    pub(super) fn of(&self, interface: Interface) -> &ReadGate {
        let [behaviours, profile, batch] = &self.0;
        match interface {
            Interface::Behaviours => behaviours,
            Interface::Profile => profile,
            Interface::Batch => batch,
        }
    }
}

impl Reader {
    /// Asks nothing yet.
    pub fn new(sources: Sources, settings: QuerySettings) -> Self {
        let nodes = 0..sources.timelines.nodes();
        let timelines: Box<[Gates]> = nodes.map(|_| Gates::new("redis", settings.redis)).collect();
        let rows_gates = Gates::new("mysql", settings.mysql);
        let rows = RowReader::new(sources.rows.clone(), sources.limits.keep.max(MAX_LIMIT));
        let known = Known::new(settings.known_users, settings.confirm, settings.negative);
        let mender = Mender {
            timelines: sources.timelines.clone(),
            limits: sources.limits,
            switch: sources.switch.clone(),
            timelines_gates: timelines
                .iter()
                .map(|node| node.of(Interface::Behaviours).beside(settings.repair_step))
                .collect(),
            rows: rows.clone(),
            rows_gate: rows_gates
                .of(Interface::Behaviours)
                .beside(settings.repair_step)
                .waiting(settings.repair_step),
            known: known.clone(),
            most: settings.repair_rows,
            in_flight: Semaphore::new(settings.repair_in_flight),
            queue: Arc::new(Semaphore::new(settings.repair_queue)),
            queued: Mutex::new(HashSet::new()),
            numbers: Numbers::default(),
        };
        let (mender, last) = (Arc::new(mender), Last::new(settings.stale_bytes, settings.stale));
        Self { sources, timelines, rows, rows_gates, known, mender, last, settings, clock: Clock::wall() }
    }

    /// Where the breakers stand: of which store, which of its nodes, for whom.
    pub fn breakers(&self) -> impl Iterator<Item = (&'static str, usize, Interface, BreakerStatus)> {
        let timelines = self.timelines.iter().enumerate().map(|(node, gates)| ("redis", node, gates));
        let all = timelines.chain([("mysql", 0, &self.rows_gates)]);
        all.flat_map(|(store, node, gates)| {
            Interface::ALL.map(|interface| (store, node, interface, gates.of(interface).status()))
        })
    }

    /// A page of a user's list; with `stale` also an earlier answer that is not older.
    ///
    /// # Errors
    /// Both stores are away, or the time of the request was over.
    pub async fn page(
        &self,
        interface: Interface,
        ask: &Ask,
        stale: Option<Duration>,
        deadline: Deadline,
    ) -> Result<Found, Unavailable> {
        // Where something old will do, too, it has to come in time.
        let deadline = if stale.is_some() { before_the_end(deadline) } else { deadline };
        let found = self.fresh(interface, ask, deadline).await;
        match (&found, stale) {
            (Ok(fresh), _) if fresh.complete => self.last.keep(ask, fresh).await,
            // Something old is worth more than nothing, and less than a part.
            (Ok(part), Some(stale)) if part.items.is_empty() => {
                if let Some(last) = self.last.page(ask, stale).await {
                    return Ok(last);
                }
            }
            (Err(_), Some(stale)) => {
                if let Some(last) = self.last.page(ask, stale).await {
                    return Ok(last);
                }
            }
            _ => {}
        }
        found
    }

    async fn fresh(&self, interface: Interface, ask: &Ask, deadline: Deadline) -> Result<Found, Unavailable> {
        let as_of = self.now_ms();
        let mut held = self.held(interface, ask, deadline).await;
        if let Ok(held) = &mut held
            && let Some((items, next)) = self.settled(ask, held).await
        {
            return Ok(Found { items, next, source: Origin::Redis, complete: true, as_of });
        }
        let business = ask.business.as_deref();
        let gate = self.rows_gates.of(interface);
        let rows = match &held {
            Err(_) if self.known.nothing(&ask.user, business).await => {
                Ok(Arc::new(RowsPage { readable: true, ..RowsPage::default() }))
            }
            // There is nothing to compare with, and many such questions.
            Err(_) => self.rows.no_more(gate, ask, deadline).await,
            Ok(_) => self.rows.page(gate, ask, before_the_end(deadline)).await,
        };
        match (held, rows) {
            (held, Ok(rows)) => {
                self.compare(ask, held.as_ref().ok(), &rows).await;
                let (items, next) = merge(ask, held.as_ref().ok(), &rows);
                let complete = rows.readable;
                Ok(Found { items, next, source: Origin::Mysql, complete, as_of })
            }
            (Ok(held), Err(error)) => {
                tracing::debug!(%error, "answering from the timelines alone");
                let mut items: Vec<Item> = held.items.into_iter().filter(|item| ask.takes(item)).collect();
                items.truncate(ask.limit);
                // Once the rows are back, the list goes on from there; without any record, from where it stood.
                let next = items.last().map(|item| item.place.clone()).or_else(|| ask.before.clone());
                Ok(Found { items, next, source: Origin::Redis, complete: false, as_of })
            }
            (Err(timelines), Err(rows)) => Err(Unavailable { timelines, rows }),
        }
    }

    /// As much of the timelines as the page can need.
    async fn held(&self, interface: Interface, ask: &Ask, deadline: Deadline) -> Result<Held, Away> {
        self.in_path()?;
        let limit = if ask.is_plain() { ask.limit } else { self.sources.limits.keep };
        let whose = (ask.user.as_str(), ask.business.as_deref());
        let gate = self.timelines_gate(interface, &ask.user);
        let deadline = first_half(deadline);
        Ok(Held::read(&self.sources.timelines, gate, &self.sources.limits, whose, limit, deadline).await?)
    }

    /// The way to the timelines of a user.
    pub(super) fn timelines_gate(&self, interface: Interface, user: &str) -> &ReadGate {
        self.timelines[self.sources.timelines.node_of(user)].of(interface)
    }

    /// Whether the timelines may be asked.
    pub(super) fn in_path(&self) -> Result<(), Away> {
        match self.sources.switch.mode() {
            Mode::On => Err(Away::SwitchedOff),
            Mode::Off | Mode::Auto => Ok(()),
        }
    }

    /// The page, taken out of `held`, if the timelines alone are enough for it.
    async fn settled(&self, ask: &Ask, held: &mut Held) -> Option<(Vec<Item>, Option<super::Place>)> {
        let taken = |(at, item): (usize, &Item)| ask.takes(item).then_some(at);
        let taken: Vec<usize> = held.items.iter().enumerate().filter_map(taken).take(ask.limit).collect();
        let full = taken.len() == ask.limit;
        let business = ask.business.as_deref();
        // Nothing can be whole, and be known to be nothing.
        let whole = held.whole != Whole::Unknown || held.items.is_empty();
        let all = full || (held.ended && self.known.covers(&ask.user, business, &held.items).await);
        if !(whole && all) {
            return None;
        }
        let mut taken = taken.into_iter().peekable();
        let items = std::mem::take(&mut held.items).into_iter().enumerate();
        let items: Vec<Item> =
            items.filter(|(at, _)| taken.next_if_eq(at).is_some()).map(|(_, item)| item).collect();
        let next = items.last().filter(|_| full).map(|item| item.place.clone());
        Some((items, next))
    }

    /// Learns from the rows what the timelines should hold.
    async fn compare(&self, ask: &Ask, held: Option<&Held>, rows: &RowsPage) {
        let whole = ask.is_plain() && rows.ended() && rows.readable;
        let of = (ask.user.clone(), ask.business.clone());
        let Some(held) = held else {
            // Nothing is nothing, whatever the timelines would say.
            if whole && rows.items.is_empty() {
                self.mender.confirm(&of, &[]).await;
            }
            return;
        };
        let nothing = held.items.is_empty() && rows.items.is_empty();
        if held.whole == Whole::Unknown && !nothing {
            self.mender.schedule((ask.user.clone(), None));
        }
        if held.lacks(&rows.items, &self.sources.limits) {
            self.mender.schedule(of);
        } else if whole {
            self.mender.confirm(&of, &rows.items).await;
        } else if !ask.is_plain() && held.ended && !self.known.is_known_to_lack_nothing(&of).await {
            self.mender.schedule(of);
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.unix_ms()
    }
}
