//! Kafka.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::producer::{BaseProducer, Producer};

use super::{Place, Server, ServerError, ServerKind, program};
use crate::testing::FaultProxy;

/// A Kafka broker that is its own controller. `url()` is the bootstrap address.
pub type Kafka = Server<KafkaOptions>;

/// How a [`Kafka`] is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// What clients are told to connect to, `host:port`; `None` = where it listens. A proxy that is to see
    /// all traffic must be named here, as [`Kafka::start_behind_proxy`] does.
    pub advertised: Option<String>,
    /// Java heap in MiB.
    pub heap_mib: u32,
    /// Whether it will run for minutes under load: then what is slow to compile repays itself.
    pub long_running: bool,
    /// More lines of `server.properties`; they win over those that the harness writes.
    pub properties: Vec<(String, String)>,
    /// How long the start may take.
    pub ready_timeout: Duration,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            advertised: None,
            heap_mib: 512,
            long_running: false,
            properties: Vec::new(),
            ready_timeout: Duration::from_secs(90),
        }
    }
}

impl ServerKind for KafkaOptions {
    const NAME: &'static str = "kafka";
    const VARIABLE: &'static str = "SQUALL_TEST_KAFKA";

    fn ready_timeout(&self) -> Duration {
        self.ready_timeout
    }

    fn url(&self, port: u16) -> String {
        format!("127.0.0.1:{port}")
    }

    fn prepare(&self, place: &Place) -> Result<(), ServerError> {
        let write = |file: PathBuf, text: &str| {
            fs::write(&file, text).map_err(ServerError::io("cannot write the configuration of kafka"))
        };
        write(properties_file(place), &self.properties_text(place))?;
        write(logging_file(place), LOGGING)?;
        let mut format = self.java(place)?;
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(properties_file(place));
        program::run(format)
    }

    fn command(&self, place: &Place) -> Result<Command, ServerError> {
        let mut command = self.java(place)?;
        command.arg("kafka.Kafka").arg(properties_file(place));
        Ok(command)
    }

    async fn probe(&self, url: &str) -> Result<(), String> {
        // The client needs a thread and half a second to find out that nobody listens.
        let first = url.split(',').next().unwrap_or(url);
        tokio::net::TcpStream::connect(first).await.map_err(|e| e.to_string())?;
        let url = url.to_owned();
        let ask = tokio::task::spawn_blocking(move || brokers(&url));
        match ask.await.map_err(|e| e.to_string())?? {
            0 => Err("no broker has registered yet".into()),
            _ => Ok(()),
        }
    }
}

impl KafkaOptions {
    fn java(&self, place: &Place) -> Result<Command, ServerError> {
        let mut command = Command::new(java()?);
        command
            .args(["-Xms64m", &format!("-Xmx{}m", self.heap_mib)])
            // One client at a time does not repay the larger collectors.
            .arg("-XX:+UseSerialGC")
            // Nor, in a short life, the second compiler.
            .args((!self.long_running).then_some("-XX:TieredStopAtLevel=1"))
            .arg(format!("-Dlog4j2.configurationFile={}", logging_file(place).display()))
            .arg("-cp")
            .arg(home()?.join("libs").join("*"));
        Ok(command)
    }

    fn properties_text(&self, place: &Place) -> String {
        let (port, controller) = (place.port, place.second_port);
        let own = format!("127.0.0.1:{port}");
        let (mut listeners, mut advertised) = (format!("PLAINTEXT://{own}"), format!("PLAINTEXT://{own}"));
        if let Some(named) = &self.advertised {
            let direct = format!(",DIRECT://127.0.0.1:{}", place.third_port);
            advertised = format!("PLAINTEXT://{named}{direct}");
            listeners.push_str(&direct);
        }
        let mut text = format!(
            "controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners={listeners},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={advertised}\n\
             log.dirs={}\n{PROPERTIES}",
            place.data().display()
        );
        for (name, value) in &self.properties {
            // The last line of a name wins in Java's properties.
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }
}

impl Server<KafkaOptions> {
    /// A new broker that sends its clients to a proxy, and the proxy. Clients start from
    /// [`FaultProxy::address`]; `url()` still leads to the broker itself, and from there to the proxy. A client that
    /// starts from [`direct_address`](Self::direct_address) stays off the proxy.
    ///
    /// ```no_run
    /// # use squall::testing::{Fault, servers::{Kafka, KafkaOptions, ServerError}};
    /// # async fn example() -> Result<(), ServerError> {
    /// let (kafka, proxy) = Kafka::start_behind_proxy(KafkaOptions::default()).await?;
    /// let bootstrap = proxy.address().to_string();
    /// // ... produce through `bootstrap` ...
    /// proxy.set(Fault::BlackHole);
    /// # drop(kafka);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`start_own`](Server::start_own).
    pub async fn start_behind_proxy(options: KafkaOptions) -> Result<(Self, FaultProxy), ServerError> {
        let proxy = FaultProxy::reserve();
        let options = KafkaOptions { advertised: Some(proxy.address().to_string()), ..options };
        let server = Self::start_own(options).await?;
        proxy.lead_to(server.socket_address()?);
        Ok((server, proxy))
    }

    /// Where a broker that advertises another address than its own is reached without going there, by clients that
    /// must see it whatever happens to the others. `None` for one that advertises itself.
    pub fn direct_address(&self) -> Option<String> {
        self.options().advertised.as_ref()?;
        Some(format!("127.0.0.1:{}", self.place()?.third_port))
    }
}

const CLUSTER_ID: &str = "c3F1YWxsLXRlc3RzLTAwMQ";

const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=2000
auto.create.topics.enable=false
delete.topic.enable=true
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
";

const LOGGING: &str = "\
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss,SSS} %p %m (%c{1})%n
";

fn properties_file(place: &Place) -> PathBuf {
    place.dir.join("server.properties")
}

fn logging_file(place: &Place) -> PathBuf {
    place.dir.join("log4j2.properties")
}

fn java() -> Result<PathBuf, ServerError> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    home.filter(|java| java.is_file()).map_or_else(|| program::find("java"), Ok)
}

/// Where `libs` with the jars is: `SQUALL_KAFKA_HOME`, or `.cache/kafka` of this checkout or of the
/// workspace round the working directory.
fn home() -> Result<PathBuf, ServerError> {
    let named = std::env::var_os("SQUALL_KAFKA_HOME").map(PathBuf::from);
    let here = std::env::current_dir().unwrap_or_default();
    let caches = std::iter::once(Path::new(env!("CARGO_MANIFEST_DIR")))
        .chain(here.ancestors())
        .map(|root| root.join(".cache").join("kafka"));
    let found = match named {
        Some(home) => Some(home).filter(|home| home.join("libs").is_dir()),
        None => caches.into_iter().find(|home| home.join("libs").is_dir()),
    };
    found.ok_or_else(|| ServerError::Missing {
        what: "kafka".into(),
        remedy: "run `make kafka`, or set SQUALL_KAFKA_HOME to a directory with its `libs`",
    })
}

fn brokers(bootstrap: &str) -> Result<usize, String> {
    let client: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .map_err(|e| e.to_string())?;
    let metadata = client.client().fetch_metadata(None, Duration::from_secs(2)).map_err(|e| e.to_string())?;
    Ok(metadata.brokers().len())
}
