//! Every page, filled in with examples: each must render, in both languages, without inline script or style.
//!
//! With `GUICHET_PAGES=folder` the pages are written there, to be looked at.

use super::samples::{
    accounts, amount, at, entries_of_log, faulty, frame, iban, id, request, requests, summary, transactions, user,
};
use askama::Template;
use contracts::bank::{Account, Request, RequestKind, RequestState, RibDocument};
use contracts::identity::{
    FactorReset, Language, MailChoices, Notice, Passkey, PasswordResets, PersonalToken, ResetState, SecondFactor,
    Session, UserState,
};
use contracts::journal::{LogEntry, LoggedEntry, Per};
use contracts::roles::Role;
use contracts::scopes::TokenScope;
use vocabulary::Currency;

use super::account::{AccountPage, AskPage, RenamePage, RibPage, periods};
use super::accounts::{ACCOUNT_STATES, AccountsPage, ClientsPage, Movement, OpenPage};
use super::dashboard::{Counted, DashboardPage};
use super::entry::{RegisterPage, WelcomePage};
use super::inbox::InboxPage;
use super::journal::{NoticesPage, told};
use super::links::{ForgotPage, NewAddressPage, NewPasswordPage};
use super::logs::LogsPage;
use super::moving::{MoveCheck, MoveForm, To};
use super::passkeys::{NewPasskeyPage, PasskeyPage};
use super::people::{CreatePage, UserPage, UsersPage};
use super::profile::{PasswordPage, ProfilePage};
use super::prove::ProvePage;
use super::requests::{RequestPage, RequestsPage, kinds, states};
use super::resets::{Reset, ResetPage, ResetsPage};
use super::security::{CodesPage, Device, SecurityPage, TotpPage, asks_second, device, in_groups};
use super::sign_in::{CodePage, LostPage, SignInPage};
use super::story::{LogPage, StoryPage};
use super::tokens::{DAYS, TokenPage, TokensPage, offered};
use super::wrong::WrongPage;
use super::{Choice, people};
use crate::forms::{Entries, Form};
use crate::frame::Place;
use crate::texts::T;

type Pages = Vec<(&'static str, String)>;

fn people_pages(t: T, pages: &mut Pages) {
    let member = |place, title: &str| frame(t, Some(Role::Member), place, title);
    let open = |title: &str| frame(t, None, Place::Elsewhere, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let why = Some(t.why_needed());
    add("sign_in", SignInPage { f: open(t.sign_in()), t, e: Entries::default(), why }.render());
    let e = faulty(b"login=claire", &[("", t.sign_in_refused())]);
    add("sign_in_refused", SignInPage { f: open(t.sign_in()), t, e, why: None }.render());
    add("register", RegisterPage { f: open(t.register_title()), t, e: Entries::default(), key: "k".into() }.render());
    let e = faulty(
        b"first_name=Claire&email=claire",
        &[("last_name", t.field_missing()), ("email", t.email_form()), ("password", t.password_too_short())],
    );
    add("register_faults", RegisterPage { f: open(t.register_title()), t, e, key: "k".into() }.render());
    add("welcome", WelcomePage { f: open(t.welcome_title()), t }.render());
    let u = user(1, "Claire", "Fontaine", Role::Member, UserState::Active);
    let previous = Some(at("2026-11-19T18:20:00Z"));
    let e = faulty(b"first_name=Claire&last_name=Fontaine&email=claire@exemple.fr&language=fr", &[]);
    add(
        "profile",
        ProfilePage {
            f: member(Place::Profile, t.my_profile()),
            t,
            e,
            u,
            previous,
            second_factor: true,
            mails: MailChoices::default(),
            by_mail: true,
        }
        .render(),
    );
    let f = member(Place::Profile, t.change_password());
    add(
        "password",
        PasswordPage { f, t, e: faulty(b"", &[("old_password", t.old_password_wrong())]), login: "claire".into() }
            .render(),
    );
    let f = member(Place::Elsewhere, t.wrong_not_found());
    let words = t.wrong_not_found_words().to_owned();
    add("wrong", WrongPage { f, t, words, trace: Some("4bf92f3577b34da6".into()) }.render());
}

fn notice(entry: &LogEntry, read: bool) -> Notice {
    let request = entry.details.get("request").and_then(|id| id.parse().ok());
    Notice { event: entry.id, action: entry.action, at: entry.at, request, read }
}

fn security_pages(t: T, pages: &mut Pages) {
    let member = |title: &str| frame(t, Some(Role::Member), Place::Profile, title);
    let open = |title: &str| frame(t, None, Place::Elsewhere, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    add("code", CodePage { f: open(t.code_title()), t, e: Entries::default(), next: "/".into() }.render());
    let e = faulty(b"", &[("otp", t.code_wrong())]);
    add("code_wrong", CodePage { f: open(t.code_title()), t, e, next: "/".into() }.render());
    let mut add_forgot = |name, by_mail, asked| {
        let (f, e, resets) = (open(t.forgot_title()), Entries::default(), PasswordResets { by_mail, minutes: 30 });
        add(name, ForgotPage { f, t, e, resets, asked }.render());
    };
    add_forgot("forgot", true, false);
    add_forgot("forgot_asked", true, true);
    add_forgot("forgot_without_mails", false, false);
    let e = faulty(b"token=abc", &[("token", t.link_ended()), ("again", t.passwords_differ())]);
    add("new_password", NewPasswordPage { f: open(t.reset_title()), t, e }.render());
    for (name, taken) in [("new_address", false), ("new_address_taken", true)] {
        let (f, e) = (open(t.address_title()), Entries::default());
        add(name, NewAddressPage { f, t, e, taken }.render());
    }
    add("lost", LostPage { f: open(t.lost_title()), t, asked: false }.render());
    add("lost_asked", LostPage { f: open(t.lost_asked_title()), t, asked: true }.render());
    let e = faulty(b"next=/profile/security", &[("", t.proof_refused())]);
    let (f, login) = (member(t.prove_title()), "claire".to_owned());
    add("prove", ProvePage { f, t, e, login: login.clone(), second_factor: true, passkeys: true }.render());
    let session = |n, current, agent: &str| {
        let agent = Some(agent.to_owned());
        let (created_at, seen_at) = (at("2026-11-21T07:55:00Z"), at("2026-11-21T08:10:00Z"));
        device(t, Session { id: id(n), current, agent, created_at, seen_at, ends_at: seen_at })
    };
    let sessions = vec![
        session(601, true, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        session(602, false, "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19 Safari/604.1"),
    ];
    let passkey = |n: u32, name: &str| Passkey {
        id: format!("cGFzc2tleQ{n}"),
        name: name.parse().unwrap(),
        synced: n > 0,
        created_at: at("2026-11-02T10:00:00Z"),
        last_used_at: (n > 0).then(|| at("2026-11-20T10:00:00Z")),
    };
    let keys = vec![passkey(0, "YubiKey <b>"), passkey(1, "Pixel 9")];
    let (f, e) = (member("Pixel 9"), Entries::default());
    add("passkey", PasskeyPage { f, t, e, k: passkey(1, "Pixel 9") }.render());
    let (f, e) = (member(t.passkey_add()), faulty(b"", &[("name", t.field_missing())]));
    add("passkey_new", NewPasskeyPage { f, t, e, options: r#"{"rp":{"id":"x"}}"#.into() }.render());
    let security = |second, passkeys: Vec<Passkey>, sessions: Vec<Device>| SecurityPage {
        f: member(t.security()),
        t,
        e: Entries::default(),
        has_second: asks_second(&second),
        second,
        passkeys,
        others: sessions.len() > 1,
        sessions,
    };
    let off = SecondFactor { totp_since: None, recovery_codes_left: 0, enrol_again: true, passkeys: 0 };
    let on = SecondFactor {
        totp_since: Some(at("2026-11-02T10:00:00Z")),
        recovery_codes_left: 9,
        enrol_again: false,
        passkeys: 1,
    };
    add("security", security(off, Vec::new(), sessions).render());
    add("security_on", security(on, keys, Vec::new()).render());
    let (qr, secret) = ("<svg></svg>".to_owned(), in_groups("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
    let url = "otpauth://totp/Guichet:claire?secret=GEZDGNBV&issuer=Guichet".to_owned();
    let e = faulty(b"", &[("code", t.app_code_wrong())]);
    add("totp", TotpPage { f: member(t.totp_title()), t, e, qr, secret, url }.render());
    let token = |n: u32, scopes: &[TokenScope]| PersonalToken {
        id: id(800 + n),
        name: "Tableur <b>".parse().unwrap(),
        scopes: scopes.to_vec(),
        jkt: (n > 0).then(|| "j".repeat(43)),
        created_at: at("2026-11-02T10:00:00Z"),
        expires_at: at("2026-12-02T10:00:00Z"),
    };
    let tokens = vec![token(0, &[TokenScope::Read]), token(1, TokenScope::ALL)];
    let e = faulty(b"days=90&pay=yes", &[("read", t.token_needs_scope()), ("name", t.field_missing())]);
    let (f, scopes) = (member(t.tokens()), offered(Some(Role::Agent)));
    add("tokens", TokensPage { f, t, e, tokens, scopes, days: DAYS }.render());
    let f = member(t.token_made());
    add("token", TokenPage { f, t, token: "e".repeat(420), k: token(0, &[TokenScope::Read]) }.render());
    let codes = (0..10).map(|n| format!("abcde{n}-abcdef-abcdef-abcdef")).collect();
    add("codes", CodesPage { f: member(t.codes_title()), t, codes, login }.render());
}

fn reset_pages(t: T, pages: &mut Pages) {
    let agent = |title: &str| frame(t, Some(Role::Agent), Place::People, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let (me, colleague) = (id(7), id(8));
    let reset = |n, state| FactorReset {
        id: id(n),
        person: id(21),
        login: "lefort".parse().unwrap(),
        name: "Inès Lefort".to_owned(),
        state,
        proposer: (state == ResetState::Proposed).then_some(if n == 701 { me } else { colleague }),
        proposer_login: (state == ResetState::Proposed).then(|| "benali".to_owned()),
        reason: (state == ResetState::Proposed).then(|| "Carte <b> vue au guichet".to_owned()),
        created_at: at("2026-11-20T16:42:00Z"),
        expires_at: at("2026-11-23T16:42:00Z"),
    };
    let all = [(701, ResetState::Proposed), (702, ResetState::Proposed), (703, ResetState::Asked)];
    let all: Vec<Reset> = all.map(|(n, state)| Reset::of(reset(n, state), me)).into();
    for (name, r) in ["reset_own", "reset_decide", "reset_asked"].into_iter().zip(all.iter().cloned()) {
        add(name, ResetPage { f: agent(t.reset_title()), t, e: Entries::default(), r }.render());
    }
    add("resets", ResetsPage { f: agent(t.resets()), t, resets: all }.render());
    add("resets_none", ResetsPage { f: agent(t.resets()), t, resets: Vec::new() }.render());
}

fn money_pages(t: T, pages: &mut Pages) {
    let member = |place, title: &str| frame(t, Some(Role::Member), place, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let lines = transactions().into_iter();
    let movements = lines.map(|line| Movement { account: id(11), label: "Compte courant".into(), line }).collect();
    let overview = |accounts: Vec<Account>, pending, movements| AccountsPage {
        f: member(Place::Accounts, t.my_accounts()),
        t,
        first_name: "Claire".into(),
        previous: Some(at("2026-11-19T18:20:00Z")),
        can_move: !accounts.is_empty(),
        closed: 1,
        accounts,
        pending,
        movements,
    };
    add("accounts", overview(accounts(), requests().into_iter().take(2).collect(), movements).render());
    add("accounts_empty", overview(Vec::new(), Vec::new(), Vec::new()).render());
    let currencies = vec![Currency::EUR, Currency::CHF];
    let f = member(Place::Accounts, t.open_account());
    add("account_new", OpenPage { f, t, e: Entries::default(), currencies, key: "k".into() }.render());
    let one = |own, clients| AccountPage {
        f: frame(t, Some(if clients { Role::Agent } else { Role::Member }), Place::Accounts, "Compte courant"),
        t,
        a: accounts().remove(0),
        own,
        open: true,
        up: "/accounts",
        up_label: t.my_accounts(),
        waiting: None,
        pending: vec![request(301, RequestKind::Transfer, RequestState::Pending)],
        q: Form::default(),
        filtered: false,
        periods: periods(t, at("2026-11-21T08:00:00Z"), &Form::default(), "/accounts/x"),
        lines: transactions(),
        first: None,
        next: Some("?cursor=x".into()),
    };
    add("account", one(true, false).render());
    add("account_client", one(false, true).render());
    let a = accounts().remove(0);
    let rib = RibDocument {
        holder: a.holder.clone(),
        bank_name: "Banque du Guichet".into(),
        bank: "17569".into(),
        branch: "00001".into(),
        account: "00000000011".into(),
        key: iban(11).rib().unwrap().key(),
        iban: iban(11),
        bic: "GUICFRPP".parse().unwrap(),
        currency: Currency::EUR,
    };
    add("rib", RibPage { f: member(Place::Accounts, t.rib_title()), t, id: id(11), rib }.render());
    let e = faulty(b"label=", &[("label", t.field_missing())]);
    add("account_rename", RenamePage { f: member(Place::Accounts, t.rename_account()), t, a: a.clone(), e }.render());
    let (f, action) = (member(Place::Accounts, t.close_account()), "/accounts/x/close".to_owned());
    let e = faulty(b"", &[("", t.p_not_empty())]);
    let (lead, key) = (t.close_account_lead(), "k".to_owned());
    add("account_close", AskPage { f, t, a, e, lead, action, key }.render());
}

fn moving_pages(t: T, pages: &mut Pages) {
    let member = |place, title: &str| frame(t, Some(Role::Member), place, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let a = accounts().remove(0);
    let form = |e, transfer, accounts| MoveForm {
        f: member(Place::Transfer, t.transfer()),
        t,
        e,
        title: t.transfer(),
        lead: t.transfer_lead(),
        account_label: t.debited_account(),
        action: "/transfer",
        transfer,
        accounts,
    };
    let open: Vec<_> = accounts().into_iter().take(2).collect();
    add("transfer", form(Entries::default(), true, open.clone()).render());
    let e = faulty(b"amount=1.234&to_iban=FR76", &[("to_iban", t.iban_shape()), ("amount", t.amount_ambiguous())]);
    add("transfer_faults", form(e, true, open).render());
    add("transfer_none", form(Entries::default(), true, Vec::new()).render());
    let check = MoveCheck {
        f: member(Place::Transfer, t.check_title()),
        t,
        e: Entries::default(),
        kind: RequestKind::Transfer,
        action: "/transfer",
        account_label: t.debited_account(),
        account: a,
        to: Some(To { label: None, iban: iban(77).grouped() }),
        amount: amount("1250.00"),
        reference: "Loyer novembre".into(),
        after: Some(amount("2812.65")),
        key: "k".into(),
    };
    add("transfer_check", check.render());
}

fn request_pages(t: T, pages: &mut Pages) {
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let list = |requests: Vec<Request>| RequestsPage {
        f: frame(t, Some(Role::Member), Place::Requests, t.my_requests()),
        t,
        q: Form::default(),
        filtered: false,
        states: states(t),
        kinds: kinds(t),
        requests,
        first: None,
        next: None,
    };
    add("requests", list(requests()).render());
    add("requests_empty", list(Vec::new()).render());
    let one = |mut r: Request, own: bool, agent: bool, e: Entries| {
        r.decidable = r.decidable && agent && !own;
        let mut f = frame(t, Some(if agent { Role::Agent } else { Role::Member }), Place::Requests, t.kind(&r.kind));
        f.done = (own && !agent).then(|| t.done("sent").unwrap());
        RequestPage {
            f,
            t,
            e,
            up: "/requests",
            up_label: t.my_requests(),
            own,
            staff: agent,
            agent,
            pending: r.state == RequestState::Pending,
            approved: r.state == RequestState::Approved,
            decided: matches!(r.state, RequestState::Approved | RequestState::Rejected),
            r,
        }
    };
    let transfer = || request(301, RequestKind::Transfer, RequestState::Pending);
    add("request_sent", one(transfer(), true, false, Entries::default()).render());
    let rejected = request(303, RequestKind::Withdrawal, RequestState::Rejected);
    add("request_rejected", one(rejected, true, false, Entries::default()).render());
    let approved = request(304, RequestKind::Deposit, RequestState::Approved);
    add("request_approved", one(approved, false, true, Entries::default()).render());
    let e = faulty(b"", &[("reason", t.field_missing())]);
    add("request_decide", one(transfer(), false, true, e).render());
    add("request_own_agent", one(transfer(), true, true, Entries::default()).render());
}

fn staff_pages(t: T, pages: &mut Pages) {
    let agent = |place, title: &str| frame(t, Some(Role::Agent), place, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let mut mixed = requests();
    mixed[1].decidable = false;
    let inbox = |requests: Vec<Request>, waiting| InboxPage {
        f: agent(Place::Inbox, t.inbox()),
        t,
        requests,
        waiting,
        resets: waiting,
        first: None,
        next: Some("?cursor=x".into()),
    };
    add("inbox", inbox(mixed.into_iter().take(2).chain(requests().into_iter().take(1)).collect(), 2).render());
    add("inbox_empty", inbox(Vec::new(), 0).render());
    let users = vec![
        user(21, "Inès", "Lefort", Role::Member, UserState::Pending),
        user(22, "Hugo", "Marchand", Role::Member, UserState::Active),
        user(23, "Amine", "Benali", Role::Agent, UserState::Disabled),
    ];
    let list = UsersPage {
        f: agent(Place::People, t.members()),
        t,
        q: Form::default(),
        filtered: false,
        superuser: true,
        states: people::states(t),
        roles: people::roles(t, true),
        users,
        resets: 1,
        first: None,
        next: None,
    };
    add("users", list.render());
    let person = |state, e, manages| UserPage {
        f: agent(Place::People, "Inès Lefort"),
        t,
        e,
        u: user(21, "Inès", "Lefort", Role::Member, state),
        manages,
        can_activate: state != UserState::Active,
        can_reject: state == UserState::Pending,
        can_disable: state == UserState::Active,
        reset: None,
        may_propose: true,
        show_accounts: true,
        accounts: accounts(),
    };
    add("user_pending", person(UserState::Pending, Entries::default(), true).render());
    let e = faulty(b"", &[("typed", t.login_differs())]);
    add("user_active", person(UserState::Active, e, true).render());
    add("user_other", person(UserState::Active, Entries::default(), false).render());
    let f = agent(Place::People, t.create_agent());
    add("user_new", CreatePage { f, t, e: Entries::default(), key: "k".into() }.render());
}

fn journal_pages(t: T, pages: &mut Pages) {
    let agent = |place, title: &str| frame(t, Some(Role::Agent), place, title);
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let clients = ClientsPage {
        f: agent(Place::Clients, t.client_accounts()),
        t,
        q: Form::read(b"search=fon"),
        filtered: true,
        states: ACCOUNT_STATES.map(|(state, value)| Choice { value, label: t.account_state(&state) }).into(),
        accounts: accounts(),
        first: None,
        next: None,
    };
    add("clients", clients.render());
    let logs = |query: &[u8], count, entries, next| {
        LogsPage::of(agent(Place::Logs, t.logs()), &Form::read(query), count, entries, next).render()
    };
    add("logs", logs(b"", None, entries_of_log(), Some("?cursor=x".to_owned())));
    let every =
        b"user=claire&level=warning-up&from=2026-11-20T16:00:00Z&to=2026-11-20T17:00&source=bank&audience=members\
        &action=LOGIN&action=LOGIN_FAILED&trace_id=4bf92f3577b34da6a3ce929d0e0e4736&text=loyer+%3Cb%3E&cursor=x";
    add("logs_filtered", logs(every, Some(t.entries_found("1,234")), entries_of_log(), None));
    add("logs_none", logs(b"text=nothing", None, Vec::new(), None));
    stories(t, &mut add);
    let entries = entries_of_log();
    let notices = NoticesPage {
        f: frame(t, Some(Role::Member), Place::Notices, t.notifications()),
        t,
        notices: entries.iter().enumerate().map(|(n, entry)| told(t, &notice(entry, n > 0), Some(entry))).collect(),
        newest: Some(entries[0].id.to_string()),
        first: None,
        next: None,
    };
    add("notices", notices.render());
}

fn stories(t: T, add: &mut impl FnMut(&'static str, askama::Result<String>)) {
    let entry = |n: usize, staff: bool| {
        let mut entry = entries_of_log().swap_remove(n);
        entry.actor = entry.actor.filter(|_| staff);
        let role = if staff { Role::Agent } else { Role::Member };
        let f = frame(t, Some(role), Place::Logs, t.action(entry.action));
        LogPage::of(f, LoggedEntry { entry, index: 12_345 }, staff).render()
    };
    add("log", entry(0, true));
    add("log_bare", entry(3, true));
    add("log_member", entry(2, false));
    let day = at("2026-11-20T00:00:00Z").day();
    let later = |today: &str| Some((day, at(today).day()));
    let story = |title: &str, staff, user: &str, trace: &str, days, entries, cut| {
        let f = frame(t, Some(if staff { Role::Agent } else { Role::Member }), Place::Logs, title);
        StoryPage::of(f, staff, user.to_owned(), trace.to_owned(), days, entries, cut).render()
    };
    let mut entries = entries_of_log();
    for (n, time) in ["18:20:00", "17:03:07", "16:42:00", "09:00:00.25"].into_iter().enumerate() {
        entries[n].at = at(&format!("2026-11-20T{time}Z"));
    }
    let (title, today) = (t.story_of_day(), later("2026-11-21T00:00:00Z"));
    add("story", story(title, true, "fontaine", "", today, entries.clone(), true));
    add("story_member", story(title, false, "fontaine", "", later("2026-11-20T00:00:00Z"), entries.clone(), false));
    add("story_none", story(title, true, "nobody", "", today, Vec::new(), false));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    add("story_request", story(t.story_of_request(), true, "", trace, None, entries, false));
}

/// The charts at their edges: nothing, one hour, huge numbers, more days than an eye tells apart.
fn dashboards(t: T, pages: &mut Pages) {
    let mut add = |name, query: &[u8], per, points, busy: fn(u64) -> [u64; 3]| {
        let some = || summary(per, points, busy);
        let counted = Counted { all: some(), failures: some(), approvals: some(), refusals: some() };
        let f = frame(t, Some(Role::Agent), Place::Dashboard, t.dashboard());
        pages.push((name, DashboardPage::of(f, &Form::read(query), &counted).render().unwrap()));
    };
    add("dashboard", b"", Per::Day, 30, |n| [n * 37 % 101, n * 7 % 11, u64::from(n % 9 == 0)]);
    add("dashboard_day", b"period=day", Per::Hour, 24, |n| [n % 5, n % 2, 0]);
    add("dashboard_week", b"period=week", Per::Hour, 168, |n| [n % 24, n % 7 / 5, 0]);
    add("dashboard_none", b"period=day", Per::Hour, 24, |_| [0, 0, 0]);
    add("dashboard_empty", b"", Per::Hour, 0, |_| [0, 0, 0]);
    add("dashboard_one", b"period=day", Per::Hour, 1, |_| [1, 0, 0]);
    add("dashboard_huge", b"from=2026-11-20", Per::Day, 7, |n| [u64::MAX / (n + 1), 1, n]);
    add("dashboard_days", b"from=2025-10-18", Per::Day, 400, |n| [1_000 + n * n % 977, n % 13, n % 3]);
}

fn every_page(language: Language) -> Pages {
    let t = T(language);
    let mut pages = Vec::new();
    people_pages(t, &mut pages);
    security_pages(t, &mut pages);
    reset_pages(t, &mut pages);
    money_pages(t, &mut pages);
    moving_pages(t, &mut pages);
    request_pages(t, &mut pages);
    staff_pages(t, &mut pages);
    journal_pages(t, &mut pages);
    super::watched::monitor_pages(t, &mut pages);
    dashboards(t, &mut pages);
    pages
}

#[test]
fn every_page_renders_in_both_languages_within_its_rules() {
    for (language, tag) in [(Language::Fr, "fr"), (Language::En, "en")] {
        for (name, html) in every_page(language) {
            let page = format!("{name} in {tag}");
            if let Some(folder) = std::env::var_os("GUICHET_PAGES") {
                std::fs::write(std::path::Path::new(&folder).join(format!("{name}.{tag}.html")), &html).unwrap();
            }
            assert!(html.contains(&format!("<html lang=\"{tag}\"")), "{page}: language");
            assert_eq!(html.matches("<h1").count(), 1, "{page}: one h1");
            assert!(!html.contains("style=") && !html.contains("<style"), "{page}: inline style");
            assert!(!html.contains("onclick") && html.matches("<script").count() == 1, "{page}: inline script");
            assert!(html.contains("defer></script>"), "{page}: the script has no body");
            assert!(!html.contains("<b>"), "{page}: what people write is escaped");
            assert!(html.len() < 100_000, "{page}: {} bytes", html.len());
            let posts = html.matches("method=\"post\"").count();
            let open = ["sign_in", "register", "sign_in_refused", "register_faults", "code", "code_wrong", "lost"];
            let open = open.contains(&name) || ["forgot", "new_password", "new_address"].contains(&name);
            assert!(open || html.matches("name=\"csrf\"").count() == posts, "{page}: every form carries the token");
            assert!(html.matches("<table").count() == html.matches("<caption").count(), "{page}: captions");
            let labels = html.matches("<label").count();
            let inputs = html.matches("<input id=").count()
                + html.matches("<select id=").count()
                + html.matches("<textarea id=").count();
            assert_eq!(labels, inputs, "{page}: every field has its label");
        }
    }
}

/// Words that stand in one language only.
#[test]
fn no_page_mixes_the_languages() {
    for (name, html) in every_page(Language::En) {
        for french in ["Solde", "Montant", "Demande", "Identifiant", "Retour", "Aucun", "Envoyer", "Bénéficiaire"] {
            assert!(!html.contains(french), "{name} in English says {french}");
        }
    }
    for (name, html) in every_page(Language::Fr) {
        for english in ["Balance", "Amount", "Pending", "Password", "Sign in", "Please", "Cancel", "Payee"] {
            assert!(!html.contains(english), "{name} in French says {english}");
        }
    }
}
