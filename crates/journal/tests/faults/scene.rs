//! Sources, a broker and a journal as they run, what can be done to them, and what must be so in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bus::OpeningKey;
use store::testing::TestDatabase;
use store::{Database, Store};
use tlog::Trust;
use vocabulary::{Chance, Clock};

use crate::broker::Broker;
use crate::machine::Switch;
use crate::part::{self, Part};
use crate::record;
use crate::tap::Tap;
use crate::wire::{Flow, Wire};

const SOURCES: [&str; 2] = ["bank", "identity"];

/// How much is done.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Of all sources together.
    pub(crate) events: i64,
    /// How often each fault comes.
    pub(crate) times: usize,
    /// How long a broker that is away for long is away.
    pub(crate) long: Duration,
    /// Most events in a transaction, and the pause between two.
    pub(crate) at_once: u64,
    pub(crate) pause: Duration,
    /// Longest that the rest may take once everything is mended.
    pub(crate) patience: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    BrokerKilled,
    BrokerWiped,
    BrokerAwayForLong,
    JournalKilled,
    SourceKilled,
    DatabaseAway,
    Duplicated,
    Reordered,
    Replayed,
    Poison,
    /// From the broker, without a word to either.
    JournalParted,
    SourceParted,
}

/// The broker's machine, where there are machines; the others are called as who runs there.
pub(crate) const BROKER: &str = "broker";

impl Fault {
    /// Those that machines part from one another.
    pub(crate) const PARTING: [Self; 2] = [Self::JournalParted, Self::SourceParted];
    /// Those that come wherever the processes run.
    pub(crate) const ALL: [Self; 10] = [
        Self::BrokerKilled,
        Self::BrokerWiped,
        Self::BrokerAwayForLong,
        Self::JournalKilled,
        Self::SourceKilled,
        Self::DatabaseAway,
        Self::Duplicated,
        Self::Reordered,
        Self::Replayed,
        Self::Poison,
    ];

    /// Whether it can be done only to a broker that is there.
    fn needs_the_broker(self) -> bool {
        !matches!(self, Self::JournalKilled | Self::SourceKilled | Self::DatabaseAway) && !Self::PARTING.contains(&self)
    }
}

/// A process that plays a part.
struct Player {
    part: Part,
    log: PathBuf,
    machine: Option<&'static str>,
    child: Option<Child>,
}

impl Player {
    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut child = match self.machine {
            None => Command::new(std::env::current_exe().unwrap()),
            Some(_) => Command::new("nsenter"),
        };
        if let Some(machine) = self.machine {
            child.arg(format!("--net=/run/netns/{machine}")).arg(std::env::current_exe().unwrap());
        }
        let child = child
            .args(["--exact", "a_part_is_played_in_a_process_of_its_own", "--nocapture"])
            .env(part::VARIABLE, serde_json::to_string(&self.part).unwrap())
            // A panic's first words are what is looked for.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// `kill -9`.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A process that ended by itself found something that it does not survive.
    fn check(&mut self) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
        assert_eq!(ended, None, "the {} ended by itself", self.part.name);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(30).collect();
            eprintln!("last words of {}:", self.part.name);
            last.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

pub(crate) struct Scene {
    players: BTreeMap<&'static str, Player>,
    sources: BTreeMap<&'static str, Store>,
    journal: Store,
    tap: Tap,
    wire: Option<Wire>,
    network: Option<Switch>,
    poison: BTreeSet<Vec<u8>>,
    chance: Chance,
    scale: Scale,
    broker: Broker,
    _databases: Vec<TestDatabase>,
}

/// What of a fault has to be mended.
enum Mend {
    Nothing,
    Broker { wiped: bool },
    Player(&'static str),
    Wire,
    Lock(Box<store::Transaction>),
    Parted(&'static str),
}

impl Mend {
    /// Whether this has to be mended before `fault` can come.
    fn excludes(&self, fault: Fault) -> bool {
        match self {
            Self::Nothing => false,
            Self::Broker { .. } => fault.needs_the_broker(),
            Self::Player("journal") => matches!(fault, Fault::JournalKilled | Fault::Poison),
            Self::Player(_) => matches!(fault, Fault::SourceKilled),
            Self::Parted("journal") => matches!(fault, Fault::JournalParted | Fault::Poison),
            Self::Parted(_) => matches!(fault, Fault::SourceParted),
            Self::Wire | Self::Lock(_) => matches!(fault, Fault::DatabaseAway | Fault::Poison),
        }
    }
}

impl Scene {
    /// The journal on the database `of`, everybody on a machine of their own where there is a network; nothing where nats-server
    /// is not installed.
    pub(crate) async fn new(seed: u64, scale: Scale, of: TestDatabase, network: Option<Switch>) -> Option<Self> {
        let broker = Broker::start_on(network.as_ref().map(|_| BROKER)).await?;
        let chance = Chance::seeded(seed);
        let tap = Tap::on(&broker, chance.clone()).await;
        let keys = broker.dir().join("keys");
        std::fs::create_dir(&keys).unwrap();
        OpeningKey::generate().unwrap().keep(&keys.join("events-1.key")).unwrap();
        let tls = broker.dir().join("parts");
        let journal = Store::open(&of.database, journal::MIGRATIONS, Clock::system()).await.unwrap();
        let (address, wire) = address(&of.database).await;
        let mut databases = vec![of];
        let mut places = BTreeMap::from([("journal", address)]);
        let mut sources = BTreeMap::new();
        for name in SOURCES {
            let database = TestDatabase::sqlite().unwrap();
            let store = Store::open(&database.database, record::MIGRATIONS, Clock::system()).await.unwrap();
            sources.insert(name, store);
            places.insert(name, address_of(&database.database, 0));
            databases.push(database);
        }
        let mut players: BTreeMap<&'static str, Player> = BTreeMap::new();
        for (name, database) in places {
            part::certify(&tls, broker.root(), name, &broker.link(name));
            let part = Part {
                name: name.to_owned(),
                database,
                broker: broker.address(),
                tls: tls.clone(),
                keys: keys.clone(),
                events: scale.events / i64::try_from(SOURCES.len()).unwrap(),
                at_once: scale.at_once,
                pause: scale.pause,
            };
            let (log, machine) = (broker.dir().join(format!("{name}.log")), network.as_ref().map(|_| name));
            players.insert(name, Player { part, log, machine, child: None });
        }
        players.values_mut().for_each(Player::start);
        let poison = BTreeSet::new();
        Some(Self {
            players,
            sources,
            journal,
            tap,
            wire,
            network,
            poison,
            chance,
            scale,
            broker,
            _databases: databases,
        })
    }

    /// Every fault some times, in an order and at moments of the seed; a third of them while another lasts.
    pub(crate) async fn suffer(&mut self, each_of: &[Fault]) -> Vec<Fault> {
        let mut faults = each_of.repeat(self.scale.times);
        for place in (1..faults.len()).rev() {
            faults.swap(place, usize::try_from(self.chance.below(place as u64 + 1)).unwrap());
        }
        let each = self.scale.events / i64::try_from(faults.len() + 1).unwrap();
        let mut mends: Vec<Mend> = Vec::new();
        for (number, fault) in (0_i64..).zip(&faults) {
            if mends.iter().any(|mend| mend.excludes(*fault)) || self.chance.below(3) > 0 {
                self.mend_all(&mut mends).await;
            }
            let moment = each * number + i64::try_from(self.chance.below(each.unsigned_abs())).unwrap();
            if mends.is_empty() {
                self.until_kept(moment).await;
            }
            mends.push(self.strike(*fault).await);
            let lasts = match fault {
                Fault::BrokerAwayForLong | Fault::JournalParted | Fault::SourceParted => self.scale.long,
                // Longer than writers wait.
                Fault::DatabaseAway => self.scale.long + self.moment(3000),
                _ => self.moment(700),
            };
            pass(lasts).await;
        }
        self.mend_all(&mut mends).await;
        faults
    }

    fn moment(&self, millis: u64) -> Duration {
        Duration::from_millis(self.chance.below(millis))
    }

    async fn strike(&mut self, fault: Fault) -> Mend {
        let source = SOURCES[usize::try_from(self.chance.below(SOURCES.len() as u64)).unwrap()];
        match fault {
            Fault::BrokerKilled | Fault::BrokerWiped | Fault::BrokerAwayForLong => {
                self.broker.kill();
                return Mend::Broker { wiped: fault == Fault::BrokerWiped };
            }
            Fault::JournalKilled => return self.kill("journal"),
            Fault::SourceKilled => return self.kill(source),
            Fault::JournalParted => return self.part("journal"),
            Fault::SourceParted => return self.part(source),
            Fault::DatabaseAway => {
                let Some(wire) = &self.wire else { return Mend::Lock(Box::new(self.lock().await)) };
                wire.set(if self.chance.below(2) == 0 { Flow::Still } else { Flow::Cut });
                return Mend::Wire;
            }
            Fault::Duplicated => self.tap.duplicate().await,
            Fault::Reordered => self.tap.reorder().await,
            Fault::Replayed => self.tap.replay().await,
            Fault::Poison => {
                let heard = record::heard(&self.journal, source).await.unwrap();
                let journal = &self.journal;
                let arrived = async |bytes: &[u8]| {
                    journal::set_aside(journal).await.is_ok_and(|aside| aside.iter().any(|it| it.bytes == bytes))
                };
                let poison = within(self.scale.patience, self.tap.poison(source, heard, arrived)).await;
                usize::from(self.poison.insert(poison))
            }
        };
        Mend::Nothing
    }

    /// From the broker: what either sends the other does not arrive, and nobody is told.
    fn part(&self, name: &'static str) -> Mend {
        self.network.as_ref().unwrap().part(name, &[BROKER]);
        Mend::Parted(name)
    }

    fn kill(&mut self, name: &'static str) -> Mend {
        let player = self.players.get_mut(name).unwrap();
        player.check();
        player.kill();
        Mend::Player(name)
    }

    /// Of SQLite, the writer: nobody else writes.
    async fn lock(&self) -> store::Transaction {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            if let Ok(tx) = self.journal.begin().await {
                return tx;
            }
        }
    }

    async fn mend_all(&mut self, mends: &mut Vec<Mend>) {
        for mend in mends.drain(..) {
            match mend {
                Mend::Nothing => {}
                Mend::Broker { wiped } => {
                    if wiped {
                        self.broker.wipe();
                    }
                    self.broker.run();
                    self.broker.prepare().await;
                }
                Mend::Player(name) => self.players.get_mut(name).unwrap().start(),
                Mend::Wire => self.wire.as_ref().unwrap().set(Flow::Open),
                Mend::Lock(tx) => drop(tx),
                Mend::Parted(name) => Switch::join(name),
            }
        }
    }

    /// Until the journal has so many, or nothing more can come.
    async fn until_kept(&mut self, count: i64) {
        let each = self.each();
        self.until(async |scene| record::size(&scene.journal).await.unwrap_or(0) >= count || scene.is_done(each).await)
            .await;
    }

    /// Until every source has told everything and every outbox is empty.
    async fn until_done(&mut self, events: i64) {
        self.until(async |scene| scene.is_done(events).await).await;
    }

    async fn is_done(&self, events: i64) -> bool {
        for source in self.sources.values() {
            if record::told(source).await.unwrap() < events || source.outbox_newest().await.unwrap().is_some() {
                return false;
            }
        }
        true
    }

    async fn until(&mut self, so: impl AsyncFn(&Self) -> bool) {
        within(self.scale.patience, async {
            let mut look = tokio::time::interval(Duration::from_millis(50));
            while !so(self).await {
                look.tick().await;
                self.players.values_mut().for_each(Player::check);
            }
        })
        .await;
    }

    fn each(&self) -> i64 {
        self.scale.events / i64::try_from(SOURCES.len()).unwrap()
    }

    /// What must be so in the end. Gives how many events there are.
    pub(crate) async fn check(mut self) -> i64 {
        let each = self.each();
        self.until_done(each).await;
        record::compare(&self.sources, &self.journal).await;
        // All that ever was, once more; when what comes after it has come, so has it.
        self.tap.replay().await;
        for source in self.sources.values() {
            let mut tx = source.begin().await.unwrap();
            let last = part::event(each + 1, &Clock::system(), &self.chance);
            record::tell(&mut tx, each + 1, &last).await.unwrap();
            tx.commit().await.unwrap();
        }
        self.until_done(each + 1).await;
        let all = record::compare(&self.sources, &self.journal).await;
        let key = journal::log_key(part::SECRET.into()).unwrap();
        let trust = Trust::new(key.verifier().clone(), Vec::new(), 0).unwrap();
        let audited = journal::audit(&self.journal, &trust, None, Vec::new()).await.unwrap();
        assert_eq!(i64::try_from(audited.head.size), Ok(all));
        let aside: BTreeSet<Vec<u8>> =
            journal::set_aside(&self.journal).await.unwrap().into_iter().map(|it| it.bytes).collect();
        assert!(aside == self.poison, "{} messages are set aside, of {} poisoned", aside.len(), self.poison.len());
        all
    }
}

/// The journal's database as its process reaches it: where it is a server, by a wire that can be cut.
async fn address(database: &Database) -> (String, Option<Wire>) {
    match database {
        Database::Sqlite { .. } => (address_of(database, 0), None),
        Database::Postgres(config) => {
            let wire = Wire::to(config.port).await;
            (address_of(database, wire.port), Some(wire))
        }
    }
}

fn address_of(database: &Database, port: u16) -> String {
    match database {
        Database::Sqlite { path } => format!("sqlite:{}", path.display()),
        Database::Postgres(it) => {
            let list = it.revocation_list.as_ref().map_or(String::new(), |list| format!("&sslcrl={}", list.display()));
            format!(
                "postgres://{}@{}:{port}/{}?sslrootcert={}&sslcert={}&sslkey={}{list}",
                it.user,
                it.host,
                it.database,
                it.root_certificate.display(),
                it.certificate.display(),
                it.key.display()
            )
        }
    }
}

/// Lets time pass in which a fault lasts.
async fn pass(time: Duration) {
    let mut passing = tokio::time::interval(time.max(Duration::from_millis(1)));
    passing.tick().await;
    passing.tick().await;
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(patience, work).await;
    assert!(outcome.is_ok(), "this did not come to pass within {patience:?}");
    outcome.unwrap()
}
