//! Entries that are taken away as a file, and entries that are followed as they come.

use aaa::Streamed;
use chassis::Shutdown;
use contracts::journal::{ExportLogs, FileFormat, LogFilter, TailLogs};
use futures_util::StreamExt;

use super::*;

async fn export(world: &World, person: &Person, role: &str, asked: ExportLogs) -> Result<Streamed, Problem> {
    world.caller_of(person, role).stream(asked).await
}

async fn whole(streamed: Streamed) -> Result<String, aaa::TransportError> {
    let (mut parts, mut whole) = (streamed.into_parts(), Vec::new());
    while let Some(part) = parts.next().await {
        whole.extend(part?);
    }
    Ok(String::from_utf8(whole).unwrap())
}

/// The entries of a file of JSON lines.
async fn exported(world: &World, person: &Person, role: &str, filter: LogFilter) -> Vec<LogEntry> {
    let asked = ExportLogs { format: FileFormat::Jsonl, ..filter.into() };
    let text = whole(export(world, person, role, asked).await.unwrap()).await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// So many events of claire's and as many of marc's, in turn.
fn of_both(world: &World, many: usize) -> Vec<LogEvent> {
    let subject = |number: usize| Some(if number.is_multiple_of(2) { claire() } else { marc() });
    (0..many)
        .map(|number| LogEvent {
            actor: Some(agent()),
            subject: subject(number),
            ..world.event(&format!("entry {number}"))
        })
        .collect()
}

fn messages(entries: Vec<LogEntry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_what_a_list_would_and_that_it_was_taken_is_told() {
    for world in worlds().await {
        world.deliver(1, &of_both(&world, 1_203)).await;
        let all: Vec<String> = (0..1_203).rev().map(|number| format!("entry {number}")).collect();
        let hers: Vec<String> = all.iter().rev().step_by(2).cloned().rev().collect();
        assert_eq!(messages(exported(&world, &agent(), "agent", LogFilter::default()).await), all);
        let filter = || LogFilter { user: Some("claire".into()), ..LogFilter::default() };
        assert_eq!(messages(exported(&world, &agent(), "agent", filter()).await), hers);
        let own = exported(&world, &claire(), "member", LogFilter::default()).await;
        assert!(own.iter().all(|entry| entry.actor.is_none()), "who else acted is for staff");
        assert_eq!(messages(own), hers);
        assert!(exported(&world, &marc(), "member", filter()).await.is_empty());
        let found = LogFilter { text: Some("entry 1202".parse().unwrap()), ..LogFilter::default() };
        assert!(exported(&world, &marc(), "member", found).await.is_empty());
        let asked = ListLogs { action: vec![Action::LogsExported], ..ListLogs::default() };
        let told = world.list(&agent(), "agent", asked).await.unwrap().items;
        assert_eq!(told.len(), 5);
        let taken = |login: &str, user: Option<&str>| {
            let is = |it: &&LogEntry| it.details.get("user").map(String::as_str) == user;
            told.iter().filter(is).filter(|it| it.actor.as_deref() == Some(login)).count()
        };
        let counts = [("agathe", None), ("agathe", Some("claire")), ("claire", None), ("marc", Some("claire"))];
        assert_eq!(counts.map(|(login, user)| taken(login, user)), [1; 4]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_safe_to_open_and_loses_nothing() {
    for world in worlds().await {
        let event = LogEvent {
            subject: Some(claire()),
            details: [("reason".to_owned(), "a \"b\", c".to_owned())].into(),
            ..world.event("=HYPERLINK(\"https://evil\")\nsecond, line")
        };
        world.deliver(1, std::slice::from_ref(&event)).await;
        let streamed = export(&world, &claire(), "member", ExportLogs::default()).await.unwrap();
        assert_eq!(streamed.content_type, "text/csv; charset=utf-8; header=present");
        assert_eq!(streamed.file_name.as_deref(), Some("journal-2026-11-21.csv"));
        let text = whole(streamed).await.unwrap();
        let (heading, rest) = text.split_once("\r\n").unwrap();
        assert_eq!(heading, "id,at,source,audience,level,action,actor,subject,subject_id,message,details,trace_id");
        let id = claire().id;
        let expected = format!(
            "{},2026-11-21T12:00:01Z,bank,members,info,PROFILE_CHANGED,,claire,{id},\"'=HYPERLINK(\"\"https://evil\"\")\nsecond, \
             line\",\"{{\"\"reason\"\":\"\"a \\\"\"b\\\"\", c\"\"}}\",\r\n",
            event.id
        );
        assert_eq!(rest, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_file_is_taken_is_not_in_it_and_who_may_no_more_gets_no_more() {
    for world in worlds().await {
        let events = of_both(&world, 1_300);
        world.deliver(1, &events).await;
        let asked = || ExportLogs { format: FileFormat::Jsonl, ..ExportLogs::default() };
        let mut parts = export(&world, &agent(), "agent", asked()).await.unwrap().into_parts();
        let mut text = parts.next().await.unwrap().unwrap().to_vec();
        let late = LogEvent { at: events[0].at, ..world.event("late, among the oldest") };
        world.deliver(1_301, &[late, world.event("new")]).await;
        while let Some(part) = parts.next().await {
            text.extend(part.unwrap());
        }
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 1_300);
        assert!(!text.contains("late, among"));

        let mut parts = export(&world, &agent(), "agent", asked()).await.unwrap().into_parts();
        parts.next().await.unwrap().unwrap();
        world.clock.advance(Duration::from_mins(11));
        let mut ends = Ok(0);
        while let Some(part) = parts.next().await {
            ends = part.map(|part| part.len());
        }
        assert!(ends.is_err(), "a file that was cut off does not look whole");
    }
}

/// What a client receives.
struct Followed {
    parts: Box<dyn futures_util::Stream<Item = Result<Vec<u8>, aaa::TransportError>> + Send + Unpin>,
    text: String,
}

impl Followed {
    async fn begin(world: &World, person: &Person, role: &str, asked: TailLogs) -> Result<Self, Problem> {
        let streamed = world.caller_of(person, role).stream(asked).await?;
        assert_eq!(streamed.content_type, "text/event-stream");
        let parts = streamed.into_parts().map(|part| part.map(|part| part.to_vec()));
        let mut followed = Self { parts: Box::new(parts), text: String::new() };
        followed.more().await;
        Ok(followed)
    }

    /// The next event's id and message, or its name.
    async fn next(&mut self) -> Option<(u64, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, name, data) = (field("id: "), field("event: "), field("data: "));
                let rest = rest.to_owned();
                self.text = rest;
                match name.as_deref() {
                    Some("entry") => {
                        let entry: LogEntry = serde_json::from_str(&data.unwrap()).unwrap();
                        return Some((id.unwrap().parse().unwrap(), entry.message));
                    }
                    Some(other) => return Some((0, other.to_owned())),
                    None => continue,
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn more(&mut self) -> bool {
        let Some(part) = self.parts.next().await else { return false };
        self.text.push_str(&String::from_utf8(part.unwrap()).unwrap());
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_followed_in_order_by_those_who_may_see_them_and_from_where_they_left() {
    for world in worlds().await {
        world.deliver(1, &of_both(&world, 2)).await;
        let filter = || TailLogs { source: vec!["bank".parse().unwrap()], ..TailLogs::default() };
        let mut staff = Followed::begin(&world, &agent(), "agent", filter()).await.unwrap();
        let found = TailLogs { text: Some("entry".parse().unwrap()), ..filter() };
        let mut hers = Followed::begin(&world, &claire(), "member", found).await.unwrap();
        let mut nobody = TailLogs { user: Some("claire".into()), ..filter() };
        let mut his = Followed::begin(&world, &marc(), "member", nobody.clone()).await.unwrap();
        let events = of_both(&world, 6);
        world.deliver(3, &events[..5]).await;
        let (mut seen, mut own) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            seen.push(staff.next().await.unwrap());
        }
        for _ in 0..3 {
            own.push(hers.next().await.unwrap());
        }
        let expected: Vec<String> = events[..5].iter().map(|event| event.message.clone()).collect();
        assert_eq!(seen.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>(), expected);
        assert_eq!(
            own.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>(),
            ["entry 0", "entry 2", "entry 4"]
        );
        drop((staff, hers));

        world.deliver(8, &events[5..]).await;
        let back = TailLogs { after: Some(seen[2].0), ..filter() };
        let mut staff = Followed::begin(&world, &agent(), "agent", back).await.unwrap();
        for number in 3..6 {
            assert_eq!(staff.next().await.unwrap().1, format!("entry {number}"));
        }
        // What is told of readers is for staff alone, and nobody sees another's by any filter.
        nobody.after = Some(0);
        let mut again = Followed::begin(&world, &marc(), "member", nobody).await.unwrap();
        let shutdown = Shutdown::default();
        world.journal.ends_with(&shutdown);
        shutdown.begin();
        assert_eq!((his.next().await, again.next().await, staff.next().await), (None, None, None), "a stop ends it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_far_behind_is_let_go_and_told_what_they_missed() {
    for world in worlds().await {
        let mut slow = Followed::begin(&world, &agent(), "agent", TailLogs::default()).await.unwrap();
        let mut first = 1;
        for part in of_both(&world, 5_050).chunks(1_010) {
            world.deliver(first, part).await;
            first += 1_010;
        }
        while let Some((_, message)) = slow.next().await {
            assert!(!message.starts_with("entry"), "{message}");
        }
        let back = TailLogs { after: Some(0), ..TailLogs::default() };
        let mut again = Followed::begin(&world, &agent(), "agent", back).await.unwrap();
        assert_eq!(again.next().await.unwrap().1, "missed");
        assert!(again.next().await.unwrap().1.starts_with("entry"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_all_seats_and_a_seat_is_kept_no_longer_than_the_right_to_it() {
    for world in worlds().await {
        let begin = async || Followed::begin(&world, &claire(), "member", TailLogs::default()).await;
        let mut seats = Vec::new();
        for _ in 0..4 {
            seats.push(begin().await.unwrap());
        }
        assert_eq!(begin().await.err().unwrap().status().as_u16(), 503);
        Followed::begin(&world, &marc(), "member", TailLogs::default()).await.unwrap();
        seats.pop();
        let mut last = begin().await.unwrap();
        world.clock.advance(Duration::from_mins(11));
        assert_eq!(last.next().await, None);
        let plain = world.caller_of(&claire(), "member").call(TailLogs::default()).await.unwrap_err();
        assert_eq!((plain.status().as_u16(), plain.faults()[0].field.as_str()), (400, "Accept"));
    }
}
