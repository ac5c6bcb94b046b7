//! One entry of the journal with everything it says, and stories: a person's day, or what one request set off.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::response::IntoResponse;
use contracts::journal::{GetLog, GetLogProof, ListLogs, LogEntry, LogFilter, LoggedEntry};
use contracts::roles::Role;
use contracts::{Cursor, Limit};
use http::{HeaderValue, header};
use vocabulary::{Day, EventId, Timestamp};

use super::logs::Line;
use crate::forms::Form;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page};

const DAY: Duration = Duration::from_hours(24);
/// Most pages of the journal that a story is put together from.
const PAGES: usize = 5;
/// A longer silence within a day is told.
const SILENCE: Duration = Duration::from_hours(1);

#[derive(Template)]
#[template(path = "log.html")]
pub(crate) struct LogPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) l: Line,
    /// Its place in the log.
    pub(crate) index: String,
    pub(crate) staff: bool,
    /// The stories that it is part of.
    pub(crate) stories: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "story.html")]
pub(crate) struct StoryPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) staff: bool,
    /// Of whom, where it is a person's day.
    pub(crate) user: String,
    /// The request, where it is that of one.
    pub(crate) trace: String,
    pub(crate) day: Option<Day>,
    /// The same, in words.
    pub(crate) when: String,
    pub(crate) previous: Option<String>,
    pub(crate) following: Option<String>,
    /// The same entries as a table.
    pub(crate) table: Option<String>,
    pub(crate) steps: Vec<Step>,
    /// Whether older entries than these were left out.
    pub(crate) cut: bool,
}

/// One thing that happened.
pub(crate) struct Step {
    /// How long nothing happened before it, where that is worth telling.
    pub(crate) gap: Option<String>,
    pub(crate) time: String,
    pub(crate) line: Line,
}

pub(crate) async fn log(visit: Arc<Visit>) -> Outcome {
    let logged = visit.call(GetLog { id: visit.id::<EventId>()? }).await?;
    let place = if is_staff(&visit) { Place::Logs } else { Place::Notices };
    let f = visit.frame(place, visit.t.action(logged.entry.action)).await;
    page(&LogPage::of(f, logged, is_staff(&visit)))
}

/// The proof as a file, for `guichet journal check`.
pub(crate) async fn proof(visit: Arc<Visit>) -> Outcome {
    let proof = visit.call(GetLogProof { id: visit.id::<EventId>()? }).await?;
    let written = serde_json::to_string_pretty(&proof).map_err(aaa::Problem::internal)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"proof.json\"")),
    ];
    Ok((headers, written + "\n").into_response())
}

pub(crate) async fn story(visit: Arc<Visit>) -> Outcome {
    let (q, staff) = (&visit.query, is_staff(&visit));
    let today = visit.web.clock.now().day();
    let trace_id = q.filter("trace_id");
    let day = trace_id.is_none().then(|| q.filter::<Day>("day").unwrap_or(today).min(today));
    let own = || visit.somebody().map(|signed| signed.user.login.to_string());
    let user = if staff { q.search("user", 64).or_else(own) } else { own() }.filter(|_| day.is_some());
    let filter = LogFilter {
        user: user.clone().filter(|_| staff),
        mine: !staff,
        from: day.map(Into::into),
        to: day.map(Into::into),
        trace_id,
        ..LogFilter::default()
    };
    let trace = filter.trace_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let (entries, cut) = read(&visit, filter).await?;
    let title = if day.is_some() { visit.t.story_of_day() } else { visit.t.story_of_request() };
    let f = visit.frame(if staff { Place::Logs } else { Place::Notices }, title).await;
    page(&StoryPage::of(f, staff, user.unwrap_or_default(), trace, day.zip(Some(today)), entries, cut))
}

fn is_staff(visit: &Visit) -> bool {
    visit.role().is_some_and(|role| role != Role::Member)
}

/// Every entry, newest first, unless there are too many: whether that is so stands beside them.
async fn read(visit: &Visit, filter: LogFilter) -> Result<(Vec<LogEntry>, bool), aaa::Problem> {
    let (mut entries, mut cursor) = (Vec::new(), None::<Cursor>);
    for _ in 0..PAGES {
        let list = ListLogs { cursor: cursor.take(), limit: Limit::MAX, ..filter.clone().into() };
        let found = visit.call(list).await?;
        entries.extend(found.items);
        match found.next {
            Some(next) => cursor = Some(next),
            None => return Ok((entries, false)),
        }
    }
    Ok((entries, true))
}

impl LogPage {
    pub(crate) fn of(f: Frame, LoggedEntry { entry, index }: LoggedEntry, staff: bool) -> Self {
        let t = f.t;
        let mut stories = Vec::new();
        let day = entry.at.day();
        let mut people: Vec<_> = entry.actor.iter().chain(&entry.subject).collect();
        people.dedup();
        for login in people.into_iter().filter(|_| staff) {
            stories.push((t.day_of(login, &t.date(&day.start())), of_day(login, day)));
        }
        if !staff {
            stories.push((t.my_day(&t.date(&day.start())), of_day("", day)));
        }
        if let Some(trace) = &entry.trace_id {
            stories.push((t.see_whole_call().to_owned(), of_request(trace)));
        }
        Self { t, index: t.whole(&index), staff, stories, l: Line::of(t, entry), f }
    }
}

fn of_day(login: &str, day: Day) -> String {
    let mut q = Form::default();
    q.set("user", login);
    q.link("/logs/story", "day", day)
}

fn of_request(trace: &str) -> String {
    Form::default().link("/logs/story", "trace_id", trace)
}

impl StoryPage {
    /// `days` are that of the story and today, where it is a day's; `entries` come newest first.
    pub(crate) fn of(
        f: Frame,
        staff: bool,
        user: String,
        trace: String,
        days: Option<(Day, Day)>,
        entries: Vec<LogEntry>,
        cut: bool,
    ) -> Self {
        let t = f.t;
        let (day, today) = days.unzip();
        let name = if staff { user.as_str() } else { "" };
        let link = |day: Day| of_day(name, day);
        let mut q = Form::default();
        q.set("user", &user);
        if let Some(day) = day {
            q.set("from", day);
            q.set("to", day);
        }
        Self {
            t,
            staff,
            when: day.or_else(|| Some(entries.last()?.at.day())).map(|day| t.long_day(&day)).unwrap_or_default(),
            previous: day.map(|day| link(day.start().minus(DAY).day())),
            following: day.filter(|day| Some(*day) < today).map(|day| link(day.end().day())),
            table: staff.then(|| q.link("/logs", "trace_id", &trace)),
            steps: steps(t, day, entries),
            user,
            trace,
            day,
            cut,
            f,
        }
    }
}

fn steps(t: T, day: Option<Day>, entries: Vec<LogEntry>) -> Vec<Step> {
    let mut before: Option<Timestamp> = None;
    let step = |entry: LogEntry| {
        let silent = before.replace(entry.at).map(|before| entry.at.since(before));
        let gap = match day {
            Some(_) => silent.filter(|silent| *silent >= SILENCE).map(|silent| t.nothing_for(&t.lasting(&silent))),
            None => silent.filter(|silent| !silent.is_zero()).map(|silent| t.later_by(&t.lasting(&silent))),
        };
        Step { gap, time: t.clock(&entry.at), line: Line::of(t, entry) }
    };
    entries.into_iter().rev().map(step).collect()
}
