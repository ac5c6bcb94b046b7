//! What follows from results: how a check stands, and when somebody is to be told. Pure.
//!
//! Promises: a single result alarms nobody unless the check says so; between two alarms there is always a recovery; every
//! alarm gets one when results stay good; a result that says nothing opens and closes nothing. Must not know of time but
//! what it is handed, nor how anybody is told.

use contracts::monitor::{CheckName, State};
use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use crate::outcome::Verdict;

/// Of how many results the changes are counted.
const REMEMBERED: u32 = 20;
/// It flaps from so many changes among them on, in hundredths, and no more below so many (as Nagios has it, for services).
const HIGH: u32 = 30;
const LOW: u32 = 20;

/// What a check is held to: how many results in a row count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) alarm_after: u32,
    pub(crate) well_after: u32,
}

/// How those do without which a check cannot be well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Parent {
    /// As far as anybody knows.
    Well,
    /// Its last result was bad, or has not come since it is in question: soon it is known whether it is down.
    Suspect,
    /// This one is down.
    Down(CheckName),
}

/// What is to be known of a moment.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) maintenance: bool,
    pub(crate) parent: Parent,
}

/// Something that somebody has to be told, or that has to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// It is not well. Somebody is alarmed, unless it stands `behind` another.
    Opened { state: State, since: Timestamp, behind: Option<CheckName> },
    /// The other one is well, and this one is not: now somebody is alarmed.
    Alarmed,
    /// It was degraded, and is down now.
    Worse,
    /// It is well again.
    Recovered,
}

/// What is not over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Trouble {
    /// The gravest so far.
    state: State,
    /// Whose fault it is, while nobody is alarmed.
    behind: Option<CheckName>,
    /// Bad results in a row since that one is well.
    alone: u32,
}

/// How a check stands. Kept as JSON, so that a restart alarms nobody twice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    state: State,
    since: Timestamp,
    trouble: Option<Trouble>,
    flapping: bool,
    /// The last results that said something: a bit for each that was good, the newest lowest.
    results: u32,
    known: u32,
    /// Results in a row: down, not good, degraded at best but not down, good, and those that said nothing.
    #[serde(skip)]
    bad: u32,
    #[serde(skip)]
    not_good: u32,
    #[serde(skip)]
    not_bad: u32,
    #[serde(skip)]
    good: u32,
    #[serde(skip)]
    silent: u32,
    /// When the first of those that were not good came.
    #[serde(skip)]
    first: Option<Timestamp>,
    /// Enough were bad, and it is not known yet whose fault that is.
    #[serde(skip)]
    waits: bool,
}

impl Standing {
    /// Nobody looked yet.
    pub(crate) const fn new(at: Timestamp) -> Self {
        Self {
            state: State::Unknown,
            since: at,
            trouble: None,
            flapping: false,
            results: 0,
            known: 0,
            bad: 0,
            not_good: 0,
            not_bad: 0,
            good: 0,
            silent: 0,
            first: None,
            waits: false,
        }
    }

    /// What is believed, maintenance aside: up, degraded, down or unknown.
    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Since when.
    pub(crate) const fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether it changes so often that nobody is told for now.
    pub(crate) const fn is_flapping(&self) -> bool {
        self.flapping
    }

    /// Whether its last result was not good.
    pub(crate) const fn is_failing(&self) -> bool {
        self.not_good > 0
    }

    /// Whether something is not over.
    pub(crate) const fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Whether a few further results, soon, would tell whether something is wrong, or is over.
    pub(crate) fn is_unsure(&self, rule: Rule) -> bool {
        let released = self.trouble.as_ref().is_some_and(|it| it.behind.is_some() && it.alone > 0);
        let failing = self.not_good > 0 && self.trouble.is_none() && self.not_good <= rule.alarm_after;
        let worse = self.bad > 0
            && self.trouble.as_ref().is_some_and(|it| it.state == State::Degraded)
            && self.bad < rule.alarm_after;
        let well = self.good > 0 && self.state != State::Up && self.good < rule.well_after;
        self.waits || released || failing || worse || well
    }

    /// How it looks to those that depend on it.
    pub(crate) fn as_parent(&self, name: &CheckName) -> Parent {
        match (self.state, self.bad) {
            (State::Down, _) => Parent::Down(name.clone()),
            // Of one that says nothing any more nobody knows, and nobody would ever.
            (_, bad) if bad == 0 || self.silent > 0 => Parent::Well,
            _ => Parent::Suspect,
        }
    }

    /// Takes a result, and gives what follows from it.
    pub(crate) fn take(&mut self, verdict: &Verdict, rule: Rule, moment: &Moment) -> Option<Change> {
        self.count(verdict, moment.at);
        self.waits = false;
        if verdict.state() == State::Unknown {
            if self.silent >= rule.alarm_after && self.trouble.is_none() {
                self.believe(State::Unknown, moment.at);
            }
            return None;
        }
        if self.good >= rule.well_after || (self.good > 0 && self.state == State::Unknown && self.trouble.is_none()) {
            self.believe(State::Up, moment.at);
            // While it flaps, the one alarm stands.
            return if self.flapping { None } else { self.trouble.take().map(|_| Change::Recovered) };
        }
        let state = if self.bad >= rule.alarm_after {
            State::Down
        } else if self.not_good >= rule.alarm_after && (self.state != State::Down || self.not_bad >= rule.well_after) {
            State::Degraded
        } else {
            return None;
        };
        self.believe(state, if self.state == State::Unknown { self.first.unwrap_or(moment.at) } else { moment.at });
        self.follow(state, rule, moment)
    }

    fn follow(&mut self, state: State, rule: Rule, moment: &Moment) -> Option<Change> {
        if moment.maintenance {
            return None;
        }
        let Some(trouble) = &mut self.trouble else {
            let behind = match &moment.parent {
                Parent::Well => None,
                // The next result comes soon, and then it is known whose fault it is.
                Parent::Suspect => {
                    self.waits = true;
                    return None;
                }
                Parent::Down(name) => Some(name.clone()),
            };
            let since = self.first.unwrap_or(moment.at);
            self.trouble = Some(Trouble { state, behind: behind.clone(), alone: 0 });
            return Some(Change::Opened { state, since, behind });
        };
        let worse = trouble.state == State::Degraded && state == State::Down;
        if worse {
            trouble.state = State::Down;
        }
        if trouble.behind.is_some() {
            // Results from before the other one came back say nothing: it has to fail alone for as long as any.
            match moment.parent {
                Parent::Well => trouble.alone = trouble.alone.saturating_add(1),
                Parent::Suspect => {}
                Parent::Down(_) => trouble.alone = 0,
            }
            if trouble.alone >= rule.alarm_after {
                (trouble.behind, trouble.alone) = (None, 0);
                return Some(Change::Alarmed);
            }
        }
        worse.then_some(Change::Worse)
    }

    fn believe(&mut self, state: State, at: Timestamp) {
        if self.state != state {
            (self.state, self.since) = (state, at);
        }
    }

    fn count(&mut self, verdict: &Verdict, at: Timestamp) {
        let next = |count: u32, counts: bool| if counts { count.saturating_add(1) } else { 0 };
        let state = verdict.state();
        if state == State::Unknown {
            self.silent = self.silent.saturating_add(1);
            return;
        }
        let good = state == State::Up;
        self.silent = 0;
        self.good = next(self.good, good);
        self.bad = next(self.bad, state == State::Down);
        self.not_bad = next(self.not_bad, state != State::Down);
        self.not_good = next(self.not_good, !good);
        self.first = if good { None } else { self.first.or(Some(at)) };
        self.results = self.results.wrapping_shl(1) | u32::from(good);
        self.known = self.known.saturating_add(1).min(REMEMBERED.saturating_add(1));
        self.flapping = self.flaps();
    }

    fn flaps(&self) -> bool {
        let pairs = self.known.saturating_sub(1).min(REMEMBERED);
        let window = 1_u32.checked_shl(pairs).unwrap_or(0).wrapping_sub(1);
        let changes = ((self.results ^ self.results.wrapping_shr(1)) & window).count_ones();
        let share = changes.saturating_mul(100).checked_div(REMEMBERED).unwrap_or(0);
        share >= if self.flapping { LOW } else { HIGH }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vocabulary::Chance;

    use super::*;

    const RULE: Rule = Rule { alarm_after: 3, well_after: 2 };

    /// A check whose results are written as letters: `g`ood, `p`oor, `b`ad, `?`; capitals are in maintenance.
    struct Run {
        standing: Standing,
        rule: Rule,
        parent: Parent,
        at: Timestamp,
    }

    fn started() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    impl Run {
        fn new(rule: Rule) -> Self {
            Self { standing: Standing::new(started()), rule, parent: Parent::Well, at: started() }
        }

        fn take(&mut self, letter: char) -> Option<Change> {
            self.at = self.at.plus(Duration::from_secs(10));
            let words = || "why".to_owned();
            let verdict = match letter.to_ascii_lowercase() {
                'g' => Verdict::Good,
                'p' => Verdict::Poor(words()),
                'b' => Verdict::Bad(words()),
                _ => Verdict::Unknown(words()),
            };
            let moment = Moment { at: self.at, maintenance: letter.is_ascii_uppercase(), parent: self.parent.clone() };
            self.standing.take(&verdict, self.rule, &moment)
        }

        /// What follows, a letter for each result: `.` nothing, `!` alarm, `~` degraded, `s`ilent, `a`larmed late, `w`orse,
        /// `r`ecovered.
        fn follow(&mut self, letters: &str) -> String {
            let letter = |change| match change {
                None => '.',
                Some(Change::Opened { behind: Some(_), .. }) => 's',
                Some(Change::Opened { state: State::Degraded, .. }) => '~',
                Some(Change::Opened { .. }) => '!',
                Some(Change::Alarmed) => 'a',
                Some(Change::Worse) => 'w',
                Some(Change::Recovered) => 'r',
            };
            letters.chars().map(|it| letter(self.take(it))).collect()
        }
    }

    fn follows(letters: &str) -> String {
        Run::new(RULE).follow(letters)
    }

    #[test]
    fn an_alarm_takes_some_results_in_a_row_and_so_does_its_end() {
        assert_eq!(follows("gbbgbbbbgg"), "......!..r");
        assert_eq!(follows("bbb"), "..!", "from the start too");
        assert_eq!(follows("gppppgg"), "...~..r");
        assert_eq!(follows("gpppbbb"), "...~..w");
        assert_eq!(follows("gpbppg"), "...~..", "degraded and down in turn are degraded");
        assert_eq!(follows("gbb??b??gg"), ".....!...r", "what says nothing neither opens nor closes");
    }

    #[test]
    fn what_is_shown_is_what_was_confirmed() {
        let mut run = Run::new(RULE);
        assert_eq!(run.standing.state(), State::Unknown);
        let mut shown = |letters: &str| {
            run.follow(letters);
            run.standing.state()
        };
        assert_eq!(shown("g"), State::Up);
        assert_eq!(shown("bb"), State::Up);
        assert_eq!(shown("b"), State::Down);
        assert_eq!(shown("p"), State::Down);
        assert_eq!(shown("p"), State::Degraded);
        assert_eq!(shown("???"), State::Degraded, "an alarm that nobody can look after stands");
        assert_eq!(shown("gg"), State::Up);
        assert_eq!(shown("??"), State::Up);
        assert_eq!(shown("?"), State::Unknown);
        assert_eq!(shown("g"), State::Up);
    }

    #[test]
    fn since_is_when_the_first_result_said_so() {
        let mut run = Run::new(RULE);
        run.follow("gggbb");
        let Some(Change::Opened { since, .. }) = run.take('b') else { panic!("no alarm") };
        assert_eq!(since, started().plus(Duration::from_secs(40)));
    }

    #[test]
    fn maintenance_opens_nothing_and_what_is_bad_when_it_ends_alarms_then() {
        assert_eq!(follows("gBBBBBbg"), "......!.");
        assert_eq!(follows("gBBBBBGgg"), ".........");
        assert_eq!(follows("gbbbGG"), "...!.r", "closing is not kept back");
        assert_eq!(follows("gpppBBBb"), "...~...w");
    }

    #[test]
    fn who_stands_behind_a_parent_alarms_nobody_until_it_is_alone() {
        let mut run = Run::new(RULE);
        run.follow("ggg");
        run.parent = Parent::Suspect;
        assert_eq!(run.follow("bbbb"), "....");
        run.parent = Parent::Down("router".parse().unwrap());
        assert_eq!(run.follow("bb"), "s.");
        run.parent = Parent::Well;
        assert_eq!(run.follow("bbb"), "..a", "it fails alone as often as any");
        assert_eq!(run.follow("gg"), ".r");
        run.parent = Parent::Down("router".parse().unwrap());
        assert_eq!(run.follow("bbbb"), "..s.");
        run.parent = Parent::Well;
        assert_eq!(run.follow("bgg"), "..r", "closing is not kept back");
        assert_eq!(run.follow("bbb"), "..!");
        run.parent = Parent::Down("router".parse().unwrap());
        assert_eq!(run.follow("gg"), ".r");
    }

    #[test]
    fn while_a_check_flaps_one_alarm_stands() {
        let mut run = Run::new(Rule { alarm_after: 1, well_after: 1 });
        let told = run.follow(&"bg".repeat(30));
        assert!(run.standing.is_flapping());
        assert!(told.matches('!').count() <= 6, "{told}");
        assert!(!told[20..].contains('!') && !told[20..].contains('r'), "{told}");
        let told = run.follow(&"g".repeat(20));
        assert_eq!(told.matches('r').count(), 1, "{told}");
        assert!(!run.standing.is_flapping());
        // One outage is no flapping.
        let mut run = Run::new(RULE);
        run.follow(&"g".repeat(30));
        assert_eq!(run.follow("bbbbbgg"), "..!...r");
    }

    #[test]
    fn a_restart_alarms_nobody_twice_and_forgets_no_recovery() {
        let mut run = Run::new(RULE);
        assert_eq!(run.follow("gbbb"), "...!");
        run.standing = serde_json::from_str(&serde_json::to_string(&run.standing).unwrap()).unwrap();
        assert_eq!(run.standing.state(), State::Down);
        assert_eq!(run.follow("bbbbbgg"), "......r");
    }

    /// Whatever the results: no two alarms without a recovery between them, and a recovery when results stay good.
    #[test]
    fn alarms_and_recoveries_take_turns_whatever_comes() {
        for seed in 0..2000 {
            let chance = Chance::seeded(seed);
            let below = |bound| u32::try_from(chance.below(bound)).unwrap();
            let mut run = Run::new(Rule { alarm_after: 1 + below(4), well_after: 1 + below(4) });
            let (mut open, mut alarmed) = (false, false);
            let letters = ['g', 'g', 'b', 'b', 'b', 'p', '?', 'G', 'B'];
            for step in 0..300 {
                if step % 20 == 0 {
                    run.parent = match below(4) {
                        0 => Parent::Down("router".parse().unwrap()),
                        1 => Parent::Suspect,
                        _ => Parent::Well,
                    };
                }
                let letter = letters[usize::try_from(below(9)).unwrap()];
                let change = run.take(letter);
                match change {
                    Some(Change::Opened { ref behind, .. }) => {
                        assert!(!open, "seed {seed}: opened twice");
                        (open, alarmed) = (true, behind.is_none());
                    }
                    Some(Change::Alarmed) => {
                        assert!(open && !alarmed, "seed {seed}: alarmed twice");
                        alarmed = true;
                    }
                    Some(Change::Worse) => assert!(open, "seed {seed}"),
                    Some(Change::Recovered) => {
                        assert!(open, "seed {seed}: recovered from nothing");
                        (open, alarmed) = (false, false);
                    }
                    None => {}
                }
                let quiet = letter.is_ascii_uppercase() || letter == '?' || letter == 'g';
                let opens = matches!(change, Some(Change::Opened { .. } | Change::Alarmed | Change::Worse));
                assert!(!(quiet && opens), "seed {seed}: alarmed by {letter}");
                assert_eq!(run.standing.trouble.is_some(), open, "seed {seed}");
            }
            let told = run.follow(&"g".repeat(30));
            assert_eq!(told.matches('r').count(), usize::from(open), "seed {seed}: {told}");
            assert_eq!(run.standing.state(), State::Up, "seed {seed}");
        }
    }
}
