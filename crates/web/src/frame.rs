//! What surrounds every page: the mark, the way around, the language, the theme, who signed in.
//!
//! Knows the roles, and which places each may go to.

use contracts::roles::Role;

use crate::assets::{MARK, SCRIPT, STYLE};
use crate::texts::T;
use crate::visit::Visit;

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Where on the way around a page stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Elsewhere,
    Accounts,
    Transfer,
    Requests,
    Notices,
    Profile,
    Inbox,
    People,
    Clients,
    Dashboard,
    Logs,
    Status,
    Monitor,
}

/// A link of the way around.
pub(crate) struct Link {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) current: bool,
    /// How much there was not read yet, if anything.
    pub(crate) unread: Option<String>,
}

/// What surrounds a page.
pub(crate) struct Frame {
    pub(crate) t: T,
    pub(crate) title: String,
    pub(crate) bank: String,
    pub(crate) theme: Theme,
    /// Where language and theme come back to.
    pub(crate) here: String,
    pub(crate) csrf: String,
    /// The visitor's name, once signed in.
    pub(crate) name: Option<String>,
    /// Under the name: what they do here.
    pub(crate) role: &'static str,
    pub(crate) links: Vec<Link>,
    /// Whether the visitor's own page is shown.
    pub(crate) profile: bool,
    /// What was just done, told once.
    pub(crate) done: Option<&'static str>,
    pub(crate) style: &'static str,
    pub(crate) script: &'static str,
    pub(crate) mark: &'static str,
}

impl Frame {
    pub(crate) fn new(visit: &Visit, place: Place, title: String, bank: String, unread: u32) -> Self {
        let t = visit.t;
        let signed = visit.somebody();
        Self {
            t,
            title,
            bank,
            theme: visit.theme,
            here: visit.here.clone(),
            csrf: signed.map(|signed| signed.csrf.clone()).unwrap_or_default(),
            name: signed.map(|signed| format!("{} {}", signed.user.first_name, signed.user.last_name)),
            role: signed.map_or("", |signed| t.role(&signed.user.role)),
            links: links(t, visit.role(), place, unread),
            profile: place == Place::Profile,
            done: t.done(visit.query.get("done")),
            style: &STYLE.url,
            script: &SCRIPT.url,
            mark: &MARK.url,
        }
    }

    /// As the `lang` attribute has it.
    pub(crate) fn lang(&self) -> &'static str {
        self.t.tag()
    }
}

pub(crate) fn links(t: T, role: Option<Role>, place: Place, unread: u32) -> Vec<Link> {
    let count = (unread > 0).then(|| if unread > 99 { "99+".to_owned() } else { unread.to_string() });
    let link = |href, label, at| Link {
        href,
        label,
        current: place == at,
        unread: count.clone().filter(|_| at == Place::Notices),
    };
    let notices = link("/notifications", t.notifications(), Place::Notices);
    match role {
        None => Vec::new(),
        Some(Role::Member) => vec![
            link("/accounts", t.accounts(), Place::Accounts),
            link("/transfer", t.transfer(), Place::Transfer),
            link("/requests", t.requests(), Place::Requests),
            notices,
        ],
        Some(Role::Agent) => vec![
            link("/inbox", t.inbox(), Place::Inbox),
            link("/users", t.members(), Place::People),
            link("/clients", t.client_accounts(), Place::Clients),
            link("/dashboard", t.dashboard(), Place::Dashboard),
            link("/logs", t.logs(), Place::Logs),
            link("/accounts", t.my_accounts(), Place::Accounts),
            link("/requests", t.my_requests(), Place::Requests),
            notices,
        ],
        Some(Role::Superuser) => vec![
            link("/users", t.people(), Place::People),
            link("/status", t.system_status(), Place::Status),
            link("/monitor", t.monitoring(), Place::Monitor),
            link("/dashboard", t.dashboard(), Place::Dashboard),
            link("/logs", t.logs(), Place::Logs),
            link("/accounts", t.my_accounts(), Place::Accounts),
            link("/requests", t.my_requests(), Place::Requests),
            notices,
        ],
    }
}
