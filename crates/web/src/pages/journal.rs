//! What happened: one's own notifications, and the journal for staff.

use std::sync::Arc;

use askama::Template;
use contracts::events::{Action, Level};
use contracts::journal::{ListLogs, LogEntry};
use vocabulary::{RequestId, Timestamp};

use super::Choice;
use crate::forms::Form;
use crate::frame::{Frame, Place};
use crate::session::{self, SEEN_COOKIE};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, set_cookie};

#[derive(Template)]
#[template(path = "notices.html")]
pub(crate) struct NoticesPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) notices: Vec<Notice>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

/// A notification, in words.
pub(crate) struct Notice {
    pub(crate) title: &'static str,
    pub(crate) details: Vec<String>,
    pub(crate) at: Timestamp,
    /// The request it tells about.
    pub(crate) href: Option<String>,
    pub(crate) tone: &'static str,
    pub(crate) unread: bool,
}

#[derive(Template)]
#[template(path = "logs.html")]
pub(crate) struct LogsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) q: Form,
    pub(crate) filtered: bool,
    pub(crate) actions: Vec<Choice>,
    pub(crate) levels: Vec<Choice>,
    pub(crate) lines: Vec<Line>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

/// An entry of the journal, in words.
pub(crate) struct Line {
    pub(crate) title: &'static str,
    pub(crate) details: Vec<String>,
    pub(crate) entry: LogEntry,
}

pub(crate) async fn notices(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let found = visit
        .call(ListLogs {
            mine: true,
            cursor: q.cursor(),
            limit: 30.try_into().unwrap_or_default(),
            ..ListLogs::default()
        })
        .await?;
    let newest = found.items.first().map(|entry| entry.id.to_string()).filter(|_| q.cursor().is_none());
    let notices = found.items.iter().map(|entry| notice(t, entry, visit.is_news(entry))).collect();
    let mut response = page(&NoticesPage {
        f: visit.frame(Place::Notices, t.notifications()).await,
        t,
        notices,
        first: q.cursor().map(|_| "/notifications".to_owned()),
        next: found.next.map(|next| q.link("/notifications", "cursor", String::from(next))),
    })?;
    if let Some(newest) = newest {
        set_cookie(&mut response, &session::lasting_cookie(SEEN_COOKIE, &newest));
    }
    Ok(response)
}

pub(crate) fn notice(t: T, entry: &LogEntry, unread: bool) -> Notice {
    let request = entry.details.get("request").and_then(|id| id.parse::<RequestId>().ok());
    Notice {
        title: t.action(entry.action),
        details: t.particulars_of(&entry.details),
        at: entry.at,
        href: request.map(|id| format!("/requests/{id}")),
        tone: t.level_tone(&entry.level),
        unread,
    }
}

pub(crate) async fn logs(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let found = visit
        .call(ListLogs {
            user: q.search("user", 64),
            action: Action::from_name(q.get("action")).into_iter().collect(),
            level: Level::from_name(q.get("level")).into_iter().collect(),
            from: q.filter("from"),
            to: q.filter("to"),
            cursor: q.cursor(),
            ..ListLogs::default()
        })
        .await?;
    let lines = found.items.into_iter().map(|entry| line(t, entry)).collect();
    page(&LogsPage {
        f: visit.frame(Place::Logs, t.logs()).await,
        t,
        filtered: ["user", "action", "level", "from", "to"].iter().any(|name| !q.get(name).is_empty()),
        actions: actions(t),
        levels: levels(t),
        lines,
        first: q.cursor().map(|_| q.link("/logs", "cursor", "")),
        next: found.next.map(|next| q.link("/logs", "cursor", String::from(next))),
        q: q.clone(),
    })
}

pub(crate) fn line(t: T, entry: LogEntry) -> Line {
    Line { title: t.action(entry.action), details: t.particulars_of(&entry.details), entry }
}

pub(crate) fn actions(t: T) -> Vec<Choice> {
    let mut choices: Vec<_> =
        Action::ALL.iter().map(|action| Choice { value: action.name(), label: t.action(*action) }).collect();
    choices.sort_by_key(|choice| choice.label);
    choices
}

pub(crate) fn levels(t: T) -> Vec<Choice> {
    Level::ALL.iter().map(|level| Choice { value: level.name(), label: t.level(level) }).collect()
}
