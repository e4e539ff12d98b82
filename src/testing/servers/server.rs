//! What all servers have in common.

use std::fs::{self, OpenOptions};
use std::net::{AddrParseError, SocketAddr};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::place::{Directory, free_ports};
use super::process::Process;
use super::{Place, ServerError, ServerKind};

/// How long a server may take to end when asked to, before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// How often a start is tried when somebody takes the port between its choice and the start.
const PORT_ATTEMPTS: usize = 4;

/// A running server: one that this value owns, or one that the environment named.
#[derive(Debug)]
pub struct Server<K: ServerKind> {
    options: K,
    url: String,
    owned: Option<Owned>,
}

#[derive(Debug)]
struct Owned {
    /// Dropped before the directory, so that nothing writes into what is being removed.
    process: Option<Process>,
    place: Place,
    _directory: Directory,
}

impl<K: ServerKind> Server<K> {
    /// A server with the usual options: the one that the environment names, or a new one.
    ///
    /// # Errors
    /// Any [`ServerError`] when it cannot be had within the kind's time.
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_with(K::default()).await
    }

    /// [`start`](Self::start) with other options, which do not reach a server that the environment names.
    ///
    /// # Errors
    /// Any [`ServerError`] when it cannot be had within the kind's time.
    pub async fn start_with(options: K) -> Result<Self, ServerError> {
        if let Ok(url) = std::env::var(K::VARIABLE) {
            options.probe(&url).await.map_err(|reason| ServerError::Failed {
                context: format!("cannot use the {} that {} names", K::NAME, K::VARIABLE),
                reason,
            })?;
            return Ok(Self { options, url, owned: None });
        }
        Self::start_own(options).await
    }

    /// A new server, whatever the environment names: for a test that needs these options, or that kills, freezes or
    /// fills its server.
    ///
    /// # Errors
    /// Any [`ServerError`] when it cannot be had within the kind's time.
    pub async fn start_own(options: K) -> Result<Self, ServerError> {
        let mut attempt = 1;
        loop {
            match Self::start_owned(options.clone()).await {
                Err(ServerError::Exited { log, .. }) if attempt < PORT_ATTEMPTS && port_taken(&log) => {
                    attempt += 1
                }
                result => return result,
            }
        }
    }

    async fn start_owned(options: K) -> Result<Self, ServerError> {
        let directory = Directory::create(K::NAME)?;
        let [port, second_port, third_port] = free_ports()?;
        let place = Place { dir: directory.path().to_path_buf(), port, second_port, third_port };
        let url = options.url(port);
        let mut server = Self { options, url, owned: Some(Owned { process: None, place, _directory: directory }) };
        server.fill().await?;
        server.spawn().await?;
        Ok(server)
    }

    /// How clients reach it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port` of the URL.
    pub fn address(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let rest = rest.split('/').next().unwrap_or(rest);
        rest.rsplit('@').next().unwrap_or(rest)
    }

    /// [`address`](Self::address) for a [`FaultProxy`](crate::testing::FaultProxy).
    ///
    /// # Errors
    /// [`ServerError::Failed`] when the environment names the server by a host that is not an IP address.
    pub fn socket_address(&self) -> Result<SocketAddr, ServerError> {
        self.address().parse().map_err(|error: AddrParseError| ServerError::Failed {
            context: format!("`{}` of {} is not an IP address and a port", self.address(), K::NAME),
            reason: error.to_string(),
        })
    }

    /// Its process id; `None` while it is down, and for a server that the environment named.
    pub fn pid(&self) -> Option<u32> {
        self.owned.as_ref()?.process.as_ref().map(Process::pid)
    }

    /// The options it was started with.
    pub fn options(&self) -> &K {
        &self.options
    }

    /// Last lines of what it printed; empty for a server that the environment named.
    pub fn log_tail(&self) -> String {
        self.owned.as_ref().map(|o| o.place.log_tail()).unwrap_or_default()
    }

    /// Where it lives; `None` for a server that the environment named.
    pub(super) fn place(&self) -> Option<&Place> {
        self.owned.as_ref().map(|owned| &owned.place)
    }

    /// Ends it with SIGKILL, as a crash does, and waits until it is gone. Data and port stay reserved for
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    /// [`ServerError::External`] when the test does not own it.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        match self.owned("kill")?.process.take() {
            Some(mut process) => process.kill().map_err(ServerError::io(format!("cannot kill {}", K::NAME))),
            None => Ok(()),
        }
    }

    /// Ends it in order: SIGTERM, and SIGKILL after 20 seconds.
    ///
    /// # Errors
    /// [`ServerError::External`] when the test does not own it.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        match self.owned("stop")?.process.take() {
            Some(mut process) => {
                process.stop(STOP_PATIENCE).await.map_err(ServerError::io(format!("cannot stop {}", K::NAME)))
            }
            None => Ok(()),
        }
    }

    /// Starts it again on the same port and data; one that still runs is stopped first.
    ///
    /// # Errors
    /// [`ServerError::External`] when the test does not own it, otherwise as [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.stop().await?;
        self.spawn().await
    }

    /// Freezes it with SIGSTOP: connections stay open, nothing answers.
    ///
    /// # Errors
    /// [`ServerError::External`], or [`ServerError::Stopped`] when it is down.
    pub fn suspend(&mut self) -> Result<(), ServerError> {
        self.signal("suspend", Signal::STOP)
    }

    /// Lets a suspended server go on.
    ///
    /// # Errors
    /// [`ServerError::External`], or [`ServerError::Stopped`] when it is down.
    pub fn resume(&mut self) -> Result<(), ServerError> {
        self.signal("resume", Signal::CONT)
    }

    /// Kills it, empties its data directory and starts it again on the same port.
    ///
    /// # Errors
    /// [`ServerError::External`] when the test does not own it, otherwise as [`start`](Self::start).
    pub async fn wipe(&mut self) -> Result<(), ServerError> {
        self.kill()?;
        self.fill().await?;
        self.spawn().await
    }

    fn owned(&mut self, action: &'static str) -> Result<&mut Owned, ServerError> {
        let external = ServerError::External { server: K::NAME, action, variable: K::VARIABLE };
        self.owned.as_mut().ok_or(external)
    }

    fn signal(&mut self, action: &'static str, signal: Signal) -> Result<(), ServerError> {
        let process = self.owned(action)?.process.as_mut();
        let process = process.ok_or(ServerError::Stopped { server: K::NAME, action })?;
        process.signal(signal).map_err(ServerError::io(format!("cannot {action} {}", K::NAME)))
    }

    /// An empty data directory, prepared for the server.
    async fn fill(&mut self) -> Result<(), ServerError> {
        let options = self.options.clone();
        let place = self.owned("prepare")?.place.clone();
        let work = tokio::task::spawn_blocking(move || {
            let data = place.data();
            if data.exists() {
                fs::remove_dir_all(&data).map_err(ServerError::io("cannot empty the data directory"))?;
            }
            fs::create_dir(&data).map_err(ServerError::io("cannot create the data directory"))?;
            options.prepare(&place)
        });
        work.await
            .map_err(|e| ServerError::Failed { context: "preparing a server".into(), reason: e.to_string() })?
    }

    async fn spawn(&mut self) -> Result<(), ServerError> {
        let options = self.options.clone();
        let owned = self.owned("start")?;
        let command = options.command(&owned.place)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(owned.place.log())
            .map_err(ServerError::io("cannot open the log of a server"))?;
        let process =
            Process::spawn(&command, log).map_err(ServerError::io(format!("cannot start {}", K::NAME)))?;
        owned.process = Some(process);
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let patience = self.options.ready_timeout();
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Err(ServerError::Exited { server: K::NAME, status, log: self.log_tail() });
            }
            let Err(reason) = self.options.probe(&self.url).await else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let after_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                return Err(ServerError::NotReady { server: K::NAME, after_ms, reason, log: self.log_tail() });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, ServerError> {
        match self.owned("watch")?.process.as_mut() {
            Some(process) => process.ended().map_err(ServerError::io(format!("cannot watch {}", K::NAME))),
            None => Ok(None),
        }
    }
}

fn port_taken(log: &str) -> bool {
    let log = log.to_lowercase();
    log.contains("address already in use") || log.contains("failed to bind")
}
