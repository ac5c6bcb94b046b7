//! Makes every check when it is due, and knows how each stands.
//!
//! Promises: each check has its own moments within its interval, is never under way twice, and does not pile up; a slow one
//! keeps others waiting only when very many are slow; a failure is looked at again within seconds; while the database is away
//! all goes on. Must not know what a check does, nor how anybody is told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::Shutdown;
use contracts::monitor::{Agreement, Certificate, CheckName, CheckSpec, Maintenance, Origin, State};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use vocabulary::{Clock, Timestamp};

use crate::check::Check;
use crate::keeping::{Happened, Keeper, What};
use crate::outcome::{Outcome, Verdict};
use crate::recorder::{Recorder, Sample};
use crate::standing::{Change, Moment, Parent, Rule, Standing};

/// Most checks that are made at a time: below what a process may have open.
const MOST_AT_ONCE: usize = 500;
/// Beyond its own time, a check that does not come back is given up after this long.
const GRACE: Duration = Duration::from_secs(2);
/// Between results that are to say whether something is wrong.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first time of a check comes within this, however seldom it is made.
const BEGIN_WITHIN: Duration = Duration::from_mins(1);
/// How often what is told again and again is kept while it stays the same.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// For how long a service may leave out one that it told of.
const UNHEARD: Duration = Duration::from_hours(1);
/// How often the scheduler shows that it is alive, with nothing to do.
const BEAT: Duration = Duration::from_secs(5);

/// How a check stands.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its number in the database.
    pub(crate) id: i64,
    pub(crate) check: Arc<Check>,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) flapping: bool,
    pub(crate) checked_at: Option<Timestamp>,
    pub(crate) message: Option<String>,
    pub(crate) latency: Option<Duration>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) agreed: Option<Agreement>,
}

/// A check that somebody else says the results of.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) name: CheckName,
    pub(crate) spec: CheckSpec,
}

/// Watches. Clones share everything.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

struct Inner {
    table: Mutex<Table>,
    recorder: Recorder,
    keeper: Keeper,
    clock: Clock,
    /// When something is due was changed.
    changed: Notify,
    beat: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Table {
    entries: BTreeMap<i64, Entry>,
    names: HashMap<CheckName, i64>,
    /// When what is due, and the turn that it is of: others were overtaken.
    due: BinaryHeap<Reverse<(Instant, i64, u64)>>,
    next_id: i64,
    /// The bank's own that were kept, and not heard of yet since the start.
    asleep: HashMap<CheckName, Asleep>,
    /// Since when the service that told of one does not any more, though it tells of others.
    unnamed: HashMap<CheckName, Timestamp>,
    maintenances: Vec<Maintenance>,
}

struct Entry {
    check: Arc<Check>,
    standing: Standing,
    /// Up to when results are kept.
    kept: Option<(Timestamp, State)>,
    checked_at: Option<Timestamp>,
    message: Option<String>,
    latency: Option<Duration>,
    certificate: Option<Certificate>,
    agreed: Option<Agreement>,
    under_way: bool,
    /// When it was made last, or is being made since.
    begun: Option<Instant>,
    /// When one that needs it failed: until it was made after that, nobody knows whose fault it is.
    in_question: Option<Instant>,
    turn: u64,
    /// When it is made next.
    due: Option<Instant>,
}

/// One of the bank's own that an earlier run heard of.
pub(crate) struct Asleep {
    pub(crate) name: CheckName,
    pub(crate) id: i64,
    pub(crate) spec: CheckSpec,
    pub(crate) standing: Option<Standing>,
}

/// A check that is kept, with its number and how it stood.
pub(crate) struct Known {
    pub(crate) id: i64,
    pub(crate) check: Check,
    pub(crate) standing: Option<Standing>,
}

impl Watch {
    /// Nothing is checked yet. `next_id` is a number that no check has, nor any after it.
    pub(crate) fn new(recorder: Recorder, keeper: Keeper, clock: Clock, next_id: i64) -> Self {
        let table = Mutex::new(Table { next_id, ..Table::default() });
        Self(Arc::new(Inner { table, recorder, keeper, clock, changed: Notify::new(), beat: Mutex::default() }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no check has.
    pub(crate) fn new_id(&self) -> i64 {
        self.table().new_id()
    }

    /// Makes this check from now on, in place of the one of the same number. One that was never made is made at once, unless
    /// they are `many`: then each has its own moment.
    pub(crate) fn set(&self, known: Known, many: bool) {
        let now = self.0.clock.now();
        let mut table = self.table();
        let Known { id, check, standing } = known;
        let (name, probed) = (check.name.clone(), check.probe.is_some());
        let offset = if many { spread(id, check.spec.every.duration().min(BEGIN_WITHIN)) } else { Duration::ZERO };
        table.names.insert(name, id);
        let check = Arc::new(check);
        match table.entries.get_mut(&id) {
            Some(entry) => entry.check = check,
            None => _ = table.entries.insert(id, Entry::new(check, standing.unwrap_or_else(|| Standing::new(now)))),
        }
        if probed {
            table.schedule(id, Instant::now() + offset);
        }
        drop(table);
        self.0.changed.notify_one();
    }

    /// The bank's own, of an earlier run: when it is heard of again it is the same.
    pub(crate) fn remember(&self, asleep: Asleep) {
        self.table().asleep.insert(asleep.name.clone(), asleep);
    }

    /// A service told of these, and of no other check whose name begins so. What was wrong with one that it has not told of
    /// for `UNHEARD` is over: it is not there any more, and nobody would ever say so.
    pub(crate) fn told_of(&self, beginning: &str, named: &BTreeSet<CheckName>) {
        let at = self.0.clock.now();
        let mut table = self.table();
        let Table { entries, names, asleep, unnamed, .. } = &mut *table;
        unnamed.retain(|name, _| !named.contains(name));
        let of_these = |name: &&CheckName| name.as_str().starts_with(beginning) && !named.contains(*name);
        let missing: Vec<CheckName> = names.keys().chain(asleep.keys()).filter(of_these).cloned().collect();
        for name in missing {
            if at.since(*unnamed.entry(name.clone()).or_insert(at)) < UNHEARD {
                continue;
            }
            let happened = if let Some(known) = asleep.get_mut(&name) {
                let entry = known.entry(at);
                known.standing.take().filter(Standing::is_troubled).map(|_| (known.id, entry))
            } else {
                let entry = names.get(&name).and_then(|id| Some((*id, entries.get_mut(id)?)));
                let bank = entry.filter(|(_, it)| it.check.origin == Origin::Bank && it.standing.is_troubled());
                bank.map(|(id, entry)| {
                    entry.standing = Standing::new(at);
                    (id, Entry::new(entry.check.clone(), Standing::new(at)))
                })
            };
            let Some((id, entry)) = happened else { continue };
            tracing::info!(check = %name, "its service does not tell of a check any more: what was wrong counts as over");
            let standing = Box::new(entry.standing.clone());
            let what = What::Stands { standing, change: Some(Change::Recovered), cause: None };
            self.0.keeper.note(entry.happened(id, at, what));
        }
    }

    /// It is made no more.
    pub(crate) fn remove(&self, name: &CheckName) {
        let mut table = self.table();
        if let Some(id) = table.names.remove(name) {
            table.entries.remove(&id);
        }
    }

    /// What is announced or going on.
    pub(crate) fn set_maintenances(&self, maintenances: Vec<Maintenance>) {
        self.table().maintenances = maintenances;
    }

    /// How every check stands, by number.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let (now, table) = (self.0.clock.now(), self.table());
        table.entries.iter().map(|(id, entry)| table.seen(*id, entry, now)).collect()
    }

    /// How one stands.
    pub(crate) fn one(&self, name: &CheckName) -> Option<Seen> {
        let (now, table) = (self.0.clock.now(), self.table());
        let id = *table.names.get(name)?;
        table.entries.get(&id).map(|entry| table.seen(id, entry, now))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table().entries.len()
    }

    /// Whether nobody is to be reminded of this one now.
    pub(crate) fn is_quiet(&self, name: &str) -> bool {
        let name: Result<CheckName, _> = name.parse();
        name.ok().and_then(|name| self.one(&name)).is_some_and(|it| it.flapping || it.state == State::Maintenance)
    }

    /// Whether another result of this one, soon, would tell more.
    pub(crate) fn is_unsure(&self, name: &CheckName) -> bool {
        let table = self.table();
        let entry = table.names.get(name).and_then(|id| table.entries.get(id));
        entry.is_some_and(|entry| entry.standing.is_unsure(rule(&entry.check.spec)))
    }

    /// How long ago the scheduler was last alive; nothing before its start.
    pub(crate) fn idle(&self) -> Option<Duration> {
        self.0.beat.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// Makes what is due, until `shutdown`.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.begun() => {}
            () = self.make_what_is_due() => {}
        }
    }

    async fn make_what_is_due(&self) {
        let permits = Arc::new(Semaphore::new(MOST_AT_ONCE));
        let mut under_way = JoinSet::new();
        loop {
            let now = Instant::now();
            *self.0.beat.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            while under_way.try_join_next().is_some() {}
            if let Some((id, check)) = self.next(now) {
                let under = UnderWay(self.clone(), id);
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                let watch = self.clone();
                under_way.spawn(async move {
                    watch.make(id, &check).await;
                    drop(under);
                    drop(permit);
                });
                continue;
            }
            let next = self.table().due.peek().map(|Reverse((at, ..))| *at);
            let until = next.unwrap_or(now + BEAT).min(now + BEAT);
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    /// The next one that is due, which is under way from now on.
    fn next(&self, now: Instant) -> Option<(i64, Arc<Check>)> {
        let mut table = self.table();
        loop {
            let Reverse((at, id, turn)) = *table.due.peek()?;
            if at > now {
                return None;
            }
            table.due.pop();
            let Some(entry) = table.entries.get_mut(&id).filter(|entry| entry.turn == turn) else { continue };
            let (check, busy) = (entry.check.clone(), entry.under_way);
            entry.under_way = true;
            // What was missed is not made up for.
            let every = check.spec.every.duration();
            table.schedule(id, after(at, every, now));
            if !busy {
                return Some((id, check));
            }
        }
    }

    /// Makes every check once, now.
    pub(crate) async fn make_all(&self) {
        let all: Vec<(i64, Arc<Check>)> = {
            let table = self.table();
            let probed = table.entries.iter().filter(|(_, entry)| entry.check.probe.is_some() && !entry.under_way);
            probed.map(|(id, entry)| (*id, entry.check.clone())).collect()
        };
        for (id, check) in all {
            self.make(id, &check).await;
        }
    }

    async fn make(&self, id: i64, check: &Check) {
        let Some(probe) = &check.probe else { return };
        if let Some(entry) = self.table().entries.get_mut(&id) {
            entry.begun = Some(Instant::now());
        }
        let limit = check.spec.timeout.duration();
        let outcome = timeout(limit.saturating_add(GRACE), probe.run()).await;
        let late = |_| Verdict::Bad(format!("no answer within {}", check.spec.timeout)).into();
        self.take(id, outcome.unwrap_or_else(late));
    }

    /// Takes a result that somebody else tells, of a check that is known from now on if it was not.
    pub(crate) fn observe(&self, told: &Told, outcome: Outcome) {
        let id = self.id_of(told);
        self.take(id, outcome);
    }

    fn id_of(&self, told: &Told) -> i64 {
        let now = self.0.clock.now();
        let mut table = self.table();
        if let Some(id) = table.names.get(&told.name) {
            return *id;
        }
        let check =
            Arc::new(Check { name: told.name.clone(), origin: Origin::Bank, spec: told.spec.clone(), probe: None });
        let (id, standing) = match table.asleep.remove(&told.name) {
            Some(asleep) => (asleep.id, asleep.standing),
            None => (table.new_id(), None),
        };
        let entry = Entry::new(check, standing.unwrap_or_else(|| Standing::new(now)));
        let what = What::Appeared(Box::new(told.spec.clone()));
        self.0.keeper.note(entry.happened(id, now, what));
        table.entries.insert(id, entry);
        table.names.insert(told.name.clone(), id);
        id
    }

    fn take(&self, id: i64, outcome: Outcome) {
        let at = self.0.clock.now();
        let mut table = self.table();
        let Some(entry) = table.entries.get(&id) else { return };
        let check = entry.check.clone();
        let fails = matches!(outcome.verdict.state(), State::Degraded | State::Down);
        if fails && !entry.standing.is_failing() {
            table.question(&check.spec);
        }
        let moment = Moment {
            at,
            maintenance: table.maintained(&check.name, at).is_some(),
            parent: table.parent(&check.spec.parents),
        };
        let Some(entry) = table.entries.get_mut(&id) else { return };
        let Outcome { verdict, latency, certificate, agreed } = outcome;
        entry.record(id, &verdict, latency, &moment, &self.0.recorder);
        let before = (entry.standing.state(), entry.standing.is_flapping());
        let change = entry.standing.take(&verdict, rule(&check.spec), &moment);
        let cause = verdict.words().map(ToOwned::to_owned);
        entry.message.clone_from(&cause);
        (entry.checked_at, entry.latency) = (Some(at), latency);
        let answered = entry.begun >= entry.in_question;
        if answered {
            entry.in_question = None;
        }
        entry.certificate = certificate.or_else(|| entry.certificate.take());
        entry.agreed = agreed.or_else(|| entry.agreed.take());
        if change.is_some() || before != (entry.standing.state(), entry.standing.is_flapping()) {
            say(&check, change.as_ref(), cause.as_deref());
            let standing = Box::new(entry.standing.clone());
            self.0.keeper.note(entry.happened(id, at, What::Stands { standing, change, cause }));
        }
        let unsure = entry.standing.is_unsure(rule(&check.spec)) || !answered;
        if unsure && check.probe.is_some() {
            table.schedule(id, Instant::now() + pause(&check.spec));
        }
        drop(table);
        if unsure || fails {
            self.0.changed.notify_one();
        }
    }
}

/// Of a check that is made right now; dropped in whatever way that ends.
struct UnderWay(Watch, i64);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(entry) = self.0.table().entries.get_mut(&self.1) {
            entry.under_way = false;
        }
    }
}

impl Asleep {
    fn entry(&self, at: Timestamp) -> Entry {
        let (name, spec) = (self.name.clone(), self.spec.clone());
        Entry::new(Arc::new(Check { name, origin: Origin::Bank, spec, probe: None }), Standing::new(at))
    }
}

impl Table {
    fn new_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    fn schedule(&mut self, id: i64, at: Instant) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.turn = entry.turn.saturating_add(1);
            entry.due = Some(at);
            self.due.push(Reverse((at, id, entry.turn)));
        }
    }

    /// Looks soon at those without which it cannot be well. Once for each failure: were it for each result, those that share
    /// a parent would keep it in question for one another.
    fn question(&mut self, spec: &CheckSpec) {
        let now = Instant::now();
        for parent in &spec.parents {
            let Some(id) = self.names.get(parent).copied() else { continue };
            let asked = |entry: &&mut Entry| entry.check.probe.is_some() && entry.standing.state() != State::Down;
            let Some(entry) = self.entries.get_mut(&id).filter(asked) else { continue };
            entry.in_question = Some(now);
            let paced = entry.under_way || entry.standing.is_unsure(rule(&entry.check.spec));
            let at = now + pause(&entry.check.spec).min(SHORTEST_PAUSE);
            // Never later than it would be: many that depend on it may ask, one after the other.
            if !paced && entry.due.is_none_or(|due| at < due) {
                self.schedule(id, at);
            }
        }
    }

    /// The gravest of what those are, without which it cannot be well. One hop: what they stand behind, they know.
    fn parent(&self, parents: &[CheckName]) -> Parent {
        let known = parents.iter().filter_map(|name| Some((name, self.entries.get(self.names.get(name)?)?)));
        let mut worst = Parent::Well;
        for (name, entry) in known {
            match entry.standing.as_parent(name) {
                Parent::Down(name) => return Parent::Down(name),
                Parent::Suspect => worst = Parent::Suspect,
                Parent::Well if entry.in_question.is_some() => worst = Parent::Suspect,
                Parent::Well => {}
            }
        }
        worst
    }

    fn maintained(&self, name: &CheckName, at: Timestamp) -> Option<&Maintenance> {
        let going_on = |it: &&Maintenance| it.from <= at && at < it.to;
        self.maintenances.iter().filter(going_on).find(|it| it.checks.is_empty() || it.checks.contains(name))
    }

    fn seen(&self, id: i64, entry: &Entry, now: Timestamp) -> Seen {
        let (state, since) = match self.maintained(&entry.check.name, now) {
            Some(maintenance) => (State::Maintenance, maintenance.from),
            None => (entry.standing.state(), entry.standing.since()),
        };
        Seen {
            id,
            check: entry.check.clone(),
            state,
            since,
            flapping: entry.standing.is_flapping(),
            checked_at: entry.checked_at,
            message: entry.message.clone(),
            latency: entry.latency,
            certificate: entry.certificate.clone(),
            agreed: entry.agreed.clone(),
        }
    }
}

impl Entry {
    const fn new(check: Arc<Check>, standing: Standing) -> Self {
        Self {
            check,
            standing,
            kept: None,
            checked_at: None,
            message: None,
            latency: None,
            certificate: None,
            agreed: None,
            under_way: false,
            begun: None,
            in_question: None,
            turn: 0,
            due: None,
        }
    }

    fn happened(&self, check: i64, at: Timestamp, what: What) -> Happened {
        let (name, title) = (self.check.name.clone(), self.check.title().to_owned());
        Happened { check, name, title, public: self.check.spec.public, at, what }
    }

    /// Hands a result to the recorder. What is told each second is kept now and then, and when it changes.
    fn record(&mut self, id: i64, verdict: &Verdict, latency: Option<Duration>, moment: &Moment, recorder: &Recorder) {
        let state = match verdict.state() {
            State::Unknown => State::Unknown,
            _ if moment.maintenance => State::Maintenance,
            state => state,
        };
        let at = moment.at;
        let spec = &self.check.spec;
        let longest = spec.every.duration().saturating_add(spec.timeout.duration()).saturating_add(LONGEST_PAUSE);
        let sample = |(from, state): (Timestamp, State), at: Timestamp, latency| Sample {
            check: id,
            at,
            state,
            covers: at.since(from).min(longest),
            latency,
        };
        let last = self.kept.unwrap_or((at, state));
        if self.check.is_told() && self.kept.is_some() {
            if last.1 == state && at.since(last.0) < KEPT_EVERY {
                return;
            }
            let heard = self.checked_at.unwrap_or(last.0);
            if last.1 != state && heard > last.0 {
                // Up to the moment before it was as it was.
                if last.1 != State::Unknown {
                    recorder.note(sample(last, heard, None));
                }
                self.kept = Some((heard, state));
            }
        }
        let from = self.kept.unwrap_or(last).0;
        self.kept = Some((at, state));
        // Nobody knows: that is what nothing says.
        if state != State::Unknown {
            recorder.note(sample((from, state), at, latency));
        }
    }
}

/// A span beyond the ends of what is expected: `every` after `at`, and after `now`.
fn after(at: Instant, every: Duration, now: Instant) -> Instant {
    let missed = now.duration_since(at).as_nanos().checked_div(every.as_nanos()).unwrap_or(0);
    let times = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
    at + every.saturating_mul(times)
}

/// A moment within `span` for each number, so that neighbours are far apart.
fn spread(id: i64, span: Duration) -> Duration {
    let mixed = id.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let share = u32::try_from(mixed).unwrap_or(0);
    let millis = span.as_millis().saturating_mul(share.into()) >> 32;
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn pause(spec: &CheckSpec) -> Duration {
    let every = spec.every.duration();
    every.checked_div(4).unwrap_or(every).clamp(SHORTEST_PAUSE, LONGEST_PAUSE).min(every)
}

const fn rule(spec: &CheckSpec) -> Rule {
    Rule { alarm_after: spec.alarm_after, well_after: spec.well_after }
}

fn say(check: &Check, change: Option<&Change>, cause: Option<&str>) {
    let name = check.name.as_str();
    let cause = cause.unwrap_or_default();
    match change {
        Some(Change::Opened { state, behind: None, .. }) => {
            tracing::error!(check = name, state = state.name(), cause, "a check is not well");
        }
        Some(Change::Opened { behind: Some(parent), .. }) => {
            tracing::warn!(check = name, behind = parent.as_str(), "a check is not well, as one that it needs is not");
        }
        Some(Change::Alarmed) => tracing::error!(check = name, cause, "a check is not well, though what it needs is"),
        Some(Change::Worse) => tracing::error!(check = name, cause, "a check is down, and was degraded"),
        Some(Change::Recovered) => tracing::info!(check = name, "a check is well again"),
        None => {}
    }
}
