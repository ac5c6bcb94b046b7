//! One check: how it does, how it did over any time, how far it is from what it is to keep, and its badge.

use std::sync::Arc;
use std::time::Duration;

use aaa::Problem;
use askama::Template;
use contracts::monitor::{Badge, CheckName, GetHistory, GetWholeHistory, History, Objective, Origin, Point};
use vocabulary::{Day, Timestamp};

use super::status::{PATIENCE, mark, sees_all};
use crate::charts::{Lines, Moment, Piece, Shown, Strip};
use crate::forms::Form;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{DECORATION, Outcome, Visit, page};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Most days of a period of one's own.
const MOST_DAYS: u32 = 1_100;
/// The periods that are offered: their word in the address, and their days.
const WINDOWS: [(&str, u32); 5] = [("day", 1), ("week", 7), ("month", 30), ("quarter", 90), ("year", 365)];
/// Distances between words below a chart, in hours; the first that leaves few enough.
const STRIDES: [u32; 10] = [1, 3, 6, 12, 24, 48, 168, 336, 672, 1_344];
/// Most words below a chart.
const MOST_TICKS: usize = 8;

#[derive(Template)]
#[template(path = "check.html")]
pub(crate) struct CheckPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) h: History,
    pub(crate) name: String,
    /// Whether what superusers alone see is shown.
    pub(crate) whole: bool,
    /// Whether it can be changed here.
    pub(crate) ours: bool,
    /// The days of a period of one's own.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) windows: Vec<Window>,
    pub(crate) strip: Strip,
    pub(crate) lines: Lines,
    pub(crate) objective: Option<Kept>,
    /// Where pages elsewhere find the badges.
    pub(crate) site: String,
    pub(crate) badges: [(&'static str, &'static str); 3],
}

/// A period to choose, and how it was in it.
pub(crate) struct Window {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) current: bool,
    pub(crate) uptime: String,
}

/// How far it is from what it is to keep.
pub(crate) struct Kept {
    pub(crate) objective: Objective,
    /// In thousandths of the budget, at most all of it.
    pub(crate) used_permille: u64,
    pub(crate) sentence: String,
    pub(crate) tone: &'static str,
    /// Whether the budget ends before its time at the rate of the last six hours.
    pub(crate) fast: bool,
}

pub(crate) async fn check(visit: Arc<Visit>) -> Outcome {
    let name: CheckName = visit.param("name")?;
    let now = visit.web.clock.now();
    let (chosen, from, to) = asked(&visit.query, now);
    let others = WINDOWS.iter().map(|(word, days)| {
        let (visit, name) = (&visit, name.clone());
        async move {
            if chosen == Some(*word) {
                return None;
            }
            let found = history(visit, name, now.minus(DAY * *days), now, DECORATION).await.ok()?;
            Some(visit.t.ppm_or(found.uptime_ppm.as_ref()))
        }
    });
    let (found, others) =
        tokio::join!(history(&visit, name.clone(), from, to, PATIENCE), futures_util::future::join_all(others));
    let found = found?;
    let f = visit.frame(Place::Status, visit.t.titled(&name, &found.check.title)).await;
    let site = visit.site();
    page(&CheckPage::of(f, &visit.query, (chosen, from, to), found, &others, sees_all(&visit), site))
}

/// What the monitor remembers, as far as the visitor may see it.
async fn history(
    visit: &Visit,
    name: CheckName,
    from: Timestamp,
    to: Timestamp,
    patience: Duration,
) -> Result<History, Problem> {
    let (caller, from, to) = (visit.caller().within(patience), Some(from), Some(to));
    if sees_all(visit) {
        return caller.call(GetWholeHistory { name, from, to }).await;
    }
    caller.call(GetHistory { name, from, to }).await
}

/// The period that the address asks for: which of those on offer, or one of its own. Nonsense asks for the last day.
fn asked(q: &Form, now: Timestamp) -> (Option<&'static str>, Timestamp, Timestamp) {
    if let (Some(from), to) = (q.filter::<Day>("from"), q.filter::<Day>("to").unwrap_or(now.day())) {
        let (from, to) = (from.min(to), to.max(from).min(now.day()));
        let end = to.end().min(now);
        let start = from.start().max(end.minus(DAY * MOST_DAYS));
        if start < end {
            return (None, start, end);
        }
    }
    let (word, days) = WINDOWS.into_iter().find(|(word, _)| *word == q.get("period")).unwrap_or(WINDOWS[0]);
    (Some(word), now.minus(DAY * days), now)
}

impl CheckPage {
    pub(crate) fn of(
        f: Frame,
        q: &Form,
        (chosen, from, to): (Option<&'static str>, Timestamp, Timestamp),
        h: History,
        others: &[Option<String>],
        whole: bool,
        site: String,
    ) -> Self {
        let t = f.t;
        let window = |(n, (word, _)): (usize, &(&'static str, u32))| Window {
            label: label(t, word),
            href: Form::default().link(&format!("/status/checks/{}", h.check.name), "period", *word),
            current: chosen == Some(*word),
            uptime: if chosen == Some(*word) {
                t.ppm_or(h.uptime_ppm.as_ref())
            } else {
                others.get(n).cloned().flatten().unwrap_or_else(|| "–".to_owned())
            },
        };
        let own = chosen.is_none();
        Self {
            windows: WINDOWS.iter().enumerate().map(window).collect(),
            from: if own {
                q.filter::<Day>("from").map_or(from.day(), |day| day).to_string()
            } else {
                from.day().to_string()
            },
            to: to.minus(Duration::from_micros(1)).day().to_string(),
            name: t.titled(&h.check.name, &h.check.title),
            ours: whole && h.check.origin == Origin::Api,
            strip: strip(t, &h),
            lines: lines(t, &h),
            objective: h.objective.clone().map(|objective| Kept::of(t, objective)),
            badges: [
                (t.badge_state(), badge_name(Badge::State)),
                (t.badge_uptime(), badge_name(Badge::Uptime)),
                (t.badge_latency(), badge_name(Badge::Latency)),
            ],
            whole,
            site,
            h,
            t,
            f,
        }
    }

    /// What is shown, in words.
    fn window_words(&self) -> String {
        self.t.since_until(&self.t.moment(&self.h.from), &self.t.moment(&self.h.to))
    }
}

fn badge_name(badge: Badge) -> &'static str {
    match badge {
        Badge::State => "state",
        Badge::Uptime => "uptime",
        Badge::Latency => "latency",
    }
}

fn label(t: T, word: &str) -> &'static str {
    match word {
        "week" => t.window_week(),
        "month" => t.window_month(),
        "quarter" => t.window_quarter(),
        "year" => t.window_year(),
        _ => t.window_day(),
    }
}

/// A piece by its time: the day where pieces are days.
fn named(t: T, h: &History, point: &Point) -> String {
    if u128::from(h.step_millis) >= DAY.as_millis() { t.date(&point.from) } else { t.moment(&point.from) }
}

fn strip(t: T, h: &History) -> Strip {
    let piece =
        |point: &Point| Piece { name: named(t, h, point), words: t.spent(&point.spent), mark: mark(&point.spent) };
    Strip::new(format!("{}: {}", t.state_over_time(), t.spent(&h.spent)), h.points.iter().map(piece).collect(), true)
}

fn lines(t: T, h: &History) -> Lines {
    let ticks = ticks(t, h);
    let moment = |(point, tick): (&Point, Option<(Shown, String)>)| Moment {
        name: named(t, h, point),
        tick,
        values: point.latency.map(|latency| [latency.p50, latency.p95]),
    };
    Lines {
        t,
        id: "latency",
        title: t.latency_title().to_owned(),
        words: t.latency_words(),
        heading: t.date_word(),
        names: [t.latency_half(), t.latency_most()],
        moments: h.points.iter().zip(ticks).map(moment).collect(),
    }
}

/// Words below the pieces at round times, every other one on a phone too.
fn ticks(t: T, h: &History) -> Vec<Option<(Shown, String)>> {
    let number = |at: Timestamp, stride: u32| at.seconds().div_euclid(i64::from(stride) * 3600);
    let begins = |stride: u32| {
        let mut before = h.points.first().map(|first| number(first.from.minus(Duration::from_micros(1)), stride));
        let mut begins = Vec::new();
        for point in &h.points {
            let now = number(point.from, stride);
            begins.push(before != Some(now));
            before = Some(now);
        }
        begins
    };
    let few = |stride: &u32| begins(*stride).into_iter().filter(|it| *it).count() <= MOST_TICKS;
    let stride = STRIDES.into_iter().find(few).unwrap_or(u32::MAX);
    let by_hour = HOUR * stride < DAY;
    let mut seen = 0_usize;
    let word = |(point, begins): (&Point, bool)| {
        begins.then(|| {
            seen += 1;
            let shown = if seen % 2 == 1 { Shown::Everywhere } else { Shown::Wide };
            (shown, if by_hour { t.time_of_day(&point.from) } else { t.day_and_month(&point.from) })
        })
    };
    h.points.iter().zip(begins(stride)).map(word).collect()
}

impl Kept {
    pub(crate) fn of(t: T, objective: Objective) -> Self {
        let (used, budget) = (objective.used_millis, objective.budget_millis);
        let permille = u128::from(used) * 1000 / u128::from(budget.max(1));
        let fast = objective.burn_permille.get(1).copied().flatten().is_some_and(|rate| rate > 1000);
        let whole = t.for_millis(&budget);
        let (sentence, tone) = if used > budget {
            (t.budget_gone(&whole, &t.for_millis(&used.saturating_sub(budget))), "bad")
        } else {
            (t.budget_left(&t.for_millis(&budget.saturating_sub(used)), &whole), if fast { "now" } else { "good" })
        };
        Self { used_permille: u64::try_from(permille.min(1000)).unwrap_or(1000), sentence, tone, fast, objective }
    }

    fn burns(&self, t: T) -> [(&'static str, Option<u64>); 3] {
        let [hour, six, three] = self.objective.burn_permille;
        [(t.burn_hour(), hour), (t.burn_six(), six), (t.burn_three(), three)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_of_ones_own_is_kept_within_what_there_is_and_nonsense_asks_for_the_last_day() {
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let of = |query: &str| {
            let (word, from, to) = asked(&Form::read(query.as_bytes()), now);
            (word, from.to_string(), to.to_string())
        };
        let day = |word| (word, "2026-11-20T09:00:00Z".to_owned(), "2026-11-21T09:00:00Z".to_owned());
        assert_eq!(of(""), day(Some("day")));
        assert_eq!(of("period=ages&from=x"), day(Some("day")));
        assert_eq!(of("from=2027-01-01").1, "2026-11-21T00:00:00Z", "what is to come was not measured");
        assert_eq!(of("period=week").0, Some("week"));
        let own = of("from=2026-10-01&to=2026-10-31");
        assert_eq!(own, (None, "2026-10-01T00:00:00Z".into(), "2026-11-01T00:00:00Z".into()));
        assert_eq!(of("from=2026-10-31&to=2026-10-01"), own, "in either order");
        assert_eq!(of("from=2026-11-21").2, "2026-11-21T09:00:00Z", "no further than now");
        assert_eq!(of("from=0001-01-01").1, "2023-11-17T09:00:00Z", "no more than the monitor computes");
    }
}
