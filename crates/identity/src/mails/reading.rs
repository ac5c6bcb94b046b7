//! What people read of what they are told, and that they read it.

use aaa::{Call, Done};
use contracts::identity::{ListNotices, Notice, Notices, ReadNotices};
use contracts::{Cursor, Page};
use vocabulary::EventId;

use crate::error::Error;
use crate::service::Identity;
use crate::store as rows;

pub(crate) async fn list_notices(identity: Identity, call: Call<ListNotices, Identity>) -> Result<Notices, Error> {
    let ListNotices { unread, cursor, limit } = &call.request;
    let before: Option<EventId> = match cursor {
        Some(cursor) => {
            let wrong = Error::Fault { field: "cursor", words: "is not a cursor of this list; take it from `next`" };
            Some(cursor.place().ok_or(wrong)?)
        }
        None => None,
    };
    let mut tx = identity.store.read().await?;
    let found = rows::notices(&mut tx, call.by().id, before, *unread, limit.and_one()).await?;
    let count = rows::count_unread(&mut tx, call.by().id).await?;
    let page = Page::cut(found, *limit, |notice: &Notice| Cursor::at(notice.event));
    Ok(Notices { items: page.items, next: page.next, unread: count })
}

pub(crate) async fn read_notices(identity: Identity, call: Call<ReadNotices, Identity>) -> Result<Done, Error> {
    let mut tx = identity.store.begin().await?;
    rows::read_notices(&mut tx, call.by().id, call.request.until, identity.clock().now()).await?;
    tx.commit().await?;
    Ok(Done)
}
