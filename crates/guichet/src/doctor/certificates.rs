//! The files of certificates: there, closed to others, whose they say, signed by whom, and how much of their life is over.

use std::io::ErrorKind;
use std::path::Path;

use pki::{Check, Identity, Life, Link, PkiError, Trust};
use vocabulary::{Clock, Timestamp};

use super::Findings;
use crate::cli::ServiceName;
use crate::node::Node;

/// Renewal is due at 667 thousandths of a life; past these it has failed for a while.
const LATE: u64 = 833;
const ABOUT: &str = "certificate";

/// Looks at all of them; gives what the service shows others, if that can be used.
pub(super) fn examine(node: &Node, clock: &Clock, findings: &mut Findings) -> Option<Link> {
    if node.service == ServiceName::Authority {
        authority(node, clock, findings);
        return None;
    }
    let folder = &node.certificates;
    let own = node.service.name();
    let whole = Folder { own, path: folder, at: clock.now() };
    let trusted = whole.trusted(findings);
    if node.service == ServiceName::Web
        && let Some(https) = whole.opened("https", findings)
    {
        // Whom browsers trust is not known here; whether it is in time is.
        whole.life("https.pem", https.life(), findings);
    }
    let identity = whole.opened(own, findings)?;
    if identity.name().as_deref() != Some(own) {
        let says = identity.name().unwrap_or_else(|| "nobody".into());
        findings.wrong(
            ABOUT,
            format!("{own}.pem is the certificate of {says}, not of {own}"),
            format!("put the certificate of {own} there; the others know it by the name in it"),
        );
    }
    whole.life(&format!("{own}.pem"), identity.life(), findings);
    let (ca, lists) = trusted?;
    whole.judge(own, &ca, lists.as_deref(), identity.life(), findings);
    let trust = Trust::of(&ca).and_then(|trust| match &lists {
        Some(lists) => trust.with_lists(lists),
        None => Ok(trust),
    });
    trust.and_then(|trust| Link::new(identity, trust, clock)).ok()
}

/// The authority itself has its folder instead; its own certificate is made at each start.
fn authority(node: &Node, clock: &Clock, findings: &mut Findings) {
    let dir = &node.pki_dir;
    let whole = Folder { own: node.service.name(), path: dir, at: clock.now() };
    let signs = pki::Folder::open(dir).and_then(|folder| {
        let (life, lists) = (folder.authority(clock)?.life(), folder.list_pem()?);
        Trust::of(&folder.root_pem()?)?.with_lists(&lists)?;
        Ok(life)
    });
    match signs {
        Ok(life) => {
            findings.well(ABOUT, format!("the authority in {} can sign, and knows what it took back", dir.display()));
            whole.life("intermediate.pem", life, findings);
        }
        Err(error) => findings.wrong(
            ABOUT,
            format!("the authority in {} cannot sign: {error}", dir.display()),
            "run this as the service's user; `guichet pki init` makes an authority, a backup brings one back",
        ),
    }
}

struct Folder<'a> {
    own: &'static str,
    path: &'a Path,
    at: Timestamp,
}

impl Folder<'_> {
    /// How a service comes by its certificates.
    fn join(&self) -> String {
        let own = self.own;
        format!(
            "start it with `guichet serve {own} --join TOKEN`, a token of `guichet pki token --service {own}` where the authority \
             is; or put the file there, readable by this user"
        )
    }

    /// The authority and its lists of what was taken back.
    fn trusted(&self, findings: &mut Findings) -> Option<(String, Option<String>)> {
        let (ca, lists) = (self.path.join("ca.pem"), self.path.join("crl.pem"));
        let text = match std::fs::read_to_string(&ca) {
            Ok(text) => text,
            Err(error) => {
                findings.wrong(
                    ABOUT,
                    format!("the certificate of the bank's authority, {}, cannot be read: {error}", ca.display()),
                    self.join(),
                );
                return None;
            }
        };
        if let Err(error) = Trust::of(&text) {
            findings.wrong(
                ABOUT,
                format!("{}: {error}", ca.display()),
                "put the authority's root certificate there again",
            );
            return None;
        }
        match std::fs::read_to_string(&lists) {
            Ok(lists) => Some((text, Some(lists))),
            Err(error) if error.kind() == ErrorKind::NotFound => Some((text, None)),
            Err(error) => {
                findings.wrong(ABOUT, format!("{} cannot be read: {error}", lists.display()), "let this user read it");
                None
            }
        }
    }

    /// Certificate and key, which belong together and are closed to others.
    fn opened(&self, name: &str, findings: &mut Findings) -> Option<Identity> {
        let error = match Identity::open(self.path, name) {
            Ok(identity) => return Some(identity),
            Err(error) => error,
        };
        let mend = match &error {
            PkiError::File { source, .. } if source.kind() == ErrorKind::NotFound => self.join(),
            PkiError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                "run this as the service's user, or give that user the file".to_owned()
            }
            PkiError::OpenKey { .. } => "see before".to_owned(),
            _ => format!("have a new one issued: {name}.pem and {name}-key.pem come as a pair"),
        };
        match error {
            // Its words say what to do.
            PkiError::OpenKey { .. } => findings.note(ABOUT, super::Outcome::Wrong, error.to_string(), None),
            error => findings.wrong(ABOUT, format!("{name}.pem with {name}-key.pem: {error}"), mend),
        }
        None
    }

    /// By fraction, whatever its length.
    fn life(&self, file: &str, life: Life, findings: &mut Findings) {
        let spent = life.spent_permille(self.at);
        let percent = spent / 10;
        if self.at < life.from {
            findings.wrong(
                ABOUT,
                format!("{file} is not valid before {}, and here it is {}", life.from, self.at),
                "set the clock of this machine, or that of the authority, whichever is wrong",
            );
        } else if self.at > life.until {
            findings.wrong(
                ABOUT,
                format!("{file} expired on {}", life.until),
                "have a new one issued; if that should have happened by itself, see whether the authority can be reached",
            );
        } else if spent > LATE {
            findings.warning(
                ABOUT,
                format!("{percent} % of the life of {file} are over, and it ends on {}", life.until),
                "it should have been renewed after two thirds: renew it, and see whether the authority can be reached",
            );
        } else {
            findings.well(ABOUT, format!("{file} is valid until {} ({percent} % of its life are over)", life.until));
        }
    }

    /// Whether the others will believe it, as a server and as a client; its time apart.
    fn judge(&self, own: &str, ca: &str, lists: Option<&str>, life: Life, findings: &mut Findings) {
        let Ok(chain) = std::fs::read_to_string(self.path.join(format!("{own}.pem"))) else { return };
        let at = if life.holds(self.at) { self.at } else { life.from };
        let check = Check { roots: ca, lists, server_name: Some(own), server: true, client: true, at };
        match pki::verify(&chain, &check) {
            Ok(()) => {
                findings.well(ABOUT, format!("the authority in ca.pem signed {own}.pem, for both sides of a link"));
            }
            Err(error) => findings.wrong(
                ABOUT,
                format!("{own}.pem will be refused by the others: {error}"),
                format!("have it issued by the authority in ca.pem, for the name {own}"),
            ),
        }
    }
}
