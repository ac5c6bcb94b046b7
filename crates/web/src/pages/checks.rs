//! The checks, for superusers: the list, a form for those that are written down here, a try without keeping anything.

use std::str::FromStr;
use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use contracts::monitor::{
    Check, CheckKind, CheckName, CheckSpec, ListChecks, Origin, RemoveCheck, SetCheck, Span, Tried, TryCheck,
};
use http::StatusCode;

use super::entry::error_title;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

/// Most conditions of a kind, and most checks that one depends on.
const MOST_CONDITIONS: usize = 20;
const MOST_PARENTS: usize = 10;
/// What a name server is asked for.
pub(crate) const RECORDS: [&str; 6] = ["A", "AAAA", "CNAME", "MX", "NS", "TXT"];

#[derive(Template)]
#[template(path = "monitor.html")]
pub(crate) struct MonitorPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) checks: Vec<Check>,
}

#[derive(Template)]
#[template(path = "check_form.html")]
pub(crate) struct CheckForm {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    /// Which one is changed; nothing for a new one.
    pub(crate) name: Option<CheckName>,
    pub(crate) action: String,
    pub(crate) tried: Option<Tried>,
    pub(crate) kinds: [CheckKind; 7],
    pub(crate) records: [&'static str; 6],
}

#[derive(Template)]
#[template(path = "check_remove.html")]
pub(crate) struct RemovePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) name: CheckName,
}

pub(crate) async fn list(visit: Arc<Visit>) -> Outcome {
    let checks = visit.call(ListChecks {}).await?;
    let f = visit.frame(Place::Monitor, visit.t.checks_title()).await;
    page(&MonitorPage { f, t: visit.t, checks })
}

pub(crate) async fn new(visit: Arc<Visit>) -> Outcome {
    show(&visit, None, Entries::default(), None).await
}

pub(crate) async fn do_new(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let name: Option<CheckName> = visit.form.filter("name");
    if name.is_none() {
        let missing = visit.form.get("name").is_empty();
        e.add("name", if missing { t.field_missing() } else { t.check_name_form() });
    }
    let spec = read(t, &mut e);
    if visit.form.get("do") == "try" {
        // What is tried needs no name yet.
        e.errors.retain(|error| error.field != "name");
        return attempt(&visit, None, e, spec).await;
    }
    if let Some(name) = &name
        && visit.call(ListChecks {}).await?.iter().any(|check| check.name == *name)
    {
        e.add("name", t.check_name_taken());
    }
    keep(&visit, name, None, e, spec).await
}

pub(crate) async fn edit(visit: Arc<Visit>) -> Outcome {
    let check = ours(&visit).await?;
    show(&visit, Some(check.name), typed(&check.spec), None).await
}

pub(crate) async fn do_edit(visit: Arc<Visit>) -> Outcome {
    let check = ours(&visit).await?;
    let mut e = Entries::of(&visit.form);
    let spec = read(visit.t, &mut e);
    if visit.form.get("do") == "try" {
        return attempt(&visit, Some(check.name), e, spec).await;
    }
    keep(&visit, Some(check.name.clone()), Some(check.name), e, spec).await
}

pub(crate) async fn remove(visit: Arc<Visit>) -> Outcome {
    let name = ours(&visit).await?.name;
    let f = visit.frame(Place::Monitor, visit.t.check_remove_title()).await;
    page(&RemovePage { f, t: visit.t, name })
}

pub(crate) async fn do_remove(visit: Arc<Visit>) -> Outcome {
    visit.call(RemoveCheck { name: visit.param("name")? }).await?;
    Ok(see_other("/monitor?done=check-removed"))
}

/// The check of the address, if it was written down here: the others are changed elsewhere.
async fn ours(visit: &Visit) -> Result<Check, Problem> {
    let name: CheckName = visit.param("name")?;
    let found = visit.call(ListChecks {}).await?;
    let ours = found.into_iter().find(|check| check.name == name && check.origin == Origin::Api);
    ours.ok_or_else(Problem::not_found)
}

async fn show(visit: &Visit, name: Option<CheckName>, mut e: Entries, tried: Option<Tried>) -> Outcome {
    let t = visit.t;
    for (field, usual) in
        [("kind", "http"), ("every", "1m"), ("timeout", "10s"), ("alarm_after", "3"), ("well_after", "2")]
    {
        e.suggest(field, usual);
    }
    let title = if name.is_some() { t.check_change() } else { t.check_add() };
    let title = if e.failed() { error_title(visit, title) } else { title.to_owned() };
    let f = visit.frame(Place::Monitor, title).await;
    page_as(e.status(), &CheckForm::of(f, e, name, tried))
}

impl CheckForm {
    pub(crate) fn of(f: Frame, e: Entries, name: Option<CheckName>, tried: Option<Tried>) -> Self {
        let action =
            name.as_ref().map_or_else(|| "/monitor/checks/new".to_owned(), |name| format!("/monitor/checks/{name}"));
        Self { t: f.t, e, action, name, tried, kinds: CheckKind::CONFIGURABLE, records: RECORDS, f }
    }
}

/// Makes the check once and shows what it said; nothing is kept.
async fn attempt(visit: &Visit, name: Option<CheckName>, mut e: Entries, spec: Option<CheckSpec>) -> Outcome {
    let mut tried = None;
    if let (Some(spec), false) = (spec, e.failed()) {
        match visit.call(TryCheck { spec }).await {
            Ok(said) => tried = Some(said),
            Err(problem) => refuse(visit.t, &mut e, problem)?,
        }
    }
    show(visit, name, e, tried).await
}

async fn keep(
    visit: &Visit,
    name: Option<CheckName>,
    changed: Option<CheckName>,
    mut e: Entries,
    spec: Option<CheckSpec>,
) -> Outcome {
    if let (Some(name), Some(spec), false) = (name, spec, e.failed()) {
        match visit.call(SetCheck { name, spec }).await {
            Ok(_) => return Ok(see_other("/monitor?done=check-kept")),
            Err(problem) => refuse(visit.t, &mut e, problem)?,
        }
    }
    show(visit, changed, e, None).await
}

/// Shows what the service found wrong at its fields, in its own words where these pages have none: they tell which
/// condition, and what there is instead.
fn refuse(t: T, e: &mut Entries, problem: Problem) -> Result<(), Problem> {
    if problem.status() != StatusCode::BAD_REQUEST || problem.faults().is_empty() {
        return e.refuse(t, problem, &[]);
    }
    for fault in problem.faults() {
        let field = fault.field.strip_prefix("spec.").unwrap_or(&fault.field);
        let field = field.split(['.', '[']).next().unwrap_or_default();
        e.add(field, t.check_fault(&fault.detail));
    }
    Ok(())
}

/// A check as the form shows it.
pub(crate) fn typed(spec: &CheckSpec) -> Entries {
    let mut e = Entries::default();
    let yes = |so: bool| if so { "yes" } else { "" };
    let words = |text: &Option<String>| text.clone().unwrap_or_default();
    let parents: Vec<_> = spec.parents.iter().map(CheckName::as_str).collect();
    for (field, value) in [
        ("title", spec.title.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("group", spec.group.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("kind", spec.kind.name().to_owned()),
        ("target", spec.target.clone()),
        ("must", spec.must.join("\n")),
        ("should", spec.should.join("\n")),
        ("every", spec.every.to_string()),
        ("timeout", spec.timeout.to_string()),
        ("alarm_after", spec.alarm_after.to_string()),
        ("well_after", spec.well_after.to_string()),
        ("parents", parents.join("\n")),
        ("public", yes(spec.public).to_owned()),
        ("private", yes(spec.private).to_owned()),
        ("objective", spec.objective.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("server", words(&spec.server)),
        ("record", words(&spec.record)),
    ] {
        e.suggest(field, value);
    }
    e
}

/// What was typed, as a check; what is wrong with it is noted at the fields. Whether it makes sense, the service says.
fn read(t: T, e: &mut Entries) -> Option<CheckSpec> {
    let before = e.errors.len();
    let kind = CheckKind::from_name(e.value("kind"));
    if kind.is_none() {
        e.add("kind", t.choose_one());
    }
    if e.value("target").is_empty() {
        e.add("target", t.field_missing());
    }
    let (title, group) = (maybe(t, e, "title"), maybe(t, e, "group"));
    let (every, timeout) = (span(t, e, "every"), span(t, e, "timeout"));
    let (alarm_after, well_after) = (number(t, e, "alarm_after"), number(t, e, "well_after"));
    let (must, should) = (conditions(t, e, "must"), conditions(t, e, "should"));
    let parents = names(t, e, "parents", MOST_PARENTS);
    let objective = maybe(t, e, "objective");
    let text = |name: &str| Some(e.value(name).to_owned()).filter(|text| !text.is_empty());
    if e.errors.len() > before {
        return None;
    }
    Some(CheckSpec {
        title,
        group,
        kind: kind?,
        target: e.value("target").to_owned(),
        must,
        should,
        every: every?,
        timeout: timeout?,
        alarm_after: alarm_after?,
        well_after: well_after?,
        parents,
        public: e.chosen("public", "yes"),
        private: e.chosen("private", "yes"),
        objective,
        server: text("server"),
        record: text("record"),
        ca_file: None,
        certificate_file: None,
        key_file: None,
        token_file: None,
    })
}

/// A field that may be empty; what is wrong with it is noted.
pub(super) fn maybe<V>(t: T, e: &mut Entries, name: &str) -> Option<V>
where
    V: FromStr,
    V::Err: crate::problems::Said,
{
    if e.value(name).is_empty() { None } else { e.take(t, name) }
}

fn span(t: T, e: &mut Entries, name: &str) -> Option<Span> {
    let span = e.value(name).parse().ok();
    if span.is_none() {
        e.add(name, if e.value(name).is_empty() { t.field_missing() } else { t.span_form() });
    }
    span
}

fn number(t: T, e: &mut Entries, name: &str) -> Option<u32> {
    let number = e.value(name).parse().ok().filter(|number| (1..=10).contains(number));
    if number.is_none() {
        e.add(name, t.number_1_to_10());
    }
    number
}

/// The lines of a field that hold something.
pub(super) fn lines(e: &Entries, name: &str) -> Vec<String> {
    e.value(name).lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

fn conditions(t: T, e: &mut Entries, name: &str) -> Vec<String> {
    let found = lines(e, name);
    if found.len() > MOST_CONDITIONS {
        e.add(name, t.too_many_lines(MOST_CONDITIONS));
    }
    found
}

/// The lines of a field as names of checks; what is none is noted.
pub(super) fn names(t: T, e: &mut Entries, field: &str, most: usize) -> Vec<CheckName> {
    let lines = lines(e, field);
    let names: Vec<CheckName> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    if lines.len() > most {
        e.add(field, t.too_many_lines(most));
    } else if let Some(wrong) = lines.iter().find(|line| line.parse::<CheckName>().is_err()) {
        e.add(field, t.unknown_check(wrong));
    }
    names
}
