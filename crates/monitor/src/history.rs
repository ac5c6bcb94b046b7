//! How a check did over any span of time, out of what is kept: days, hours, and single results. Pure.
//!
//! Promises: every result counts once, whichever of the three it is read from, so that a span gives the same numbers before
//! and after its results were put together; a result speaks for the time before it and no other; maintenance and what is not
//! known count neither way. Must not know where anything is kept.
//!
//! All moments are whole milliseconds since 1970, so that nothing is lost in rounding.

use std::collections::BTreeMap;

use contracts::monitor::{History, Objective, Point, Spent, State};
use vocabulary::Timestamp;

use crate::latencies::{Latencies, Unreadable};
use crate::recorder::Sample;

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Single results are kept for so long, hours for about a year, days for ever.
pub(crate) const SAMPLES_KEPT: i64 = 30 * DAY;
pub(crate) const HOURS_KEPT: i64 = 366 * DAY;

/// How long a piece may be, and how many of these are told at most: short ones are read from results or hours, of which there
/// are more.
const STEPS: [(i64, i64); 8] = [
    (MINUTE, 400),
    (5 * MINUTE, 400),
    (15 * MINUTE, 400),
    (HOUR, 200),
    (6 * HOUR, 200),
    (DAY, 400),
    (7 * DAY, 400),
    (30 * DAY, 400),
];
/// Above so many results, hours are read instead of them.
const MOST_SAMPLES: i64 = 20_000;
/// Fewer results say nothing about how fast a budget is used.
const FEWEST: u64 = 10;
/// An objective is about so many days.
const OBJECTIVE_DAYS: u32 = 30;

/// In milliseconds since 1970.
pub(crate) const fn millis(at: Timestamp) -> i64 {
    at.micros().div_euclid(1000)
}

pub(crate) const fn moment(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis.saturating_mul(1000))
}

/// The first moment of the span of this length in which `at` lies.
pub(crate) fn floor(at: i64, length: i64) -> i64 {
    at.saturating_sub(at.checked_rem_euclid(length).unwrap_or(0))
}

fn ceiling(at: i64, length: i64) -> i64 {
    let floor = floor(at, length);
    if floor == at { at } else { floor.saturating_add(length) }
}

/// From one moment up to another, which is not in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Window {
    pub(crate) const fn new(from: i64, to: i64) -> Self {
        Self { from, to }
    }

    fn some(from: i64, to: i64) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    pub(crate) const fn length(self) -> i64 {
        self.to.saturating_sub(self.from)
    }

    const fn holds(self, at: i64) -> bool {
        self.from <= at && at < self.to
    }

    fn within(self, other: Self) -> Option<Self> {
        Self::some(self.from.max(other.from), self.to.min(other.to))
    }

    /// Cut at the multiples of `length`: where each such span begins, and what of this lies in it.
    fn cut(self, length: i64) -> impl Iterator<Item = (i64, Self)> {
        let mut from = self.from;
        std::iter::from_fn(move || {
            let start = floor(from, length);
            let piece = Self::some(from, self.to.min(start.saturating_add(length)))?;
            from = piece.to;
            Some((start, piece))
        })
    }
}

/// What came of a span.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) spent: Spent,
    pub(crate) good: u64,
    pub(crate) counted: u64,
    pub(crate) latencies: Latencies,
}

impl Tally {
    fn spend(&mut self, state: State, millis: i64) {
        let place = match state {
            State::Up => &mut self.spent.up,
            State::Degraded => &mut self.spent.degraded,
            State::Down => &mut self.spent.down,
            State::Maintenance => &mut self.spent.maintenance,
            State::Unknown => return,
        };
        *place = place.saturating_add(u64::try_from(millis).unwrap_or(0));
    }

    fn count(&mut self, sample: &Sample) {
        let good = matches!(sample.state, State::Up | State::Degraded);
        if good || sample.state == State::Down {
            self.good = self.good.saturating_add(good.into());
            self.counted = self.counted.saturating_add(1);
            if let Some(latency) = sample.latency {
                self.latencies.note(latency);
            }
        }
    }

    fn add(&mut self, other: &Self) -> Result<(), Unreadable> {
        self.spent = sum(self.spent, other.spent);
        self.good = self.good.saturating_add(other.good);
        self.counted = self.counted.saturating_add(other.counted);
        self.latencies.add(&other.latencies)
    }
}

pub(crate) const fn sum(one: Spent, other: Spent) -> Spent {
    Spent {
        up: one.up.saturating_add(other.up),
        degraded: one.degraded.saturating_add(other.degraded),
        down: one.down.saturating_add(other.down),
        maintenance: one.maintenance.saturating_add(other.maintenance),
    }
}

/// The time for which it speaks.
fn spoken_for(sample: &Sample) -> Window {
    let (at, covers) = (millis(sample.at), i64::try_from(sample.covers.as_millis()).unwrap_or(i64::MAX));
    Window::new(at.saturating_sub(covers), at)
}

/// What results of one check add to its hours and days, by length and start: the time to each that it lies in, the result
/// itself to the one in which it came.
#[derive(Default, Debug)]
pub(crate) struct Spans(pub(crate) BTreeMap<(i64, i64), Tally>);

impl Spans {
    pub(crate) fn add(&mut self, sample: &Sample) {
        let at = millis(sample.at);
        for length in [HOUR, DAY] {
            self.0.entry((length, floor(at, length))).or_default().count(sample);
            for (start, piece) in spoken_for(sample).cut(length) {
                self.0.entry((length, start)).or_default().spend(sample.state, piece.length());
            }
        }
    }
}

/// An hour or a day, as it was put together.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) start: i64,
    pub(crate) tally: Tally,
}

/// Single results that are to be read: those from one moment up to another and the first one after, if it came before `below`;
/// and which time of theirs is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Single {
    pub(crate) of: Window,
    pub(crate) came: Window,
    pub(crate) below: Option<i64>,
}

/// What is to be read for a span of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) window: Window,
    pub(crate) days: Option<Window>,
    pub(crate) hours: Vec<Window>,
    pub(crate) single: Vec<Single>,
}

/// What bounds a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) now: i64,
    /// Up to when results were put together: what came later stands in no hour yet.
    pub(crate) put_together: i64,
}

impl Bounds {
    const fn samples(self) -> i64 {
        let kept = self.now.saturating_sub(SAMPLES_KEPT);
        kept.saturating_sub(kept.rem_euclid(HOUR)).saturating_add(HOUR)
    }

    const fn hours(self) -> i64 {
        let kept = self.now.saturating_sub(HOURS_KEPT);
        kept.saturating_sub(kept.rem_euclid(DAY)).saturating_add(DAY)
    }
}

/// How long the pieces of a window are: round, and few enough. `every` is the time between two results.
pub(crate) fn step(window: Window, every: i64, bounds: Bounds) -> i64 {
    let least = if window.from < bounds.hours() {
        DAY
    } else if window.from < bounds.samples() || window.length().checked_div(every.max(1)) > Some(MOST_SAMPLES) {
        HOUR
    } else {
        MINUTE
    };
    let fits = |(step, most): &&(i64, i64)| {
        let length = ceiling(window.to, *step).saturating_sub(floor(window.from, *step));
        *step >= least && length.checked_div(*step).is_some_and(|pieces| pieces <= *most)
    };
    STEPS.iter().find(fits).map_or(30 * DAY, |(step, _)| *step)
}

impl Plan {
    /// For `window`, in pieces of `step`. What is no longer known in such detail widens it to the hour or the day.
    pub(crate) fn new(window: Window, step: i64, bounds: Bounds) -> Self {
        let of = |window, single| Self { window, days: None, hours: Vec::new(), single };
        if step < HOUR {
            return of(window, vec![Single { of: window, came: window, below: None }]);
        }
        let put = bounds.put_together;
        let widened = |length: i64, kept: i64, Window { from, to }: Window| {
            let from = if from < kept { floor(from, length) } else { from };
            Window::new(from, if to < kept { ceiling(to, length) } else { to })
        };
        let window = widened(DAY, bounds.hours(), widened(HOUR, bounds.samples(), window));
        let mut plan = of(window, Vec::new());
        if let Some(old) = window.within(Window::new(i64::MIN, put)) {
            plan.read_put(old, step, put);
        }
        let came = Window::new(window.from.max(put), window.to.max(put));
        plan.single.push(Single { of: window, came, below: None });
        plan
    }

    /// What was put together, and the results at the edges: of these, only what stands in the hours too.
    fn read_put(&mut self, old: Window, step: i64, put: i64) {
        let mut edge = |piece: Option<Window>| {
            self.single.extend(piece.map(|piece| Single { of: piece, came: piece, below: Some(put) }));
        };
        let (first, last) = (ceiling(old.from, HOUR), floor(old.to, HOUR));
        if first > last {
            return edge(Some(old));
        }
        edge(Window::some(old.from, first));
        edge(Window::some(last, old.to));
        let (first_day, last_day) = (ceiling(first, DAY), floor(last, DAY));
        if step >= DAY && first_day < last_day {
            self.days = Some(Window::new(first_day, last_day));
            self.hours.extend([Window::some(first, first_day), Window::some(last_day, last)].into_iter().flatten());
        } else {
            self.hours.extend(Window::some(first, last));
        }
    }
}

/// What was read for a plan, gathered by pieces of the step.
#[derive(Debug)]
pub(crate) struct Gathered {
    window: Window,
    step: i64,
    pieces: BTreeMap<i64, Tally>,
}

impl Gathered {
    pub(crate) fn new(window: Window, step: i64) -> Self {
        Self { window, step, pieces: BTreeMap::new() }
    }

    pub(crate) fn add_put(&mut self, put: &Put) -> Result<(), Unreadable> {
        self.pieces.entry(floor(put.start, self.step)).or_default().add(&put.tally)
    }

    pub(crate) fn add_single(&mut self, single: &Single, sample: &Sample) {
        let at = millis(sample.at);
        if single.of.holds(at) {
            self.pieces.entry(floor(at, self.step)).or_default().count(sample);
        }
        if let Some(piece) = spoken_for(sample).within(single.of) {
            for (start, piece) in piece.cut(self.step) {
                self.pieces.entry(start).or_default().spend(sample.state, piece.length());
            }
        }
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Result<Tally, Unreadable> {
        let mut whole = Tally::default();
        for piece in self.pieces.values() {
            whole.add(piece)?;
        }
        Ok(whole)
    }

    /// Piece by piece, those of which nothing is known too.
    pub(crate) fn points(&self) -> Vec<Point> {
        let known = |start: &i64| self.pieces.get(start);
        let cut = self.window.cut(self.step).map(|(start, _)| Point {
            from: moment(start),
            spent: known(&start).map(|piece| piece.spent).unwrap_or_default(),
            latency: known(&start).and_then(|piece| piece.latencies.told()),
        });
        cut.collect()
    }

    /// Puts it into a history.
    pub(crate) fn fill(&self, history: &mut History) -> Result<(), Unreadable> {
        let whole = self.whole()?;
        history.from = moment(self.window.from);
        history.to = moment(self.window.to);
        history.spent = whole.spent;
        history.uptime_ppm = whole.spent.uptime_ppm();
        (history.good, history.counted) = (whole.good, whole.counted);
        history.latency = whole.latencies.told();
        history.points = self.points();
        history.step_millis = u64::try_from(self.step).unwrap_or(0);
        Ok(())
    }
}

/// What a check is to keep: a share of time in per cent, such as `99.9`, in millionths; nothing for what is no such share.
pub(crate) fn target_ppm(percent: &str) -> Option<u32> {
    let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = |text: &str| text.len() <= 4 && text.bytes().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let part: u32 = format!("{part:0<4}").parse().ok()?;
    let ppm = whole.parse::<u32>().ok()?.checked_mul(10_000)?.checked_add(part)?;
    (ppm <= 1_000_000).then_some(ppm)
}

/// The spans over which it is told how fast a budget is used, and the one of the objective itself, the longest.
pub(crate) const BURN: [i64; 3] = [HOUR, 6 * HOUR, 3 * DAY];
pub(crate) const OBJECTIVE: i64 = 30 * DAY;

/// How far a check is from what it is to keep: from what came of the objective's span, and of those of [`BURN`].
pub(crate) fn objective(target_ppm: u32, whole: &Tally, burnt: &[Tally; 3]) -> Objective {
    let allowed = u64::from(1_000_000_u32.saturating_sub(target_ppm));
    let share = |millis: u64| u64::try_from(u128::from(millis).saturating_mul(allowed.into()) / 1_000_000).unwrap_or(0);
    let burn = |tally: &Tally| {
        let Spent { up, degraded, down, .. } = tally.spent;
        let counts = u128::from(up).saturating_add(degraded.into()).saturating_add(down.into());
        let budget = counts.saturating_mul(allowed.into());
        let used = u128::from(down).saturating_mul(1_000_000).saturating_mul(1000);
        let permille = used.checked_div(budget).filter(|_| tally.counted >= FEWEST)?;
        u64::try_from(permille).ok()
    };
    Objective {
        target_ppm,
        days: OBJECTIVE_DAYS,
        budget_millis: share(u64::try_from(OBJECTIVE).unwrap_or(0)),
        used_millis: whole.spent.down,
        burn_permille: burnt.each_ref().map(burn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_time_are_read_as_they_are_written() {
        for (written, ppm) in [("99.9", 999_000), ("99.999", 999_990), ("50", 500_000), ("100", 1_000_000)] {
            assert_eq!(target_ppm(written), Some(ppm), "{written}");
        }
        for wrong in ["", ".", ".5", "101", "99,9", "-1", "99.99999", "9e9", "+9"] {
            assert_eq!(target_ppm(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_budget_is_a_share_of_thirty_days_and_is_used_as_fast_as_it_is_down() {
        let tally = |down: i64, counted| {
            let mut tally = Tally { counted, ..Tally::default() };
            tally.spend(State::Down, down);
            tally.spend(State::Up, HOUR - down);
            tally.spend(State::Maintenance, DAY);
            tally
        };
        let burnt = [tally(3600, 60), tally(36_000, 60), tally(3600, 9)];
        let objective = objective(999_000, &tally(MINUTE, 60), &burnt);
        assert_eq!((objective.budget_millis, objective.used_millis), (2_592_000, 60_000));
        assert_eq!(objective.burn_permille, [Some(1000), Some(10_000), None]);
    }

    #[test]
    fn pieces_are_round_and_few() {
        let now = 20_000 * DAY + 7 * HOUR + 13 * MINUTE + 7;
        let bounds = Bounds { now, put_together: floor(now, HOUR) };
        let of = |length: i64, every: i64| step(Window::new(now - length, now), every, bounds);
        assert_eq!((of(HOUR, MINUTE), of(DAY, MINUTE), of(3 * DAY, MINUTE)), (MINUTE, 5 * MINUTE, 15 * MINUTE));
        assert_eq!((of(7 * DAY, MINUTE), of(20 * DAY, MINUTE), of(90 * DAY, MINUTE)), (HOUR, 6 * HOUR, DAY));
        assert_eq!((of(365 * DAY, MINUTE), of(3650 * DAY, MINUTE)), (DAY, 30 * DAY));
        assert_eq!(of(DAY, 1000), HOUR, "so many results are not read one by one");
        for length in [1, MINUTE, HOUR, DAY, 40 * DAY, 399 * DAY, 3650 * DAY] {
            for shift in [0, 1, HOUR, 31 * DAY, 400 * DAY] {
                let window = Window::new(now - shift - length, now - shift);
                let pieces = window.cut(step(window, MINUTE, bounds)).count();
                assert!((1..=400).contains(&pieces), "{length} {shift}: {pieces}");
            }
        }
    }

    #[test]
    fn what_is_no_longer_known_in_detail_widens_a_span() {
        let now = 20_000 * DAY + 7 * HOUR;
        let bounds = Bounds { now, put_together: now };
        let window = |from, to| Plan::new(Window::new(from, to), DAY, bounds).window;
        let recent = Window::new(now - 2 * DAY - 5, now - 7);
        assert_eq!(window(recent.from, recent.to), recent);
        let from = now - 40 * DAY - 5;
        assert_eq!(window(from, now), Window::new(now - 40 * DAY - HOUR, now));
        let from = now - 400 * DAY - 5;
        assert_eq!(window(from, from + 5 * DAY + 1), Window::new(20_000 * DAY - 400 * DAY, 19_606 * DAY));
    }
}
