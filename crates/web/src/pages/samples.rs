//! Examples of everything that pages show, for the tests that render them.

use std::collections::BTreeMap;

use contracts::bank::{Account, AccountState, Payee, Request, RequestKind, RequestLink, RequestState, Transaction};
use contracts::events::{Action, Audience, Level};
use contracts::identity::{Language, User, UserState};
use contracts::journal::{ActionCount, LevelCount, LogEntry, LogSummary, Per, SeriesPoint, UserCount};
use contracts::monitor::{Agreement, Certificate, Judged, Link, LinkState, Links, Process};
use contracts::roles::Role;
pub(super) use uuid_of::id;
use vocabulary::{Amount, Currency, Iban, Rib, Timestamp};

use crate::assets::{MARK, SCRIPT, STYLE};
use crate::forms::{Entries, Form};
use crate::frame::{self, Frame, Place, Theme};
use crate::texts::T;

/// Ids that say nothing.
mod uuid_of {
    use std::str::FromStr;

    pub(crate) fn id<V: FromStr>(n: u32) -> V {
        let text = format!("0193a0b0-7c00-7000-8000-{n:012}");
        text.parse().unwrap_or_else(|_| panic!("{text} is an id"))
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(super) fn iban(n: u32) -> Iban {
    Rib::new("17569", "00001", &format!("{n:011}")).unwrap().iban()
}

pub(super) fn frame(t: T, role: Option<Role>, place: Place, title: &str) -> Frame {
    Frame {
        t,
        title: title.to_owned(),
        bank: "Banque du Guichet".to_owned(),
        theme: if std::env::var_os("GUICHET_DARK").is_some() { Theme::Dark } else { Theme::Auto },
        here: "/".to_owned(),
        csrf: "c".repeat(64),
        name: role.map(|_| "Claire Fontaine".to_owned()),
        role: role.map_or("", |role| t.role(&role)),
        links: frame::links(t, role, place, 3),
        profile: place == Place::Profile,
        done: None,
        style: &STYLE.url,
        script: &SCRIPT.url,
        mark: &MARK.url,
    }
}

pub(super) fn account(
    n: u32,
    label: &str,
    booked: &str,
    pending: &str,
    available: &str,
    state: AccountState,
) -> Account {
    Account {
        id: id(n),
        label: label.parse().unwrap(),
        currency: Currency::EUR,
        state,
        iban: (state == AccountState::Open).then(|| iban(n)),
        owner: id(1),
        holder: "Claire Fontaine".to_owned(),
        booked: amount(booked),
        pending: amount(pending),
        available: amount(available),
        created_at: at("2026-02-03T08:00:00Z"),
        request: Some(RequestLink { id: id(300) }),
    }
}

pub(super) fn accounts() -> Vec<Account> {
    vec![
        account(11, "Compte courant", "4312.65", "250.00", "4062.65", AccountState::Open),
        account(12, "Épargne de précaution", "18500.00", "0", "18500.00", AccountState::Open),
        account(13, "Vacances", "0", "0", "0", AccountState::Pending),
    ]
}

pub(super) fn request(n: u32, kind: RequestKind, state: RequestState) -> Request {
    let money = matches!(kind, RequestKind::Deposit | RequestKind::Withdrawal | RequestKind::Transfer);
    let transfer = kind == RequestKind::Transfer;
    let decided = state != RequestState::Pending;
    Request {
        id: id(n),
        kind,
        state,
        maker: id(1),
        maker_name: "Claire Fontaine".to_owned(),
        checker: decided.then(|| id(7)),
        checker_name: decided.then(|| "Amine Benali".to_owned()),
        reason: (state == RequestState::Rejected).then(|| "Justificatif illisible, merci de le renvoyer".to_owned()),
        account: id(11),
        account_label: "Compte courant".parse().unwrap(),
        from: transfer.then(|| id(11)),
        to: transfer.then(|| Payee::Iban(iban(77))),
        to_iban: transfer.then(|| iban(77)),
        to_name: transfer.then(|| "Hugo Marchand".to_owned()),
        amount: money.then(|| amount("1250.00")),
        currency: Currency::EUR,
        reference: if money { "Loyer novembre <b>".parse().unwrap() } else { String::new().parse().unwrap() },
        created_at: at("2026-11-20T16:42:00Z"),
        decided_at: decided.then(|| at("2026-11-21T08:05:00Z")),
        expires_at: at("2026-12-20T16:42:00Z"),
        digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        decidable: state == RequestState::Pending,
    }
}

pub(super) fn requests() -> Vec<Request> {
    vec![
        request(301, RequestKind::Transfer, RequestState::Pending),
        request(302, RequestKind::OpenAccount, RequestState::Pending),
        request(303, RequestKind::Withdrawal, RequestState::Rejected),
        request(304, RequestKind::Deposit, RequestState::Approved),
        request(305, RequestKind::RenewIban, RequestState::Cancelled),
    ]
}

pub(super) fn transactions() -> Vec<Transaction> {
    let line = |n, day: &str, kind, value: &str, after: &str, name: Option<&str>, why: &str| Transaction {
        id: id(n),
        at: at(&format!("2026-11-{day}T10:00:00Z")),
        kind,
        amount: amount(value),
        currency: Currency::EUR,
        balance_after: amount(after),
        counterparty: name.map(ToOwned::to_owned),
        counterparty_iban: name.map(|_| iban(n)),
        reference: why.parse().unwrap(),
        request: id(n),
    };
    vec![
        line(401, "20", RequestKind::Transfer, "-850.00", "4312.65", Some("Hugo Marchand"), "Loyer"),
        line(
            402,
            "18",
            RequestKind::Transfer,
            "2150.40",
            "5162.65",
            Some("Coopérative des Halles"),
            "Salaire novembre",
        ),
        line(403, "12", RequestKind::Withdrawal, "-60.00", "3012.25", None, ""),
        line(404, "03", RequestKind::Deposit, "1072.25", "3072.25", None, "Vente du vélo"),
    ]
}

pub(super) fn user(n: u32, first: &str, last: &str, role: Role, state: UserState) -> User {
    User {
        id: id(n),
        login: last.to_ascii_lowercase().parse().unwrap(),
        email: format!("{}@exemple.fr", last.to_ascii_lowercase()).parse().unwrap(),
        first_name: first.parse().unwrap(),
        last_name: last.parse().unwrap(),
        role,
        state,
        language: Language::Fr,
        created_at: at("2026-03-02T09:00:00Z"),
        last_login_at: (state == UserState::Active).then(|| at("2026-11-20T17:00:00Z")),
    }
}

pub(super) fn entries_of_log() -> Vec<LogEntry> {
    let entry = |n, level, action, details: &[(&str, &str)]| LogEntry {
        id: id(n),
        at: at("2026-11-20T16:42:00Z"),
        audience: Audience::Members,
        level,
        action,
        actor: Some("fontaine".to_owned()),
        subject: Some("marchand".to_owned()),
        subject_id: Some(id(1)),
        message: "Transfer of 1250.00 EUR requested".to_owned(),
        details: details.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>(),
        source: "bank".to_owned(),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        erased: false,
    };
    let money = [("amount", "1250.00"), ("currency", "EUR"), ("account", "Compte courant"), ("to", "FR76 •••• 0177")];
    vec![
        entry(501, Level::Info, Action::TransferRequested, &money),
        entry(502, Level::Warning, Action::LoginFailed, &[("reason", "wrong-password")]),
        entry(
            503,
            Level::Info,
            Action::WithdrawalRejected,
            &[
                ("amount", "60"),
                ("currency", "EUR"),
                ("reason", "Guichet fermé"),
                ("request", &id::<vocabulary::RequestId>(303).to_string()),
            ],
        ),
        entry(504, Level::Error, Action::RefreshReused, &[]),
    ]
}

/// So many days or hours of the journal until a fixed moment; `busy` says how many entries each has.
pub(super) fn summary(per: Per, points: u32, busy: fn(u64) -> [u64; 3]) -> LogSummary {
    let to = at("2026-11-22T00:00:00Z");
    let from = to.minus(per.length() * points);
    let point = |n: u32| {
        let [info, warning, error] = busy(u64::from(n));
        SeriesPoint { at: from.plus(per.length() * n), info, warning, error }
    };
    let series: Vec<_> = (0..points).map(point).collect();
    let sum = |of: fn(&SeriesPoint) -> u64| series.iter().map(of).fold(0, u64::saturating_add);
    let levels =
        [(Level::Info, sum(|p| p.info)), (Level::Warning, sum(|p| p.warning)), (Level::Error, sum(|p| p.error))];
    let total = levels.iter().fold(0_u64, |total, (_, count)| total.saturating_add(*count));
    let many = |n: usize| if total == 0 { 0 } else { total / (n as u64 + 2) };
    LogSummary {
        from,
        to,
        per,
        total,
        complete: points != 400,
        levels: levels.map(|(level, count)| LevelCount { level, count }).into(),
        actions: Action::ALL
            .iter()
            .take(40)
            .enumerate()
            .map(|(n, action)| ActionCount { action: *action, count: many(n) })
            .collect(),
        users: ["claire", "hugo", "une-agente-au-tres-tres-long-identifiant-<b>"]
            .iter()
            .enumerate()
            .map(|(n, login)| UserCount { login: (*login).to_owned(), count: many(n + 3) })
            .collect(),
        series,
    }
}

pub(super) fn faulty(fields: &[u8], faults: &[(&str, &str)]) -> Entries {
    let mut e = Entries::of(&Form::read(fields));
    for (field, message) in faults {
        e.add(field, *message);
    }
    e
}

/// Links of two processes: one that is as it should be, one whose certificate nobody renews.
pub(super) fn links() -> Links {
    let now = at("2026-11-21T08:10:00Z");
    let certificate = |name: &str, from: &str| {
        let from = at(from);
        let until = from.plus(std::time::Duration::from_hours(24));
        Certificate { name: name.to_owned(), serial: "5fe1".to_owned(), from, until }
    };
    let link = |service: &str, state, group: Option<&str>| Link {
        service: service.to_owned(),
        address: "10.1.2.3:8443".to_owned(),
        state,
        why: (state != LinkState::Alive).then(|| "nobody <b> listens there".to_owned()),
        agreed: group.map(|group| Agreement {
            protocol: "TLSv1.3".to_owned(),
            group: group.to_owned(),
            cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
            withstands_quantum: group.contains("MLKEM"),
        }),
        peer: None,
    };
    let process = |service: &str, from: &str, links| Process {
        service: service.to_owned(),
        instance: "00".to_owned(),
        told_at: now,
        certificate: Judged::at(certificate(service, from), now),
        public: (service == "web").then(|| Judged::at(certificate("", "2026-11-20T11:30:00Z"), now)),
        links,
    };
    let bank = [
        link("identity", LinkState::Alive, Some("X25519MLKEM768")),
        link("journal", LinkState::LeftOut, Some("X25519MLKEM768")),
        link("postgresql", LinkState::Alive, Some("X25519")),
    ];
    let web = [link("bank", LinkState::Alive, Some("X25519MLKEM768")), link("monitor", LinkState::Dead, None)];
    let processes =
        vec![process("bank", "2026-11-21T00:00:00Z", bank.into()), process("web", "2026-11-20T08:30:00Z", web.into())];
    Links { at: now, processes }
}
