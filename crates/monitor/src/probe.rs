//! Makes a check once.
//!
//! Promises: a connection of its own each time, bounded in time and size; whatever the other side says or does, an outcome
//! and no more; nothing of what it says in the words of the outcome. Where a check may not lead to private addresses, none of
//! its connections does. What can be made ready is made ready once.

mod dialogue;
mod dns;
mod http;
mod nats;
mod place;
mod postgres;
mod sight;
mod smtp;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use contracts::monitor::{CheckKind, CheckSpec, Origin};
use tokio::time::{Instant, timeout};
use vocabulary::{Clock, Timestamp};

use crate::addresses::Reach;
use crate::check::{Fault, out_of_bounds};
use crate::condition::{Condition, Facts, Place, judge};
use crate::outcome::{Outcome, Verdict};
use crate::outgoing::Silence;
use crate::secure::Secure;

/// Conditions of either kind.
const MOST_CONDITIONS: usize = 20;
/// Longest target, and longest name of a file.
const LONGEST: usize = 500;

/// What a check does, ready to be done. Clones share it.
#[derive(Clone)]
pub(crate) struct Probe(Arc<Ready>);

struct Ready {
    deed: Deed,
    timeout: Duration,
    must: Vec<Condition>,
    should: Vec<Condition>,
    /// Certificates are judged by the time of this machine, like every connection of it.
    clock: Clock,
}

/// One way to look.
enum Deed {
    Http(http::Http),
    Tcp(sight::Tcp),
    Tls(sight::Tls),
    Postgres(postgres::Postgres),
    Nats(nats::Nats),
    Smtp(smtp::Smtp),
    Dns(dns::Dns),
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

impl Probe {
    /// Understands `spec`; every fault at once.
    pub(crate) fn new(origin: Origin, spec: &CheckSpec) -> Result<Self, Vec<Fault>> {
        let mut faults = out_of_bounds(spec);
        faults.extend(strange(origin, spec));
        let reach = Reach::of(spec.private);
        let deed = if spec.target.chars().count() > LONGEST {
            Err(vec![("target", format!("is longer than {LONGEST} characters"))])
        } else {
            // A check whose files may not be read is refused already; nothing of it is to be opened.
            let allowed = origin == Origin::Settings || files(spec).iter().all(|(_, file)| file.is_none());
            if allowed { Deed::new(spec, reach) } else { Deed::new(&without_files(spec), reach) }
        };
        let encrypted = deed.as_ref().map_or_else(|_| may_encrypt(spec), Deed::is_encrypted);
        let place = Place { kind: spec.kind, encrypted };
        let must = conditions("must", &spec.must, place).map_err(|more| faults.extend(more));
        let should = conditions("should", &spec.should, place).map_err(|more| faults.extend(more));
        match (deed, must, should) {
            (Ok(mut deed), Ok(must), Ok(should)) if faults.is_empty() => {
                deed.prepare(&must, &should);
                let (timeout, clock) = (spec.timeout.duration(), Clock::system());
                Ok(Self(Arc::new(Ready { deed, timeout, must, should, clock })))
            }
            (deed, ..) => {
                faults.extend(deed.err().into_iter().flatten());
                Err(faults)
            }
        }
    }

    /// Does it, within its time.
    pub(crate) async fn run(&self) -> Outcome {
        let ready = &*self.0;
        let (now, begun) = (ready.clock.now(), Instant::now());
        let mut facts = Facts::default();
        let done = timeout(ready.timeout, ready.deed.run(&mut facts, now)).await;
        facts.latency = begun.elapsed();
        let answered = matches!(done, Ok(Ok(())));
        let verdict = match done {
            Ok(Ok(())) => ready.judge(&facts, now),
            Ok(Err(Failure(Verdict::Bad(words)))) if facts.showed_nothing => Verdict::Bad(format!(
                "{words}; it asked for a certificate, and this check shows none (`certificate_file`)"
            )),
            Ok(Err(Failure(verdict))) => verdict,
            Err(_) => Verdict::Bad(Silence::Late(ready.timeout).to_string()),
        };
        Outcome {
            verdict,
            latency: answered.then_some(facts.latency),
            certificate: facts.certificate,
            agreed: facts.agreed,
        }
    }
}

impl Ready {
    fn judge(&self, facts: &Facts, now: Timestamp) -> Verdict {
        if self.must.is_empty() {
            let status = facts.status.filter(|status| !(200..=299).contains(status));
            if let Some(status) = status {
                return Verdict::Bad(format!("it answers with status {status}, not with 200 to 299"));
            }
            if facts.answers.as_ref().is_some_and(Vec::is_empty) {
                return Verdict::Bad("there is no such record".into());
            }
        }
        judge(&self.must, &self.should, facts, now)
    }
}

/// Why there is nothing to judge.
struct Failure(Verdict);

impl Failure {
    fn bad(words: impl Into<String>) -> Self {
        Self(Verdict::Bad(words.into()))
    }
}

impl From<Silence> for Failure {
    fn from(silence: Silence) -> Self {
        let words = silence.to_string();
        Self(if matches!(silence, Silence::Here(_)) { Verdict::Unknown(words) } else { Verdict::Bad(words) })
    }
}

impl Deed {
    fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        Ok(match spec.kind {
            CheckKind::Http => Self::Http(http::Http::new(spec, reach)?),
            CheckKind::Tcp => Self::Tcp(sight::Tcp::new(spec, reach)?),
            CheckKind::Tls => Self::Tls(sight::Tls::new(spec, reach)?),
            CheckKind::Postgres => Self::Postgres(postgres::Postgres::new(spec, reach)?),
            CheckKind::Nats => Self::Nats(nats::Nats::new(spec, reach)?),
            CheckKind::Smtp => Self::Smtp(smtp::Smtp::new(spec, reach)?),
            CheckKind::Dns => Self::Dns(dns::Dns::new(spec, reach)?),
            CheckKind::Told => {
                let kinds = CheckKind::CONFIGURABLE.map(CheckKind::name).join(", ");
                return Err(vec![("kind", format!("is the bank's own: write one of {kinds}"))]);
            }
        })
    }

    /// Whether there is, or may be, TLS to judge.
    const fn is_encrypted(&self) -> bool {
        match self {
            Self::Http(it) => it.is_encrypted(),
            Self::Nats(it) => it.is_encrypted(),
            Self::Tls(_) | Self::Postgres(_) | Self::Smtp(_) => true,
            Self::Tcp(_) | Self::Dns(_) => false,
        }
    }

    /// Told what will be asked.
    fn prepare(&mut self, must: &[Condition], should: &[Condition]) {
        let mut all = must.iter().chain(should);
        match self {
            Self::Http(it) => it.reads_body = all.any(Condition::needs_body),
            Self::Smtp(it) => it.wants_tls |= all.any(Condition::needs_tls),
            _ => {}
        }
    }

    async fn run(&self, facts: &mut Facts, now: Timestamp) -> Result<(), Failure> {
        match self {
            Self::Http(it) => it.run(facts, now).await,
            Self::Tcp(it) => it.run().await,
            Self::Tls(it) => it.run(facts, now).await,
            Self::Postgres(it) => it.run(facts, now).await,
            Self::Nats(it) => it.run(facts, now).await,
            Self::Smtp(it) => it.run(facts, now).await,
            Self::Dns(it) => it.run(facts).await,
        }
    }
}

/// Where the target is wrong, conditions on TLS are not blamed as well.
const fn may_encrypt(spec: &CheckSpec) -> bool {
    !matches!(spec.kind, CheckKind::Tcp | CheckKind::Dns)
}

fn conditions(field: &'static str, written: &[String], place: Place) -> Result<Vec<Condition>, Vec<Fault>> {
    if written.len() > MOST_CONDITIONS {
        return Err(vec![(field, format!("holds more than {MOST_CONDITIONS} conditions"))]);
    }
    let (mut conditions, mut faults) = (Vec::new(), Vec::new());
    for (number, text) in (1..).zip(written) {
        match Condition::parse(text, place) {
            Ok(condition) => conditions.push(condition),
            Err(words) => faults.push((field, format!("holds a condition, number {number}, that {words}"))),
        }
    }
    if faults.is_empty() { Ok(conditions) } else { Err(faults) }
}

fn files(spec: &CheckSpec) -> [(&'static str, &Option<String>); 4] {
    [
        ("ca_file", &spec.ca_file),
        ("certificate_file", &spec.certificate_file),
        ("key_file", &spec.key_file),
        ("token_file", &spec.token_file),
    ]
}

fn without_files(spec: &CheckSpec) -> CheckSpec {
    CheckSpec { ca_file: None, certificate_file: None, key_file: None, token_file: None, ..spec.clone() }
}

/// What does not belong to this kind of check, or to whoever writes it down.
fn strange(origin: Origin, spec: &CheckSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let kind = spec.kind;
    for (field, value) in [("server", &spec.server), ("record", &spec.record)] {
        if value.is_some() && kind != CheckKind::Dns {
            faults.push((field, format!("belongs to dns, and this is {}", kind.name())));
        }
    }
    let secure = !matches!(kind, CheckKind::Tcp | CheckKind::Dns);
    for (field, value) in files(spec) {
        let Some(value) = value else { continue };
        let belongs = if field == "token_file" { kind == CheckKind::Http } else { secure };
        if !belongs {
            faults.push((field, format!("does not belong to {}", kind.name())));
        } else if origin != Origin::Settings {
            faults.push((
                field,
                "is taken from the settings file only, as it names a file of the monitor's machine".into(),
            ));
        } else if value.is_empty() || value.chars().count() > LONGEST {
            faults.push((field, format!("is no name of a file: 1 to {LONGEST} characters")));
        }
    }
    if spec.certificate_file.is_some() != spec.key_file.is_some() {
        faults.push(("certificate_file", "and `key_file` come together: write both or neither".into()));
    }
    faults
}

/// TLS as the check has it.
fn secure(spec: &CheckSpec) -> Result<Secure, Vec<Fault>> {
    Secure::new(spec)
}
