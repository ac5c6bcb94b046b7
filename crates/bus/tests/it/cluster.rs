//! Three nodes that hold each event three times, as `deploy/nats/cluster.conf` has it, of which the leader is killed under load:
//! the other two go on by themselves, and it catches up when it is back.

use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use bus::nats::{Connection, Layout, Receiver, prepare};
use bus::{OpeningKey, OpeningKeys};
use pki::Authority;
use vocabulary::{Chance, Clock};

use crate::broker::{Broker, free_port, installed};
use crate::tell;
use crate::ways::{Record, Source};

const SUBJECT: &str = "log.members.info";
const DEPLOYED: &str = include_str!("../../../../deploy/nats/cluster.conf");
const NODES: usize = 3;
/// Nodes that miss one wait up to nine seconds before they choose anew, and a link that broke is made anew ever more slowly.
const PATIENCE: Duration = Duration::from_mins(2);

struct Cluster {
    nodes: Vec<Broker>,
}

impl Cluster {
    /// Running nodes that have found each other, and the stream on all of them; nothing where nats-server is not installed.
    async fn start() -> Option<Self> {
        installed()?;
        let folder = tempfile::tempdir().unwrap();
        let made = Authority::open_or_create(folder.path(), "Brokers", &Clock::system(), &Chance::system());
        let authority = Arc::new(made.unwrap().0);
        let nodes: Vec<Broker> = (0..NODES).map(|_| Broker::new(Arc::clone(&authority))).collect();
        let routes: Vec<u16> = (0..NODES).map(|_| free_port()).collect();
        for (number, node) in nodes.iter().enumerate() {
            configure(node, number, &routes);
            node.run();
        }
        let cluster = Self { nodes };
        let operator = cluster.connect("operator").await;
        let layout = Layout { replicas: NODES, most_bytes: 1_000_000_000 };
        // Until they have a leader.
        until(async || prepare(&operator, layout).await.ok()).await;
        Some(cluster)
    }

    /// A link to whichever node is there.
    async fn connect(&self, name: &str) -> Connection {
        let addresses: Vec<String> = self.nodes.iter().map(Broker::address).collect();
        Connection::open(&addresses, name, &self.nodes[0].link(name)).await.unwrap()
    }

    /// Who leads the stream.
    async fn leader(&self) -> usize {
        let options = ConnectOptions::new()
            .require_tls(true)
            .tls_client_config(self.nodes[0].link("operator").client_config().unwrap())
            .custom_inbox_prefix("_INBOX_operator")
            .retry_on_initial_connect();
        let addresses: Vec<String> = self.nodes.iter().map(Broker::address).collect();
        let jetstream = async_nats::jetstream::new(options.connect(addresses).await.unwrap());
        until(async || {
            let stream = jetstream.get_stream("JOURNAL").await.ok()?;
            let leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
            (0..NODES).find(|number| leader == node(*number))
        })
        .await
    }
}

/// Asks until there is an answer.
async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let answered = tokio::time::timeout(PATIENCE, async {
        loop {
            look.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    });
    answered.await.unwrap()
}

fn node(number: usize) -> String {
    format!("guichet-{}", number + 1)
}

/// As an operator does: a name of its own for each node, the three addresses, and one word of their own.
fn configure(node_: &Broker, number: usize, routes: &[u16]) {
    let file = node_.dir().join("nats-server.conf");
    let conf = std::fs::read_to_string(&file).unwrap();
    let conf = conf.replace("server_name: \"guichet-1\"", &format!("server_name: \"{}\"", node(number)));
    let clustered = conf.replace("# include \"cluster.conf\"", "include \"cluster.conf\"");
    assert_ne!(conf, clustered);
    std::fs::write(file, clustered).unwrap();
    let own = format!("127.0.0.1:{}", routes[number]);
    let links = DEPLOYED.replace("0.0.0.0:6222", &own).replace("CHANGE-THIS", "acorns-in-november");
    let named = |links: String, (number, port): (usize, &u16)| {
        links.replace(&format!("nats-{}.internal:6222", number + 1), &format!("localhost:{port}"))
    };
    let links = routes.iter().enumerate().fold(links, named);
    assert!(!links.contains("internal"), "{links}");
    std::fs::write(node_.dir().join("cluster.conf"), links).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_its_leader_under_load_loses_nothing_and_goes_on() {
    let Some(cluster) = Cluster::start().await else { return };
    let times = if std::env::var_os("GUICHET_PROVE").is_some() { 5 } else { 1 };
    let key = cluster.nodes[0].dir().join("events.key");
    OpeningKey::generate().unwrap().keep(&key).unwrap();
    let record = Record::new();
    let keys = OpeningKeys::new(OpeningKey::open(&key).unwrap(), Vec::new());
    let receiver = Receiver::start(cluster.connect("journal").await, keys, record.clone());
    let mut source = Source::one("bank").await;
    let sealing = OpeningKey::open(&key).unwrap().sealing().clone();
    source.carry_over(cluster.connect("bank").await, sealing).await;
    let mut told = 0;
    for _ in 0..times {
        let leader = cluster.leader().await;
        let some = record.of("bank").len();
        tell(&source.store, SUBJECT, told..told + 800).await;
        told += 800;
        until(async || (record.of("bank").len() > some).then_some(())).await;
        cluster.nodes[leader].kill();
        tell(&source.store, SUBJECT, told..told + 200).await;
        told += 200;
        // While it is away.
        source.flushed().await;
        assert_eq!(record.of("bank"), (0..told).collect::<Vec<_>>());
        assert_ne!(cluster.leader().await, leader);
        cluster.nodes[leader].run();
    }
    receiver.stop().await;
}
