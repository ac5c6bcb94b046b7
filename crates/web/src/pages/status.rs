//! The state of everything that is checked, open to anyone; for those who run the bank also what is not for everybody,
//! and the links between its services.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::monitor::{
    Board, BoardCheck, DayBar, GetBoard, GetLinks, GetStatus, GetWholeBoard, Health, Incident, LinkState, Links,
    Maintenance, Origin, Spent, State, Status,
};
use contracts::roles::Role;
use http::StatusCode;

use crate::charts::{Edge, Map, Mark, Piece, Strip, Stroke};
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page_as};

/// Longest wait for the monitor.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// More checks than these have days that are alike told of together, so that the page stays light.
const MANY: usize = 8;
/// More checks than these are shown without their days.
const TOO_MANY: usize = 60;
/// Most days of failure that are told of one by one to those who see no bars.
const TOLD: usize = 5;

#[derive(Template)]
#[template(path = "status.html")]
pub(crate) struct StatusPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    /// Nothing when the monitor itself does not answer.
    pub(crate) status: Option<Status>,
    /// Whether all services of the bank are up.
    pub(crate) up: bool,
    /// Nothing when the monitor cannot say what it remembers.
    pub(crate) board: Option<Shown>,
    /// For superusers, where services stand apart.
    pub(crate) links: Option<Links>,
    pub(crate) map: Option<Map>,
}

/// The board as it is shown.
pub(crate) struct Shown {
    /// Degraded or down, if it is.
    pub(crate) worse: Option<State>,
    /// Whether it is the one for superusers.
    pub(crate) whole: bool,
    pub(crate) open: Vec<Incident>,
    pub(crate) past: Vec<Incident>,
    pub(crate) works: Vec<Maintenance>,
    pub(crate) groups: Vec<Group>,
    /// Those that say something of the bank's inside: a line each.
    pub(crate) inner: Vec<BoardCheck>,
    /// Which of them are not well.
    pub(crate) inner_bad: usize,
}

/// Checks that are shown together.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

/// A check and its days.
pub(crate) struct Row {
    pub(crate) title: String,
    /// Left out where there are too many.
    pub(crate) strip: Option<Strip>,
    pub(crate) c: BoardCheck,
}

pub(crate) async fn status(visit: Arc<Visit>) -> Outcome {
    let caller = visit.web.directory.caller().within(PATIENCE);
    let (status, board, links) = tokio::join!(caller.call(GetStatus::default()), board(&visit), links(&visit));
    let status = status.ok();
    let up = status.as_ref().is_some_and(|status| status.health == Health::Up);
    let code = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let f = visit.frame(Place::Status, visit.t.system_status()).await;
    page_as(code, &StatusPage::of(f, status, board, links))
}

/// Whether the visitor may see what is not for everybody.
pub(super) fn sees_all(visit: &Visit) -> bool {
    visit.role() == Some(Role::Superuser)
}

async fn board(visit: &Visit) -> Option<(Board, bool)> {
    let caller = visit.caller().within(PATIENCE);
    if sees_all(visit) {
        return caller.call(GetWholeBoard {}).await.ok().map(|board| (board, true));
    }
    caller.call(GetBoard {}).await.ok().map(|board| (board, false))
}

/// What the monitor knows of the links, if the visitor may see it and there are any.
async fn links(visit: &Visit) -> Option<Links> {
    if !sees_all(visit) {
        return None;
    }
    let links = visit.caller().within(PATIENCE).call(GetLinks {}).await.ok()?;
    (!links.processes.is_empty()).then_some(links)
}

impl StatusPage {
    pub(crate) fn of(f: Frame, status: Option<Status>, board: Option<(Board, bool)>, links: Option<Links>) -> Self {
        let t = f.t;
        Self {
            up: status.as_ref().is_some_and(|status| status.health == Health::Up),
            board: board.map(|(board, whole)| Shown::of(t, board, whole)),
            map: links.as_ref().and_then(|links| map(t, links)),
            links,
            status,
            t,
            f,
        }
    }

    /// How bad it is, as a tone of the style sheet.
    fn tone(&self) -> &'static str {
        match self.board.as_ref().and_then(|board| board.worse) {
            _ if !self.up => "bad",
            Some(State::Down) => "bad",
            Some(_) => "now",
            None => "good",
        }
    }

    /// How bad it is, in a sentence.
    fn sentence(&self) -> &'static str {
        match self.tone() {
            "bad" => self.t.some_down(),
            "now" => self.t.some_degraded(),
            _ => self.t.all_up(),
        }
    }
}

impl Shown {
    fn of(t: T, board: Board, whole: bool) -> Self {
        let (open, past) = board.incidents.into_iter().partition(|incident| incident.until.is_none());
        // What a superuser alone sees of the bank itself are dozens of small things: no bars for these.
        let is_inner = |check: &BoardCheck| check.origin == Origin::Bank && !check.public;
        let (inner, outer): (Vec<_>, Vec<_>) = board.checks.into_iter().partition(is_inner);
        let how_many = outer.len();
        let mut groups: Vec<Group> = Vec::new();
        for check in outer {
            let name = match (&check.group, check.origin) {
                // The bank calls its own group what it is called nowhere else.
                (_, Origin::Bank) => t.bank_group().to_owned(),
                (Some(group), _) => group.clone(),
                (None, _) => t.other_group().to_owned(),
            };
            let row = Row::of(t, check, how_many);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.rows.push(row),
                None => groups.push(Group { name, rows: vec![row] }),
            }
        }
        Self {
            worse: matches!(board.state, State::Degraded | State::Down).then_some(board.state),
            whole,
            open,
            past,
            works: board.maintenances,
            groups,
            inner_bad: inner.iter().filter(|check| matches!(check.state, State::Degraded | State::Down)).count(),
            inner,
        }
    }
}

impl Row {
    fn of(t: T, check: BoardCheck, how_many: usize) -> Self {
        let title = t.titled(&check.name, &check.title);
        if how_many > TOO_MANY {
            return Self { title, strip: None, c: check };
        }
        let piece =
            |day: &DayBar| Piece { name: t.date(&day.day.start()), words: t.spent(&day.spent), mark: mark(&day.spent) };
        let words = format!("{}; {}", t.bars_of(&title, &t.ppm_or(check.uptime_ppm.as_ref())), bad_days(t, &check));
        let strip = Strip::new(words, check.days.iter().map(piece).collect(), how_many > MANY);
        Self { title, strip: Some(strip), c: check }
    }
}

/// The days on which it was down, in words.
fn bad_days(t: T, check: &BoardCheck) -> String {
    let bad: Vec<_> = check.days.iter().filter(|day| day.spent.down > 0).collect();
    if bad.is_empty() {
        return t.never_down().to_owned();
    }
    let mut words: Vec<_> = bad.iter().rev().take(TOLD).map(|day| t.date(&day.day.start())).collect();
    if bad.len() > TOLD {
        words.push(t.and_more_days(bad.len() - TOLD));
    }
    t.down_on(&words.join(", "))
}

/// How a piece of time is drawn.
pub(super) fn mark(spent: &Spent) -> Mark {
    let counts = spent.up.saturating_add(spent.degraded).saturating_add(spent.down);
    if spent.down > 0 {
        let permille = u128::from(spent.down) * 1000 / u128::from(counts.max(1));
        return Mark::Down(u64::try_from(permille).unwrap_or(1000));
    }
    match (counts, spent.degraded, spent.maintenance) {
        (0, _, 0) => Mark::Unknown,
        (0, ..) => Mark::Maintenance,
        (_, 0, _) => Mark::Up,
        _ => Mark::Degraded,
    }
}

/// Who calls whom, drawn: one name for each service, one line for all that goes one way.
fn map(t: T, links: &Links) -> Option<Map> {
    let mut names: Vec<&str> = Vec::new();
    let ends = links.processes.iter().flat_map(|process| {
        let called = process.links.iter().map(|link| link.service.as_str());
        std::iter::once(process.service.as_str()).chain(called)
    });
    for name in ends {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let number = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    let mut edges: Vec<Edge> = Vec::new();
    for (n, process) in links.processes.iter().enumerate() {
        for (of, link) in process.links.iter().enumerate() {
            let (from, to) = (number(&process.service), number(&link.service));
            let stroke = match link.state {
                LinkState::Alive => Stroke::Solid,
                LinkState::LeftOut => Stroke::Dashed,
                LinkState::Dead => Stroke::Dotted,
            };
            let agreed = link.agreed.as_ref().map_or_else(
                || t.not_yet_connected().to_owned(),
                |agreed| format!("{}, {}", t.protocol(&agreed.protocol), agreed.group),
            );
            let peer = link.peer.as_ref().map_or("?", |peer| peer.name.as_str());
            let words = format!(
                "{} ({}): {agreed}; {} ↔ {peer}; {}",
                t.map_calls(&t.service(&process.service), &t.service(&link.service)),
                link.address,
                process.certificate.certificate.name,
                t.link_state(&link.state),
            );
            match edges.iter_mut().find(|edge| (edge.from, edge.to) == (from, to)) {
                Some(edge) => {
                    edge.stroke = edge.stroke.max(stroke);
                    edge.words = format!("{}\n{words}", edge.words);
                }
                None => edges.push(Edge { from, to, stroke, words, href: format!("#link-{n}-{of}") }),
            }
        }
    }
    let names = names.iter().map(|name| t.service(name)).collect();
    Map::of(t.map_title(), t.map_words(), names, edges)
}
