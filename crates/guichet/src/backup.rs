//! `[backup]` of the settings: whether the last backup is young enough. Makes none itself, and knows nothing of how they are
//! made: whatever makes one touches a file when it is done.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use chassis::{Measure, Truth};
use contracts::monitor::Span;
use serde::{Deserialize, Serialize};
use vocabulary::{Clock, Timestamp};

/// As it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The file that is touched when a backup is done.
    mark: PathBuf,
    /// How old the last one may be.
    within: Span,
}

impl Backup {
    /// Whether the last one is young enough, and how old it is where there is one.
    pub(crate) fn look(&self, clock: &Clock) -> (Truth, Option<Measure>) {
        let age = self.age(clock);
        if age.is_none() {
            tracing::warn!(mark = %self.mark.display(), "no backup is known: the file that says when it was made cannot be seen");
        }
        let young = age.is_some_and(|age| age <= self.within.duration());
        let help = "How long ago the last backup was made";
        let measure = age.map(|age| Measure::new("backup_age_seconds", help, age.as_secs_f64()));
        (Truth::new("the last backup is young enough", young), measure)
    }

    fn age(&self, clock: &Clock) -> Option<Duration> {
        let touched = std::fs::metadata(&self.mark).ok()?.modified().ok()?;
        let touched = touched.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(clock.now().since(Timestamp::from_micros(i64::try_from(touched.as_micros()).ok()?)))
    }

    /// As a configuration file has it.
    pub(crate) fn written(&self) -> String {
        let mut text = String::from("\n[backup]\n");
        let _ = writeln!(text, "mark = {:?}\nwithin = \"{}\"", self.mark.display().to_string(), self.within);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_young_until_it_is_older_than_it_may_be() {
        let home = tempfile::tempdir().unwrap();
        let mark = home.path().join("done");
        let text = format!("mark = {:?}\nwithin = \"26h\"", mark.display().to_string());
        let backup: Backup = toml::from_str(&text).unwrap();
        let clock = Clock::manual(Clock::system().now());
        let holds = || backup.look(&clock).0.holds;
        assert!(!holds(), "nobody ever made one");
        std::fs::write(&mark, "").unwrap();
        assert!(holds());
        clock.advance(Duration::from_hours(25));
        assert!(holds());
        clock.advance(Duration::from_hours(2));
        assert!(!holds());
        assert!(backup.look(&clock).1.unwrap().value > 26.0 * 3600.0);
        assert_eq!(toml::from_str::<toml::Table>(&backup.written()).unwrap()["backup"]["within"].as_str(), Some("26h"));
    }
}
