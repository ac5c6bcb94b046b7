//! A database from before is as one that was filled today.

use std::collections::{BTreeMap, BTreeSet};

use store::{Bulk, Many, Query, columns};

use super::*;

const SQL: &str = "\
-- name: add_kind*! (sqlite)
insert into kinds (source, audience, level, action) values ($1, 'members', 'info', 'PROFILE_CHANGED');
-- name: add_kind*! (postgres)
insert into kinds (source, audience, level, action)
select source, 'members', 'info', 'PROFILE_CHANGED' from unnest($1::text[]) as new (source);
-- name: add_old*! (sqlite)
insert into entries (id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message,
  details, kind, place)
values ($1, 'bank', $2, $3, 'members', 'info', 'PROFILE_CHANGED', $4, $5, $6, $7, 'old', '{}', 1, $2);
-- name: add_old*! (postgres)
insert into entries (id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message,
  details, kind, place)
select id, 'bank', seq, at, 'members', 'info', 'PROFILE_CHANGED', actor_id, actor, subject_id, subject, 'old', '{}', 1, seq
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::text[], $6::uuid[], $7::text[])
  as new (id, seq, at, actor_id, actor, subject_id, subject);
-- name: add_days*! (sqlite)
insert into actor_counts (kind, day, actor_id, actor_login, entries) values (1, $1, $2, $3, $4);
-- name: add_days*! (postgres)
insert into actor_counts (kind, day, actor_id, actor_login, entries)
select 1, day, actor_id, actor_login, entries from unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[])
  as new (day, actor_id, actor_login, entries);
-- name: people
select login, id from people;
-- name: spans
select span, start, actor_id, entries from actor_counts where kind = 1;
";
const ADD_KIND: Query<Bulk> = Query::find(SQL, "add_kind");
const ADD_OLD: Query<Bulk> = Query::find(SQL, "add_old");
const ADD_DAYS: Query<Bulk> = Query::find(SQL, "add_days");
const PEOPLE: Query<Many> = Query::find(SQL, "people");
const SPANS: Query<Many> = Query::find(SQL, "spans");

/// Before logins had a table, and counts of thirty days theirs.
const BEFORE: usize = 6;
const DAY: i64 = 86_400_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_before_are_found_by_login_and_counted_by_thirty_days() {
    let namesake = person(7, "claire");
    let nobody: Option<Person> = None;
    let some = |person: Person| Some(person);
    let told: Vec<(Timestamp, Option<Person>, Option<Person>)> = vec![
        (Timestamp::from_micros(-1), some(claire()), nobody.clone()),
        (Timestamp::from_micros(-40 * DAY), some(claire()), some(claire())),
        (Timestamp::from_micros(3 * DAY), some(agent()), some(marc())),
        (Timestamp::from_micros(29 * DAY), some(agent()), some(namesake.clone())),
        (Timestamp::from_micros(30 * DAY), some(agent()), nobody.clone()),
        // Erased.
        (Timestamp::from_micros(31 * DAY), nobody.clone(), nobody),
    ];
    for database in databases().await.unwrap() {
        let clock = Clock::manual(NOON.parse().unwrap());
        let old = Store::open(&database.database, &MIGRATIONS[..BEFORE], clock.clone()).await.unwrap();
        fill(&old, &told).await;
        drop(old);
        let new = Store::open(&database.database, MIGRATIONS, clock).await.unwrap();
        let mut tx = new.read().await.unwrap();
        let people: BTreeSet<(String, UserId)> = tx.run(&PEOPLE, &[]).await.unwrap().iter().map(named).collect();
        let named: BTreeSet<_> = [claire(), namesake.clone(), marc(), agent()].map(|it| (it.login, it.id)).into();
        assert_eq!(people, named);
        let mut expected: BTreeMap<(i64, i64, UserId), i64> = BTreeMap::new();
        for (at, actor, _) in &told {
            for span in [DAY, 30 * DAY] {
                if let Some(actor) = actor {
                    *expected.entry((span, at.micros().div_euclid(span) * span, actor.id)).or_default() += 1;
                }
            }
        }
        let spans = tx.run(&SPANS, &[]).await.unwrap();
        let spans = spans.iter().map(|row| {
            let of = (row.get("span").unwrap(), row.get("start").unwrap(), row.get("actor_id").unwrap());
            (of, row.get("entries").unwrap())
        });
        assert_eq!(spans.collect::<BTreeMap<_, _>>(), expected, "{}", new.kind());
    }
}

fn named(row: &store::Row) -> (String, UserId) {
    (row.get("login").unwrap(), row.get("id").unwrap())
}

/// As it was kept then.
async fn fill(old: &Store, told: &[(Timestamp, Option<Person>, Option<Person>)]) {
    let chance = Chance::seeded(3);
    let ids: Vec<EventId> = told.iter().map(|_| EventId::new(old.clock(), &chance)).collect();
    let numbers: Vec<i64> = (0..).take(told.len()).collect();
    let times: Vec<Timestamp> = told.iter().map(|(at, ..)| *at).collect();
    let parted = |of: &dyn Fn(usize) -> Option<Person>| -> (Vec<Option<UserId>>, Vec<Option<String>>) {
        (0..told.len()).map(|n| of(n).map(|it| (it.id, it.login)).unzip()).unzip()
    };
    let (actor_ids, actors) = parted(&|n| told[n].1.clone());
    let (subject_ids, subjects) = parted(&|n| told[n].2.clone());
    let mut days: BTreeMap<(i64, UserId, String), i64> = BTreeMap::new();
    for (at, actor, _) in told {
        if let Some(actor) = actor {
            let day = at.micros().div_euclid(DAY) * DAY;
            *days.entry((day, actor.id, actor.login.clone())).or_default() += 1;
        }
    }
    let (mut starts, mut who, mut logins, mut counts) = (vec![], vec![], vec![], vec![]);
    for ((day, id, login), count) in days {
        starts.push(day);
        who.push(id);
        logins.push(login);
        counts.push(count);
    }
    let mut tx = old.begin().await.unwrap();
    tx.bulk(&ADD_KIND, columns![vec!["bank".to_owned()]]).await.unwrap();
    tx.bulk(&ADD_OLD, columns![ids, numbers, times, actor_ids, actors, subject_ids, subjects]).await.unwrap();
    tx.bulk(&ADD_DAYS, columns![starts, who, logins, counts]).await.unwrap();
    tx.commit().await.unwrap();
}
