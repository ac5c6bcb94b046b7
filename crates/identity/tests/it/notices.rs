//! What people are told of in the pages: the same happenings as by mail, read by themselves alone.

use contracts::identity::{CreateToken, ListNotices, Notice, ReadNotices};
use contracts::notices::Happening;
use contracts::scopes::TokenScope;
use vocabulary::{EventId, RequestId};

use crate::relay::{Keys, Relay, mailing};
use crate::*;

async fn listed(caller: &Caller, unread: bool) -> (Vec<Notice>, u32) {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let list = ListNotices { unread, cursor, limit: 2.try_into().unwrap() };
        let page = caller.call(list).await.unwrap();
        assert!(page.items.len() <= 2);
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return (items, page.unread);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_mails_tell_the_same_once_and_what_was_read_stays_read() {
    let keys = Keys::of("localhost");
    for database in databases().await.unwrap() {
        let mut relay = Relay::start(&keys);
        let world = World::mailing(database, mailing(relay.port, &keys)).await;
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (_, hugo) = world.signed_in("hugo", Role::Member).await;
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(1));
            let scopes = vec![TokenScope::Read];
            camille.call(CreateToken { name: "script".parse().unwrap(), scopes, days: 9, jkt: None }).await.unwrap();
        }
        let told = world.journal().await;
        // However often an event comes.
        let again = told.iter().filter_map(|event| Notices::read(&event.payload().unwrap())).collect();
        Notices::new(world.store.clone(), Chance::system(), true).take(again).await.unwrap();
        world.identity.send_due_mails().await.unwrap();
        let mails = relay.mails().iter().filter(|mail| mail.to == ["camille@example.org"]).count();
        let (notices, unread) = listed(&camille, false).await;
        assert_eq!((notices.len(), unread as usize), (mails, mails), "{notices:?}");
        assert!(notices.iter().all(|notice| !notice.read && notice.request.is_none()));
        assert!(notices.is_sorted_by(|newer, older| newer.at > older.at) && notices.len() >= 3, "{notices:?}");
        assert_eq!(notices[0].action, Action::TokenMade);
        for notice in &notices {
            let event = told.iter().find(|event| event.id == notice.event).unwrap();
            assert_eq!((event.action, event.at), (notice.action, notice.at));
            assert_eq!(event.subject.as_ref().unwrap().login.as_str(), "camille");
        }

        // What somebody else names is not theirs to read.
        let his = listed(&hugo, true).await;
        hugo.call(ReadNotices { until: notices[0].event }).await.unwrap();
        assert_eq!(listed(&hugo, true).await, his);
        assert_eq!(listed(&camille, true).await, (notices.clone(), unread));
        camille.call(ReadNotices { until: notices[1].event }).await.unwrap();
        let (left, unread) = listed(&camille, true).await;
        assert_eq!((left.as_slice(), unread), (&notices[..1], 1), "the newest came after");
        assert_eq!(listed(&camille, false).await.0.len(), notices.len(), "what was read stays");
        camille.call(ReadNotices { until: notices[0].event }).await.unwrap();
        assert_eq!(listed(&camille, true).await, (Vec::new(), 0));
        assert_eq!(listed(&hugo, true).await, his);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_a_request_names_it_and_is_new_unless_its_person_just_made_it() {
    for world in worlds().await {
        let (user, camille) = world.signed_in("camille", Role::Member).await;
        let (clock, chance) = (&world.clock, Chance::system());
        let request = RequestId::new(clock, &chance);
        let happening = |action| Happening {
            event: EventId::new(clock, &chance),
            at: clock.now(),
            action,
            person: user.id,
            detail: Some(request.to_string()),
        };
        let happened = vec![happening(Action::DepositRequested), happening(Action::DepositApproved)];
        Notices::new(world.store.clone(), Chance::system(), false).take(happened.clone()).await.unwrap();
        let (notices, unread) = listed(&camille, false).await;
        assert_eq!(unread, 1);
        for happening in &happened {
            let notice = notices.iter().find(|notice| notice.event == happening.event).unwrap();
            assert_eq!((notice.request, notice.read), (Some(request), happening.action == Action::DepositRequested));
        }
        let junk = ListNotices { cursor: Some(contracts::Cursor::at("elsewhere")), ..ListNotices::default() };
        assert!(is(&refused(&camille, junk).await, 400, "invalid-request"));
    }
}
