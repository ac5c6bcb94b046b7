//! What happened to the visitor: the notifications.

use std::sync::Arc;

use askama::Template;
use contracts::journal::{ListLogs, LogEntry};
use vocabulary::{RequestId, Timestamp};

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
    /// Its own page.
    pub(crate) entry: String,
    pub(crate) tone: &'static str,
    pub(crate) unread: bool,
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
        entry: format!("/logs/{}", entry.id),
        href: request.map(|id| format!("/requests/{id}")),
        tone: t.level_tone(&entry.level),
        unread,
    }
}
