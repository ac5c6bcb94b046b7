//! Counts of entries, for charts: from what was counted as they came, or, where a filter looks at single entries, from the
//! newest of these.

use std::collections::{BTreeMap, HashMap};

use ::store::{StoreError, Transaction};
use aaa::Call;
use contracts::events::{Action, Level};
use contracts::journal::{
    ActionCount, Edge, LevelCount, LogFilter, LogSummary, Per, SeriesPoint, SummarizeLogs, UserCount,
};
use vocabulary::{Clock, Timestamp};

use crate::entry::{Place, Whose};
use crate::error::Error;
use crate::search::Asked;
use crate::service::Journal;
use crate::store::counts::{self, Counted, DAY, HOUR};
use crate::store::search::{Spots, spots};

/// Most single entries that are looked at.
const LOOKED_AT: usize = 20_000;
/// Most people that are named.
const PEOPLE: u32 = 20;
/// The period where none is asked for, in microseconds; and the longest one that is shown by the hour unless asked.
const USUAL: i64 = 30 * DAY;
const BY_HOUR: i64 = 3 * DAY;
/// Longest series.
const HOURS: i64 = 31 * 24;
const DAYS: i64 = 1_000;

/// The period that is counted, in whole spans.
#[derive(Clone, Copy)]
struct Period {
    per: Per,
    from: Timestamp,
    to: Timestamp,
}

impl Period {
    fn of(asked: &LogFilter, per: Option<Per>, clock: &Clock) -> Result<Self, Error> {
        let to = asked.to.map_or_else(|| clock.now(), Edge::end);
        let usual = || Timestamp::from_micros(to.micros().saturating_sub(USUAL));
        let from = asked.from.map_or_else(usual, Edge::start);
        if to <= from {
            return Err(Error::Period);
        }
        let length = to.micros().saturating_sub(from.micros());
        let per = per.unwrap_or(if length <= BY_HOUR { Per::Hour } else { Per::Day });
        let (span, most) = span(per);
        let from = counts::start(from, span);
        let last = Timestamp::from_micros(to.micros().saturating_sub(1));
        let to = Timestamp::from_micros(counts::start(last, span).micros().saturating_add(span)).max(from);
        if to.micros().saturating_sub(from.micros()) / span > most.saturating_add(1) {
            return Err(Error::TooLong(match per {
                Per::Hour => "is too long ago to count by the hour: at most 31 days",
                Per::Day => "is too long ago: at most 1000 days are counted at a time",
            }));
        }
        Ok(Self { per, from, to })
    }

    const fn span(self) -> i64 {
        span(self.per).0
    }

    fn starts(self) -> impl Iterator<Item = i64> {
        let span = self.span();
        std::iter::successors(Some(self.from.micros()), move |at| at.checked_add(span))
            .take_while(move |at| *at < self.to.micros())
    }
}

/// How long a span is in microseconds, and how many make a series.
const fn span(per: Per) -> (i64, i64) {
    match per {
        Per::Hour => (HOUR, HOURS),
        Per::Day => (DAY, DAYS),
    }
}

/// What was counted.
#[derive(Default)]
struct Tally {
    by_level: HashMap<(i64, Level), u64>,
    by_action: HashMap<Action, u64>,
    by_actor: Vec<(String, u64)>,
    incomplete: bool,
}

pub(crate) async fn summarize_logs(journal: Journal, call: Call<SummarizeLogs, Journal>) -> Result<LogSummary, Error> {
    let (by, filter) = (call.by(), call.request.filter());
    let period = Period::of(&filter, call.request.per, journal.store.clock())?;
    let mut tx = journal.store.read().await?;
    let Some(mut asked) = Asked::by(by, &filter, &mut tx).await? else {
        return Ok(summary(period, Tally::default()));
    };
    (asked.filter.from, asked.end) = (period.from, Place::before(period.to));
    let kept = asked.filter.whose == Whose::All && asked.filter.words.is_none() && asked.filter.trace_id.is_none();
    let tally = if kept { counted(&mut tx, period, &asked).await? } else { looked_at(&mut tx, period, &asked).await? };
    drop(tx);
    journal.note_question(by, asked.reader, &filter, &[]).await?;
    Ok(summary(period, tally))
}

/// From the counts that are kept.
async fn counted(tx: &mut Transaction, period: Period, asked: &Asked) -> Result<Tally, StoreError> {
    let kinds = asked.filter.kinds.clone();
    let counted = Counted { span: period.span(), from: period.from, to: period.to, kinds };
    let by_level = counts::by_level(tx, &counted).await?;
    Ok(Tally {
        by_level: by_level.into_iter().map(|(at, level, count)| ((at.micros(), level), count)).collect(),
        by_action: counts::by_action(tx, &counted).await?.into_iter().collect(),
        by_actor: counts::by_actor(tx, &counted, PEOPLE).await?,
        incomplete: false,
    })
}

/// From the newest entries themselves.
async fn looked_at(tx: &mut Transaction, period: Period, asked: &Asked) -> Result<Tally, StoreError> {
    let most = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX).saturating_add(1);
    let Spots { mut spots, rest } = spots(tx, &asked.filter, asked.end, most).await?;
    let mut tally = Tally { incomplete: rest.is_some(), ..Tally::default() };
    spots.truncate(LOOKED_AT);
    let mut actors: HashMap<String, u64> = HashMap::new();
    let one_more = |count: &mut u64| *count = count.saturating_add(1);
    for spot in spots {
        let Some(kind) = asked.kinds.get(spot.kind) else { continue };
        let at = counts::start(spot.place.at, period.span()).micros();
        one_more(tally.by_level.entry((at, kind.level)).or_default());
        one_more(tally.by_action.entry(kind.action).or_default());
        // Who else acted is for staff.
        let shown = asked.reader.staff || spot.actor_id == Some(asked.reader.id);
        if let Some(actor) = spot.actor.filter(|_| shown) {
            one_more(actors.entry(actor).or_default());
        }
    }
    tally.by_actor = actors.into_iter().collect();
    tally.by_actor.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    tally.by_actor.truncate(PEOPLE as usize);
    Ok(tally)
}

fn summary(period: Period, tally: Tally) -> LogSummary {
    let mut levels: BTreeMap<Level, u64> = Level::ALL.iter().map(|level| (*level, 0)).collect();
    for ((_, level), count) in &tally.by_level {
        levels.entry(*level).and_modify(|sum| *sum = sum.saturating_add(*count));
    }
    let mut actions: Vec<_> =
        tally.by_action.into_iter().map(|(action, count)| ActionCount { action, count }).collect();
    actions.sort_unstable_by(|one, other| {
        other.count.cmp(&one.count).then_with(|| one.action.name().cmp(other.action.name()))
    });
    let at = |start: i64, level| tally.by_level.get(&(start, level)).copied().unwrap_or(0);
    let point = |start: i64| SeriesPoint {
        at: Timestamp::from_micros(start),
        info: at(start, Level::Info),
        warning: at(start, Level::Warning),
        error: at(start, Level::Error),
    };
    LogSummary {
        from: period.from,
        to: period.to,
        per: period.per,
        total: levels.values().copied().fold(0, u64::saturating_add),
        complete: !tally.incomplete,
        levels: levels.into_iter().map(|(level, count)| LevelCount { level, count }).collect(),
        actions,
        users: tally.by_actor.into_iter().map(|(login, count)| UserCount { login, count }).collect(),
        series: period.starts().map(point).collect(),
    }
}
