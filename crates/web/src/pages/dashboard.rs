//! What goes on in the bank, at a glance, for staff: charts of the journal, each of whose bars leads to its entries.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::events::{Action, Level};
use contracts::journal::{Edge, LogSummary, Per, SeriesPoint, SummarizeLogs};
use vocabulary::{Day, Timestamp};

use crate::charts::{Bars, Column, Columns, Look, Row, Series, Shown, Slot, Unit, slots, ticks};
use crate::forms::Form;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page};

const DAY: Duration = Duration::from_hours(24);
/// The longest period that is counted by the hour.
const BY_HOUR: Duration = Duration::from_hours(24 * 8);
/// More days than these are not counted at once.
const MOST_DAYS: u32 = 999;
/// The periods that are offered: their word in the address, and their days.
const PERIODS: [(&str, u32); 5] = [("day", 1), ("week", 7), ("month", 30), ("quarter", 91), ("year", 365)];
/// The one shown first.
const FIRST: (&str, u32) = PERIODS[2];

#[derive(Template)]
#[template(path = "dashboard.html")]
pub(crate) struct DashboardPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    /// The days of a period of one's own.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) periods: Vec<Offer>,
    pub(crate) figures: Vec<Figure>,
    /// Whether everything was counted.
    pub(crate) complete: bool,
    pub(crate) events: Columns,
    pub(crate) failures: Columns,
    pub(crate) actions: Bars,
    pub(crate) decisions: Bars,
}

/// A period to choose.
pub(crate) struct Offer {
    label: &'static str,
    href: String,
    current: bool,
}

/// One number above the charts.
pub(crate) struct Figure {
    label: &'static str,
    count: u128,
    href: String,
}

/// What was counted: everything, sign-ins that were refused, approvals, refusals.
pub(crate) struct Counted {
    pub(crate) all: LogSummary,
    pub(crate) failures: LogSummary,
    pub(crate) approvals: LogSummary,
    pub(crate) refusals: LogSummary,
}

pub(crate) async fn dashboard(visit: Arc<Visit>) -> Outcome {
    let (from, to, per) = asked(&visit.query, visit.web.clock.now());
    let ask = |action: Vec<Action>| {
        let (from, to, per) = (Some(from), Some(to), Some(per));
        visit.call(SummarizeLogs { from, to, per, action, ..SummarizeLogs::default() })
    };
    let (all, failures, approvals, refusals) =
        tokio::try_join!(ask(Vec::new()), ask(vec![Action::LoginFailed]), ask(approvals()), ask(refusals()))?;
    let f = visit.frame(Place::Dashboard, visit.t.dashboard()).await;
    page(&DashboardPage::of(f, &visit.query, &Counted { all, failures, approvals, refusals }))
}

/// The period that the address asks for. Nonsense asks for the usual one.
fn asked(q: &Form, now: Timestamp) -> (Edge, Edge, Per) {
    let today = now.day();
    if let (Some(from), to) = (q.filter::<Day>("from"), q.filter::<Day>("to").unwrap_or(today)) {
        let (from, to) = (from.min(to), to.max(from));
        let from = from.max(to.start().minus(DAY * MOST_DAYS).day());
        return (from.into(), to.into(), per(from.start(), to.end()));
    }
    let chosen = q.get("period");
    let (name, days) = PERIODS.into_iter().find(|(name, _)| *name == chosen).unwrap_or(FIRST);
    if name == "day" {
        return (now.minus(DAY).into(), now.into(), Per::Hour);
    }
    let from = now.minus(DAY * (days - 1)).day();
    (from.into(), today.into(), per(from.start(), today.end()))
}

fn per(from: Timestamp, to: Timestamp) -> Per {
    if to.since(from) <= BY_HOUR { Per::Hour } else { Per::Day }
}

fn ending(words: &[&str]) -> Vec<Action> {
    Action::ALL.iter().copied().filter(|action| words.iter().any(|word| action.name().ends_with(word))).collect()
}

/// What staff say yes to.
fn approvals() -> Vec<Action> {
    ending(&["_APPROVED", "USER_ACTIVATED"])
}

/// What staff say no to.
fn refusals() -> Vec<Action> {
    ending(&["_REJECTED"])
}

impl DashboardPage {
    pub(crate) fn of(f: Frame, q: &Form, counted: &Counted) -> Self {
        let t = f.t;
        let all = &counted.all;
        let of_level = |level: Level| all.levels.iter().filter(|it| it.level == level).map(|it| it.count).sum::<u64>();
        let grave = |level: Level, label| Figure {
            label,
            count: u128::from(of_level(level)),
            href: logs(all.from, all.to, &[("level", level.name())]),
        };
        Self {
            t,
            from: all.from.day().to_string(),
            to: last_day(all.to).to_string(),
            periods: offers(t, q),
            figures: vec![
                Figure { label: t.all_entries(), count: u128::from(all.total), href: logs(all.from, all.to, &[]) },
                grave(Level::Warning, t.warnings()),
                grave(Level::Error, t.errors()),
            ],
            complete: all.complete,
            events: events(t, all),
            failures: failures(t, &counted.failures),
            actions: actions(t, all),
            decisions: decisions(t, &counted.approvals, &counted.refusals),
            f,
        }
    }
}

fn offers(t: T, q: &Form) -> Vec<Offer> {
    let own = q.filter::<Day>("from").is_some();
    let chosen = PERIODS.into_iter().find(|(name, _)| *name == q.get("period")).unwrap_or(FIRST);
    let offer = |(name, days): (&str, u32)| Offer {
        label: t.period(name),
        href: Form::default().link("/dashboard", "period", name),
        current: !own && chosen == (name, days),
    };
    PERIODS.into_iter().map(offer).collect()
}

fn events(t: T, all: &LogSummary) -> Columns {
    let series = vec![
        Series { name: t.level(&Level::Error), look: Look::Grave },
        Series { name: t.level(&Level::Warning), look: Look::Notable },
        Series { name: t.level(&Level::Info), look: Look::Calm },
    ];
    let stacks = columns(t, all, |point| [point.error, point.warning, point.info], &[]);
    let words = t.chart_events_words(&t.count(&u128::from(all.total)), &t.date(&all.from), &day_before(t, all));
    Columns { t, id: "events", title: t.chart_events().to_owned(), words, heading: t.period_word(), series, stacks }
}

fn failures(t: T, failures: &LogSummary) -> Columns {
    let series = vec![Series { name: t.how_many(), look: Look::Notable }];
    let sum = |point: &SeriesPoint| [point.info.saturating_add(point.warning).saturating_add(point.error)];
    let stacks = columns(t, failures, sum, &[("action", Action::LoginFailed.name())]);
    let total = t.count(&u128::from(failures.total));
    let words = t.chart_failures_words(&total, &t.date(&failures.from), &day_before(t, failures));
    Columns { t, id: "failures", title: t.chart_failures().to_owned(), words, heading: t.period_word(), series, stacks }
}

fn columns<const N: usize>(
    t: T,
    summary: &LogSummary,
    values: impl Fn(&SeriesPoint) -> [u64; N],
    filter: &[(&str, &str)],
) -> Vec<Column> {
    let points: Vec<_> = summary.series.iter().map(|point| (point.at, values(point))).collect();
    let finest = match summary.per {
        Per::Hour => Unit::Hour,
        Per::Day => Unit::Day,
    };
    let (unit, slots) = slots(&points, finest, summary.to);
    let ticks = ticks(unit, &slots);
    let column = |(slot, tick): (Slot<N>, Option<Shown>)| Column {
        name: t.slot(unit, &slot.from, &slot.to),
        tick: tick.map(|shown| (shown, t.tick(unit, &slot.from))),
        values: slot.values.to_vec(),
        href: logs(slot.from, slot.to, filter),
    };
    slots.into_iter().zip(ticks).map(column).collect()
}

fn actions(t: T, all: &LogSummary) -> Bars {
    let row = |of: &contracts::journal::ActionCount| Row {
        name: t.action(of.action).to_owned(),
        values: vec![of.count],
        href: logs(all.from, all.to, &[("action", of.action.name())]),
    };
    let words = t.chart_actions_words().to_owned();
    Bars::new(t, "actions", t.chart_actions().to_owned(), words, t.log_action())
        .of(vec![Series { name: t.how_many(), look: Look::Calm }], all.actions.iter().map(row).collect())
}

fn decisions(t: T, yes: &LogSummary, no: &LogSummary) -> Bars {
    let mut rows: Vec<(String, [u64; 2])> = Vec::new();
    for (n, user) in [yes, no].into_iter().enumerate().flat_map(|(n, it)| it.users.iter().map(move |user| (n, user))) {
        let found = rows.iter().position(|(login, _)| *login == user.login);
        let place = found.unwrap_or_else(|| {
            rows.push((user.login.clone(), [0; 2]));
            rows.len() - 1
        });
        if let Some(count) = rows.get_mut(place).and_then(|(_, counts)| counts.get_mut(n)) {
            *count = user.count;
        }
    }
    let decided: Vec<_> = approvals().into_iter().chain(refusals()).map(|action| ("action", action.name())).collect();
    let row = |(login, values): (String, [u64; 2])| {
        let filter: Vec<_> = std::iter::once(("user", login.as_str())).chain(decided.iter().copied()).collect();
        Row { href: logs(yes.from, yes.to, &filter), values: values.to_vec(), name: login.clone() }
    };
    let series = vec![
        Series { name: t.approved_word(), look: Look::Calm },
        Series { name: t.rejected_word(), look: Look::Notable },
    ];
    let words = t.chart_decisions_words().to_owned();
    Bars::new(t, "decisions", t.chart_decisions().to_owned(), words, t.agent_word())
        .of(series, rows.into_iter().map(row).collect())
}

/// The last day of a period that ends before `end`.
fn last_day(end: Timestamp) -> Day {
    end.minus(Duration::from_micros(1)).day()
}

fn day_before(t: T, summary: &LogSummary) -> String {
    t.date(&last_day(summary.to).start())
}

/// The entries of a period, as the table of the journal shows them.
fn logs(from: Timestamp, to: Timestamp, filter: &[(&str, &str)]) -> String {
    let whole_days = from.day().start() == from && to.day().start() == to;
    let (from, to) = if whole_days {
        (from.day().to_string(), last_day(to).to_string())
    } else {
        (from.to_string(), to.to_string())
    };
    let mut q = Form::default();
    for (name, value) in filter {
        q.add(name, value);
    }
    q.set("from", from);
    q.link("/logs", "to", to)
}
