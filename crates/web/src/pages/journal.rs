//! What the visitor is told of: the notifications. `identity` keeps them, as it does what is mailed; what the journal says
//! of each stands beside it, as long as the journal can be asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::Limit;
use contracts::identity::{ListNotices, Notice, ReadNotices};
use contracts::journal::{Edge, ListLogs, LogEntry};
use vocabulary::{EventId, Timestamp};

use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{DECORATION, Outcome, Visit, page, see_other};

/// Notices of a page.
const SHOWN: u32 = 30;

#[derive(Template)]
#[template(path = "notices.html")]
pub(crate) struct NoticesPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) notices: Vec<Told>,
    /// The newest of all, when something was not read.
    pub(crate) newest: Option<String>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

/// A notification, in words.
pub(crate) struct Told {
    pub(crate) title: &'static str,
    pub(crate) details: Vec<String>,
    pub(crate) at: Timestamp,
    /// The request it tells about.
    pub(crate) href: Option<String>,
    /// Its entry's own page.
    pub(crate) entry: String,
    pub(crate) tone: &'static str,
    pub(crate) unread: bool,
}

pub(crate) async fn notices(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let limit = SHOWN.try_into().unwrap_or_default();
    let found = visit.call(ListNotices { unread: false, cursor: q.cursor(), limit }).await?;
    let entries = entries_of(&visit, &found.items).await;
    let newest = found.items.first().filter(|_| found.unread > 0 && q.cursor().is_none());
    page(&NoticesPage {
        f: visit.frame(Place::Notices, t.notifications()).await,
        t,
        newest: newest.map(|notice| notice.event.to_string()),
        notices: found.items.iter().map(|notice| told(t, notice, entries.get(&notice.event))).collect(),
        first: q.cursor().map(|_| "/notifications".to_owned()),
        next: found.next.map(|next| q.link("/notifications", "cursor", String::from(next))),
    })
}

/// The newest that was shown was read, and all before it.
pub(crate) async fn read(visit: Arc<Visit>) -> Outcome {
    if let Ok(until) = visit.form.get("until").parse() {
        visit.call(ReadNotices { until }).await?;
    }
    Ok(see_other("/notifications"))
}

/// What the journal says of them; of what it does not know yet, or while it is away, nothing.
async fn entries_of(visit: &Visit, notices: &[Notice]) -> HashMap<EventId, LogEntry> {
    let at = || notices.iter().map(|notice| notice.at);
    let (Some(oldest), Some(newest)) = (at().min(), at().max()) else { return HashMap::new() };
    let asked = ListLogs {
        mine: true,
        from: Some(Edge::Moment(oldest.minus(Duration::from_secs(1)))),
        to: Some(Edge::Moment(newest.plus(Duration::from_secs(1)))),
        limit: Limit::MAX,
        ..ListLogs::default()
    };
    let found = visit.caller().within(DECORATION).call(asked).await;
    found.map_or_else(|_| HashMap::new(), |page| page.items.into_iter().map(|entry| (entry.id, entry)).collect())
}

pub(crate) fn told(t: T, notice: &Notice, entry: Option<&LogEntry>) -> Told {
    Told {
        title: t.action(notice.action),
        details: entry.map(|entry| t.particulars_of(&entry.details)).unwrap_or_default(),
        at: notice.at,
        entry: format!("/logs/{}", notice.event),
        href: notice.request.map(|id| format!("/requests/{id}")),
        tone: entry.map_or("", |entry| t.level_tone(&entry.level)),
        unread: !notice.read,
    }
}
