//! What the status page is given: how every check does, how it did, and badges of it.
//!
//! Promises: what everybody sees tells of public checks alone, and of these neither words, certificates nor people; a check
//! that is not public is not there.

use std::collections::HashSet;
use std::time::Duration;

use aaa::{Call, Document, Problem};
use chassis::store_problem;
use contracts::identity::Language;
use contracts::monitor::{
    Badge, Board, BoardCheck, CheckName, DayBar, GetBadge, GetBoard, GetHistory, GetWholeBoard, GetWholeHistory,
    History, Incident, Judged, Maintenance, Spent, State,
};
use vocabulary::Timestamp;

use crate::badge::{self, Face, Words};
use crate::history::{sum, target_ppm};
use crate::remembered::{Asked, Bars, Events};
use crate::service::Monitor;
use crate::store::shown::View;
use crate::watching::Seen;

/// The span that is told of when nobody says which.
const USUAL: Duration = Duration::from_hours(24);
const USUAL_DAYS: u32 = 30;
const MOST_DAYS: u32 = 365;
/// The longest span that is told of: ten years.
const LONGEST: Duration = Duration::from_hours(24 * 3660);

impl View {
    fn shows(self, seen: &Seen) -> bool {
        self.whole() || seen.check.spec.public
    }
}

fn told(seen: &Seen, view: View, bars: &Bars, now: Timestamp) -> BoardCheck {
    let spec = &seen.check.spec;
    let days = bars.of(seen.id);
    let whole = days.iter().map(|DayBar { spent, .. }| *spent).fold(Spent::default(), sum);
    BoardCheck {
        name: seen.check.name.clone(),
        title: seen.check.title().to_owned(),
        group: spec.group.as_ref().map(|group| group.as_str().to_owned()),
        origin: seen.check.origin,
        public: spec.public,
        state: seen.state,
        since: seen.since,
        flapping: seen.flapping,
        message: seen.message.clone().filter(|_| view.whole()),
        latency_micros: seen.latency.map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)),
        days,
        uptime_ppm: whole.uptime_ppm(),
        certificate: seen.certificate.clone().filter(|_| view.whole()).map(|it| Judged::at(it, now)),
        agreed: seen.agreed.clone().filter(|_| view.whole()),
    }
}

/// The gravest of them; what is not known, or is being worked on, says nothing where there is anything else.
fn gravest(states: impl Iterator<Item = State>) -> State {
    let gravity = |state: State| match state {
        State::Unknown => 0_u8,
        State::Maintenance => 1,
        State::Up => 2,
        State::Degraded => 3,
        State::Down => 4,
    };
    states.max_by_key(|state| gravity(*state)).unwrap_or(State::Unknown)
}

async fn board(monitor: &Monitor, view: View) -> Board {
    let (now, everything) = (monitor.remembered().now(), monitor.seen());
    let shown: Vec<&Seen> = everything.iter().filter(|seen| view.shows(seen)).collect();
    let bars = monitor.remembered().bars(everything.iter().map(|seen| seen.id)).await;
    let mut checks: Vec<BoardCheck> = shown.iter().map(|seen| told(seen, view, &bars, now)).collect();
    let place = |check: &BoardCheck| {
        (check.group.is_none(), check.group.clone(), check.title.to_lowercase(), check.name.clone())
    };
    checks.sort_by_cached_key(place);
    let events = monitor.remembered().events(view).await;
    let Events { mut incidents, mut maintenances } = events.as_ref().clone();
    if view == View::Public {
        let private: HashSet<&CheckName> = hidden(&everything);
        let public: HashSet<&CheckName> = shown.iter().map(|seen| &seen.check.name).collect();
        incidents = incidents.into_iter().filter_map(|it| without(it, &private, &public)).collect();
        maintenances = maintenances.into_iter().filter_map(|it| about(it, &public)).collect();
    }
    Board { state: gravest(checks.iter().map(|check| check.state)), at: now, checks, incidents, maintenances }
}

fn hidden(everything: &[Seen]) -> HashSet<&CheckName> {
    everything.iter().filter(|seen| !seen.check.spec.public).map(|seen| &seen.check.name).collect()
}

/// What everybody sees of an incident: nothing if its check is not public any more, and no word of another that is not.
fn without(mut incident: Incident, private: &HashSet<&CheckName>, public: &HashSet<&CheckName>) -> Option<Incident> {
    if private.contains(&incident.check) {
        return None;
    }
    incident.behind = incident.behind.filter(|behind| public.contains(behind));
    Some(incident)
}

/// What everybody sees of a maintenance. One that names checks, of which none is public, is left out: without its checks it
/// would be about all of them.
fn about(mut maintenance: Maintenance, public: &HashSet<&CheckName>) -> Option<Maintenance> {
    let all = maintenance.checks.is_empty();
    maintenance.checks.retain(|check| public.contains(check));
    (all || !maintenance.checks.is_empty()).then_some(maintenance)
}

/// The status page, as everybody sees it.
pub(crate) async fn get_board(monitor: Monitor, _: Call<GetBoard, Monitor>) -> Result<Board, Problem> {
    Ok(board(&monitor, View::Public).await)
}

/// All of it.
pub(crate) async fn get_whole_board(monitor: Monitor, _: Call<GetWholeBoard, Monitor>) -> Result<Board, Problem> {
    Ok(board(&monitor, View::Whole).await)
}

/// The check of this name, if it is there for those who look.
fn find(everything: &[Seen], view: View, name: &CheckName) -> Result<Seen, Problem> {
    let found = everything.iter().find(|seen| view.shows(seen) && seen.check.name == *name);
    found.cloned().ok_or_else(Problem::not_found)
}

/// The span that is meant, held to its limits.
fn span(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let to = to.unwrap_or(now).min(now);
    let from = from.unwrap_or_else(|| to.minus(USUAL));
    if from >= to {
        return Err(Problem::fault("from", "is not before `to`, or lies in the future: give an earlier moment"));
    }
    if to.since(from) > LONGEST {
        return Err(Problem::fault("from", "is more than ten years before `to`: ask for less"));
    }
    Ok((from, to))
}

async fn history(
    monitor: &Monitor,
    view: View,
    name: &CheckName,
    span: (Option<Timestamp>, Option<Timestamp>),
) -> Result<History, Problem> {
    let (everything, now) = (monitor.seen(), monitor.remembered().now());
    let seen = find(&everything, view, name)?;
    let (from, to) = self::span(span.0, span.1, now)?;
    let target_ppm = seen.check.spec.objective.as_ref().and_then(|share| target_ppm(share.as_str()));
    let asked = Asked { check: seen.id, from, to, every: seen.check.spec.every.duration(), target_ppm };
    let past = monitor.remembered().past(view, name, asked).await;
    let (gathered, objective, mut incidents) = past.map_err(|error| store_problem(&error))?;
    if view == View::Public {
        let private: HashSet<&CheckName> = hidden(&everything);
        let public: HashSet<&CheckName> =
            everything.iter().filter(|seen| view.shows(seen)).map(|seen| &seen.check.name).collect();
        incidents = incidents.into_iter().filter_map(|it| without(it, &private, &public)).collect();
    }
    let bars = monitor.remembered().bars(everything.iter().map(|seen| seen.id)).await;
    let mut history = History {
        check: told(&seen, view, &bars, now),
        from,
        to,
        spent: Spent::default(),
        uptime_ppm: None,
        good: 0,
        counted: 0,
        latency: None,
        points: Vec::new(),
        step_millis: 0,
        objective,
        incidents,
    };
    gathered.fill(&mut history).map_err(Problem::internal)?;
    Ok(history)
}

/// How a check that everybody sees did.
pub(crate) async fn get_history(monitor: Monitor, call: Call<GetHistory, Monitor>) -> Result<History, Problem> {
    let GetHistory { name, from, to } = call.request;
    history(&monitor, View::Public, &name, (from, to)).await
}

/// How any check did.
pub(crate) async fn get_whole_history(
    monitor: Monitor,
    call: Call<GetWholeHistory, Monitor>,
) -> Result<History, Problem> {
    let GetWholeHistory { name, from, to } = call.request;
    history(&monitor, View::Whole, &name, (from, to)).await
}

/// A badge of a check that everybody sees.
pub(crate) async fn get_badge(monitor: Monitor, call: Call<GetBadge, Monitor>) -> Result<Document, Problem> {
    let GetBadge { name, of, days, language } = call.request;
    let words = Words(language.unwrap_or(Language::En));
    let days = days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::fault("days", "is out of bounds: give a number from 1 to 365"));
    }
    let seen = find(&monitor.seen(), View::Public, &name)?;
    let label = seen.check.title();
    let face: Face<'_> = match of {
        Badge::State => words.state(label, seen.state),
        Badge::Uptime | Badge::Latency => {
            let tally = monitor.remembered().last_days(seen.id, days).await;
            let tally = tally.map_err(|error| store_problem(&error))?;
            match of {
                Badge::Uptime => words.uptime(label, tally.spent.uptime_ppm(), days),
                _ => words.latency(label, tally.latencies.told().map(|latency| latency.p50), days),
            }
        }
    };
    let bytes = face.svg().into_bytes().into();
    Ok(Document { content_type: badge::CONTENT_TYPE.to_owned(), file_name: None, bytes })
}
