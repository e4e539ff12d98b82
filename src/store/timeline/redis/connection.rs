//! Connections that are opened on demand and thrown away when they fail.
//!
//! A call that is given up by its caller says nothing by itself: callers may be in a hurry. But a connection that has owed an
//! answer for as long as a call may take, has brought none since, and has another call given up then, is thrown away as
//! well: where something between drops what it does not know, or the server was cut from its power, nothing else would
//! say so before TCP does, minutes later, and callers who all wait less than a call may take would ask it again and again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::error::{Failure, classify, is_unknown_script};
use super::settings::RedisSettings;
use crate::store::StoreError;

const STORE: &str = "redis";
/// The run of a server that does not tell which one it is.
const UNTOLD: &str = "-";

/// A fixed number of connections to one server.
pub(super) struct Connections {
    client: Client,
    address: String,
    settings: RedisSettings,
    /// Sent over every new connection.
    greeting: Pipeline,
    slots: Box<[Slot]>,
    next: AtomicUsize,
}

struct Slot {
    state: Mutex<State>,
    /// One opens, the others wait for it.
    opening: Semaphore,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    opened: u64,
    failures: u32,
    /// The last attempt failed for this reason; none before this instant.
    pause: Option<(Instant, String)>,
    /// When the first call was sent over the connection, since it last answered one, that was given up by its caller.
    owed_since: Option<Instant>,
}

/// A call that is under way; dropped without an answer it is owed one.
struct Asked<'s> {
    connections: &'s Connections,
    slot: &'s Slot,
    number: u64,
    at: Instant,
    over: bool,
}

impl Asked<'_> {
    /// The call is over, answered by the server or not.
    fn over(mut self, answered: bool) {
        self.over = true;
        if answered {
            self.slot.answered(self.number);
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.slot.owes(self.number, self.at, self.connections);
        }
    }
}

#[derive(Clone)]
struct Live {
    number: u64,
    connection: MultiplexedConnection,
    server: Server,
}

/// What the server said of itself when the connection was opened.
#[derive(Debug, Clone)]
pub(super) struct Server {
    time_s: i64,
    at: Instant,
    run: Arc<str>,
}

impl Server {
    /// Its time in seconds. Keys expire by it, whatever the clock of this machine says.
    pub(super) fn now_s(&self) -> i64 {
        self.time_s + self.at.elapsed().as_secs().cast_signed()
    }

    /// The id of its run: another one after each start. `-` of a server that does not tell.
    pub(super) fn run(&self) -> &Arc<str> {
        &self.run
    }
}

impl Connections {
    /// Opens nothing yet.
    pub(super) fn new(settings: RedisSettings, greeting: Pipeline) -> Result<Self, StoreError> {
        // The client's own text would repeat the URL.
        let invalid = |_| config("the URL is not valid, expected redis://[user][:password]@host[:port][/db]");
        let info = settings.url.as_str().into_connection_info().map_err(invalid)?;
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_tcp_settings(tcp);
        let address = info.addr().to_string();
        let client = Client::open(info).map_err(|error| classify(&error, &address).error)?;
        let slot = |_| Slot { state: Mutex::default(), opening: Semaphore::new(1) };
        let slots = (0..settings.connections.max(1)).map(slot).collect();
        Ok(Self { client, address, settings, greeting, slots, next: AtomicUsize::new(0) })
    }

    /// Runs a pipeline, made for the server, and gives back what it answered.
    pub(super) async fn query<T: FromRedisValue>(
        &self,
        what: &'static str,
        pipeline: impl FnOnce(&Server) -> Pipeline,
    ) -> Result<T, StoreError> {
        self.run(what, pipeline).await.map_err(|failure| failure.error)
    }

    /// Runs a pipeline of writes. `Ok` lists, in ascending order, the calls that failed by what their keys hold; all
    /// others succeeded.
    pub(super) async fn write(
        &self,
        what: &'static str,
        pipeline: impl FnOnce(&Server) -> Pipeline,
    ) -> Result<Vec<(usize, StoreError)>, StoreError> {
        match self.run::<()>(what, pipeline).await {
            Ok(()) => Ok(Vec::new()),
            Err(failure) if !failure.keys.is_empty() => Ok(failure.keys),
            Err(failure) => Err(failure.error),
        }
    }

    /// On one connection: one round trip, and one more after the server forgot its scripts.
    async fn run<T: FromRedisValue>(
        &self,
        what: &'static str,
        pipeline: impl FnOnce(&Server) -> Pipeline,
    ) -> Result<T, Failure> {
        let slot = &self.slots[self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len()];
        let mut live = self.open(slot).await?;
        let pipeline = pipeline(&live.server);
        let bound = self.settings.response_timeout;
        let run = async {
            match pipeline.query_async(&mut live.connection).await {
                Err(error) if is_unknown_script(&error) => {
                    self.greeting.exec_async(&mut live.connection).await?;
                    pipeline.query_async(&mut live.connection).await
                }
                result => result,
            }
        };
        let asked = Asked { connections: self, slot, number: live.number, at: Instant::now(), over: false };
        let result = match timeout(bound, run).await {
            Ok(result) => result,
            Err(_) => {
                asked.over(false);
                slot.discard(live.number);
                return Err(timed_out(what, bound).into());
            }
        };
        let result = result.map_err(|error| classify(&error, &self.address));
        let broken = result.as_ref().is_err_and(|failure| failure.discard);
        // That it cannot do what it is asked is an answer too.
        asked.over(!broken);
        if broken {
            slot.discard(live.number);
        }
        result
    }

    async fn open(&self, slot: &Slot) -> Result<Live, StoreError> {
        if let Some(live) = slot.usable(&self.address)? {
            return Ok(live);
        }
        let bound = self.settings.connect_timeout;
        let attempt = async {
            let _one = slot.opening.acquire().await.expect("the semaphore is never closed");
            if let Some(live) = slot.usable(&self.address)? {
                return Ok(live);
            }
            match timeout(bound, self.connect()).await {
                Ok(Ok((connection, server))) => Ok(slot.opened(connection, server)),
                Ok(Err(error)) => {
                    let error = classify(&error, &self.address).error;
                    slot.failed(&self.settings, error.to_string());
                    Err(error)
                }
                Err(_) => {
                    let error = timed_out("connecting", bound);
                    slot.failed(&self.settings, error.to_string());
                    Err(error)
                }
            }
        };
        timeout(bound * 2, attempt).await.unwrap_or_else(|_| Err(timed_out("connecting", bound * 2)))
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, Server), RedisError> {
        // Both are bounded by the callers; the client's own bounds would be second ones.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.greeting.exec_async(&mut connection).await?;
        let (time_s, _): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
        let at = Instant::now();
        let run = match redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await {
            Ok(info) => run_id(&info).into(),
            // It answers, and not to this: a user that may not ask, a proxy that has no such command.
            Err(error) if error.code().is_some() => {
                tracing::warn!(address = self.address, %error, "the server does not tell when it was started again");
                UNTOLD.into()
            }
            Err(error) => return Err(error),
        };
        Ok((connection, Server { time_s, at, run }))
    }
}

fn run_id(info: &str) -> &str {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).map_or(UNTOLD, str::trim_end)
}

impl Slot {
    /// The connection, if there is one; an error while attempts pause.
    fn usable(&self, address: &str) -> Result<Option<Live>, StoreError> {
        let state = self.lock();
        match (&state.live, &state.pause) {
            (Some(live), _) => Ok(Some(live.clone())),
            (None, Some((until, last))) if Instant::now() < *until => Err(StoreError::Unreachable {
                store: STORE,
                address: address.to_owned(),
                reason: format!("waiting before the next attempt; the last failed: {last}"),
            }),
            (None, _) => Ok(None),
        }
    }

    fn opened(&self, connection: MultiplexedConnection, server: Server) -> Live {
        let mut state = self.lock();
        state.opened += 1;
        state.failures = 0;
        (state.pause, state.owed_since) = (None, None);
        let live = Live { number: state.opened, connection, server };
        state.live = Some(live.clone());
        live
    }

    fn failed(&self, settings: &RedisSettings, reason: String) {
        let mut state = self.lock();
        let doubled = settings.backoff_min.saturating_mul(1 << state.failures.min(16));
        state.failures += 1;
        state.pause = Some((Instant::now() + doubled.min(settings.backoff_max), reason));
    }

    fn discard(&self, number: u64) {
        let mut state = self.lock();
        if state.is(number) {
            (state.live, state.owed_since) = (None, None);
        }
    }

    fn answered(&self, number: u64) {
        let mut state = self.lock();
        if state.is(number) {
            state.owed_since = None;
        }
    }

    /// A call that was sent at `sent` is given up.
    fn owes(&self, number: u64, sent: Instant, of: &Connections) {
        let mut state = self.lock();
        if !state.is(number) {
            return;
        }
        let owed = *state.owed_since.get_or_insert(sent);
        if owed.elapsed() > of.settings.response_timeout {
            tracing::warn!(address = of.address, "a connection that does not answer is thrown away");
            (state.live, state.owed_since) = (None, None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this is the connection with this number.
    fn is(&self, number: u64) -> bool {
        self.live.as_ref().is_some_and(|live| live.number == number)
    }
}

fn timed_out(what: &'static str, bound: Duration) -> StoreError {
    let after_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    StoreError::Timeout { store: STORE, what, after_ms }
}

pub(super) fn config(reason: &str) -> StoreError {
    StoreError::Config { store: STORE, reason: reason.to_owned() }
}
