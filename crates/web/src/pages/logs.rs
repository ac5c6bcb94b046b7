//! The journal as a table, for staff: every filter in the address, so that what is seen can be sent to a colleague.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::events::{Action, Audience, Level};
use contracts::journal::{Edge, ListLogs, LogEntry, LogFilter, SummarizeLogs};
use contracts::{authority, bank, identity, journal, monitor};
use http::StatusCode;
use vocabulary::Timestamp;

use super::Choice;
use crate::forms::Form;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as};

/// The fields that filter.
const FILTERS: [&str; 9] = ["text", "user", "action", "level", "from", "to", "audience", "source", "trace_id"];
/// Those that are seen only when somebody wants them.
const RARE: [&str; 3] = ["audience", "source", "trace_id"];
/// What stands for a level and all that are graver.
const AT_LEAST: (&str, Level) = ("warning-up", Level::Warning);
/// Longest period whose entries are counted.
const COUNTED: Duration = Duration::from_hours(24 * 1_000);
/// A number decorates the table: it may not keep it waiting longer.
const PATIENCE: Duration = Duration::from_millis(1_500);

#[derive(Template)]
#[template(path = "logs.html")]
pub(crate) struct LogsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) q: Form,
    pub(crate) filtered: bool,
    /// Whether a rare filter is in use.
    pub(crate) rare: bool,
    pub(crate) actions: Vec<Choice>,
    /// Several actions that were asked for together, which a list to choose one from cannot show.
    pub(crate) several: Vec<Action>,
    pub(crate) levels: Vec<Choice>,
    pub(crate) audiences: Vec<Choice>,
    pub(crate) sources: Vec<(&'static str, String)>,
    /// What cannot be looked for.
    pub(crate) fault: Option<String>,
    /// How many there are in all, where that is known.
    pub(crate) count: Option<String>,
    /// The person's day, where one person is asked for.
    pub(crate) story: Option<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) files: [(&'static str, String); 2],
    /// Where further entries come from, on the newest page of a period that goes on.
    pub(crate) live: Option<String>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

/// An entry of the journal, in words.
pub(crate) struct Line {
    pub(crate) title: &'static str,
    pub(crate) details: Vec<String>,
    pub(crate) entry: LogEntry,
}

impl Line {
    pub(crate) fn of(t: T, entry: LogEntry) -> Self {
        Self { title: t.action(entry.action), details: t.particulars_of(&entry.details), entry }
    }
}

pub(crate) async fn logs(visit: Arc<Visit>) -> Outcome {
    let filter = filter(&visit.query);
    let list = visit.call(ListLogs { cursor: visit.query.cursor(), ..filter.clone().into() });
    let (found, count) = tokio::join!(list, count(&visit, filter));
    let f = visit.frame(Place::Logs, visit.t.logs()).await;
    let found = match found {
        Ok(found) => found,
        // Something that cannot be looked for: the filters stay, to be mended.
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => {
            let fault = problem.faults().first().map(|fault| visit.t.filter_fault(fault));
            let shown = LogsPage { fault, ..LogsPage::of(f, &visit.query, None, Vec::new(), None) };
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &shown);
        }
        Err(problem) => return Err(problem),
    };
    let next = found.next.map(|next| visit.query.link("/logs", "cursor", String::from(next)));
    page(&LogsPage::of(f, &visit.query, count, found.items, next))
}

impl LogsPage {
    pub(crate) fn of(f: Frame, q: &Form, count: Option<String>, entries: Vec<LogEntry>, next: Option<String>) -> Self {
        let t = f.t;
        let used = |names: &[&str]| names.iter().any(|name| !q.get(name).is_empty());
        let several = q.all("action", Action::from_name);
        let mut story = Form::default();
        story.set("user", q.get("user"));
        let mut all = q.clone();
        all.set("cursor", "");
        let newest = q.get("cursor").is_empty() && q.get("to").is_empty();
        Self {
            filtered: used(&FILTERS),
            rare: used(&RARE),
            actions: actions(t),
            several: if several.len() > 1 { several } else { Vec::new() },
            levels: levels(t),
            audiences: vec![
                Choice { value: Audience::Members.name(), label: t.audience(&Audience::Members) },
                Choice { value: Audience::Agents.name(), label: t.audience(&Audience::Agents) },
            ],
            sources: SOURCES.map(|name| (name, t.service(name))).into(),
            fault: None,
            count,
            story: (!q.get("user").is_empty()).then(|| story.link("/logs/story", "day", day(q, &entries))),
            lines: entries.into_iter().map(|entry| Line::of(t, entry)).collect(),
            files: [("CSV", "csv"), ("JSON Lines", "jsonl")]
                .map(|(name, it)| (name, all.link("/logs/export", "format", it))),
            live: newest.then(|| all.link("/logs/live", "cursor", "")),
            first: (!q.get("cursor").is_empty()).then(|| q.link("/logs", "cursor", "")),
            next,
            q: q.clone(),
            t,
            f,
        }
    }
}

/// Who tells the journal.
const SOURCES: [&str; 5] = [identity::SERVICE, bank::SERVICE, journal::SERVICE, monitor::SERVICE, authority::SERVICE];

/// The day to tell of: the newest that is shown.
fn day(q: &Form, entries: &[LogEntry]) -> String {
    entries.first().map_or_else(|| q.get("to").to_owned(), |entry| entry.at.day().to_string())
}

/// What the address asks for. Nonsense filters nothing.
pub(crate) fn filter(q: &Form) -> LogFilter {
    let least = (q.get("level") == AT_LEAST.0).then_some(AT_LEAST.1);
    LogFilter {
        user: q.search("user", 64),
        action: q.all("action", Action::from_name),
        level: q.all("level", Level::from_name),
        least,
        audience: Audience::from_name(q.get("audience")),
        source: q.all("source", |name| name.parse().ok()),
        from: edge(q.get("from")),
        to: edge(q.get("to")),
        text: q.filter("text"),
        trace_id: q.filter("trace_id"),
        mine: false,
    }
}

/// A day or a moment; also without seconds and zone, as fields of forms have it.
fn edge(text: &str) -> Option<Edge> {
    text.parse().ok().or_else(|| format!("{text}:00Z").parse::<Timestamp>().ok().map(Edge::from))
}

/// How many entries the filter finds; not asked where the period has no beginning, for that may take long.
async fn count(visit: &Visit, filter: LogFilter) -> Option<String> {
    let now = visit.web.clock.now();
    let end = filter.to.map_or(now, Edge::end);
    if filter.from.is_none_or(|from| from.start() >= end || end.since(from.start()) > COUNTED) {
        return None;
    }
    let found = visit.caller().within(PATIENCE).call(SummarizeLogs::from(filter)).await.ok()?;
    let total = visit.t.whole(&found.total);
    Some(if found.complete { visit.t.entries_found(&total) } else { visit.t.entries_found_at_least(&total) })
}

/// One end of the period as a field of a form takes it: the kind of the field, and what it holds.
pub(crate) fn field(q: &Form, name: &str) -> (&'static str, String) {
    match edge(q.get(name)) {
        Some(Edge::Moment(at)) => ("datetime-local", at.to_string().chars().take(16).collect()),
        Some(Edge::Day(day)) => ("date", day.to_string()),
        None => ("date", String::new()),
    }
}

fn actions(t: T) -> Vec<Choice> {
    let mut choices: Vec<_> =
        Action::ALL.iter().map(|action| Choice { value: action.name(), label: t.action(*action) }).collect();
    choices.sort_by_key(|choice| choice.label);
    choices
}

fn levels(t: T) -> Vec<Choice> {
    let one = |level: &Level| Choice { value: level.name(), label: t.level(level) };
    let graver = Choice { value: AT_LEAST.0, label: t.warning_or_graver() };
    Level::ALL.iter().map(one).chain([graver]).collect()
}
