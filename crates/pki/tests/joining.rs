//! How services get certificates over the network: tokens, renewals, dismissal, and what is noted of them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use pki::{
    Algorithm, Bound, Bounds, Check, Deed, Folder, Grant, Identity, Member, Passphrase, PkiError, Plan, PrivateKey,
    Reason, SigningRequest, Token, Wish, verify,
};
use vocabulary::{Chance, Clock};

const MINUTES: Duration = Duration::from_mins(10);
const PLACE: &str = "https://ca.internal:8450";

struct Home {
    dir: tempfile::TempDir,
    clock: Clock,
    folder: Folder,
}

impl Home {
    fn new(bounds: &[&str]) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual("2026-11-21T09:30:00Z".parse().unwrap()));
        let bounds = Bounds::new(bounds.iter().map(|b| b.parse::<Bound>().unwrap())).unwrap();
        let plan = Plan {
            name: "Test bank",
            root_key: PrivateKey::generate(Algorithm::P256).unwrap(),
            intermediate_key: PrivateKey::generate(Algorithm::P256).unwrap(),
            passphrase: &Passphrase::new("velvet anchor tumbles south".to_owned()).unwrap(),
            root_key_file: None,
            bounds: &bounds,
        };
        let folder = Folder::init(&dir.path().join("pki"), plan, &clock, &Chance::system()).unwrap();
        Self { dir, clock, folder }
    }

    fn invite(&mut self, member: &Member) -> Token {
        self.folder.invite(member, PLACE, MINUTES, &self.clock, &Chance::system()).unwrap()
    }

    fn join(&mut self, token: &Token, service: &str, wish: &Wish) -> Result<Grant, String> {
        let joined = self.folder.join(token.secret(), service, wish, &self.clock, &Chance::system());
        joined.map_err(|error| error.to_string())
    }

    fn renew(&mut self, service: &str, wish: &Wish) -> Result<Grant, String> {
        let renewed = self.folder.renew_member(service, wish, &self.clock, &Chance::system());
        renewed.map_err(|error| error.to_string())
    }

    /// What the folder knows after everything was read again.
    fn reopened(self) -> Self {
        let Self { dir, clock, folder } = self;
        drop(folder);
        let folder = Folder::open(&dir.path().join("pki")).unwrap();
        Self { dir, clock, folder }
    }

    fn believed(&self, chain: &str, at: Option<&Clock>) -> Result<(), PkiError> {
        let (roots, lists) = (self.folder.root_pem().unwrap(), self.folder.list_pem().unwrap());
        let at = at.unwrap_or(&self.clock).now();
        let check =
            Check { roots: &roots, lists: Some(&lists), server_name: Some("bank"), server: true, client: true, at };
        verify(chain, &check)
    }

    fn deeds(&self) -> Vec<Deed> {
        self.folder.untold(100).iter().map(|event| event.deed).collect()
    }
}

fn wish(names: &[&str]) -> (PrivateKey, Wish) {
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let request = SigningRequest::make(&key, "bank", &names).unwrap();
    (key, Wish { own: SigningRequest::read(&request).unwrap(), https: None })
}

#[test]
fn a_token_works_once_for_one_service_and_in_time() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    let (key, first) = wish(&[]);
    // Nobody else can use it, and trying spoils nothing.
    let said = home.join(&token, "web", &first).unwrap_err();
    assert!(said.contains("for bank, not for web"), "{said}");
    let grant = home.join(&token, "bank", &first).unwrap();
    home.believed(&grant.own, None).unwrap();
    assert_eq!(Identity::from_pem(&grant.own, &key.pem()).unwrap().name().as_deref(), Some("bank"));
    let mut home = home.reopened();
    let said = home.join(&token, "bank", &wish(&[]).1).unwrap_err();
    assert!(said.contains("was used on 2026-11-21") && said.contains("revoke --service bank"), "{said}");
    let late = home.invite(&Member::new("web"));
    home.clock.advance(MINUTES + Duration::from_secs(1));
    let said = home.join(&late, "web", &wish(&[]).1).unwrap_err();
    assert!(said.contains("good until 2026-11-21"), "{said}");
    let foreign = Home::new(&[]).invite(&Member::new("bank"));
    assert!(home.join(&foreign, "bank", &wish(&[]).1).unwrap_err().contains("not known here"));
    let expected = [Deed::Invited, Deed::Refused, Deed::Issued, Deed::Refused, Deed::Invited, Deed::Refused];
    assert_eq!(home.deeds(), expected);
    let index = std::fs::read_to_string(home.dir.path().join("pki/index.json")).unwrap();
    assert!(!index.contains(token.secret()) && !index.contains(late.secret()));
}

#[test]
fn a_certificate_says_what_the_register_says_and_no_more() {
    let mut home = Home::new(&["bank", "bank.internal", "10.0.0.0/8"]);
    let mut member = Member::new("bank");
    member.names = vec!["a.bank.internal".into(), "10.0.0.5".into()];
    let token = home.invite(&member);
    let said = home.join(&token, "bank", &wish(&["evil.example"]).1).unwrap_err();
    assert!(said.contains("evil.example"), "{said}");
    let grant = home.join(&token, "bank", &wish(&[]).1).unwrap();
    home.believed(&grant.own, None).unwrap();
    let entry = home.folder.issued().last().unwrap();
    assert_eq!((entry.names.len(), entry.life_seconds), (3, 24 * 3600));
    // For browsers only where somebody said so.
    let (_, mut both) = wish(&[]);
    both.https = Some(wish(&[]).1.own);
    assert!(home.renew("bank", &both).unwrap_err().contains("--https"));
    let outside = Member { names: vec!["elsewhere.example".into()], ..Member::new("bank") };
    let refused = home.folder.invite(&outside, PLACE, MINUTES, &home.clock, &Chance::system());
    assert!(refused.unwrap_err().to_string().contains("elsewhere.example"));
}

#[test]
fn who_was_sent_away_gets_nothing_and_is_believed_no_more() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    let first = home.join(&token, "bank", &wish(&[]).1).unwrap().own;
    let second = home.renew("bank", &wish(&[]).1).unwrap().own;
    assert_ne!(first, second);
    assert!(home.renew("web", &wish(&[]).1).unwrap_err().contains("never invited"));
    let taken = home.folder.dismiss("bank", Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
    assert_eq!(taken, 2);
    for chain in [&first, &second] {
        assert!(home.believed(chain, None).unwrap_err().to_string().contains("revoked"));
    }
    let mut home = home.reopened();
    assert!(home.renew("bank", &wish(&[]).1).unwrap_err().contains("sent away"));
    // Invited again, it begins anew.
    let token = home.invite(&Member::new("bank"));
    let third = home.join(&token, "bank", &wish(&[]).1).unwrap().own;
    home.believed(&third, None).unwrap();
}

#[test]
fn events_are_numbered_without_gaps_and_kept_until_told() {
    let mut home = Home::new(&[]);
    for _ in 0..3 {
        home.invite(&Member::new("bank"));
    }
    let numbers = |home: &Home| home.folder.untold(100).iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(numbers(&home), [1, 2, 3]);
    home.folder.told(2, &home.clock).unwrap();
    let mut home = home.reopened();
    home.invite(&Member::new("bank"));
    assert_eq!(numbers(&home), [3, 4]);
    home.folder.told(4, &home.clock).unwrap();
    let mut home = home.reopened();
    home.invite(&Member::new("bank"));
    assert_eq!(numbers(&home), [5]);
}

#[test]
fn a_token_is_read_whole_or_refused_in_words() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    let text = token.expose();
    let again: Token = format!("  {}\n", text.as_str()).parse().unwrap();
    assert_eq!((again.secret(), again.authority()), (token.secret(), PLACE));
    let http = text.replace("https", "http");
    for wrong in ["", "abc", &text[1..], http.as_str(), "x@y.z"] {
        assert!(wrong.parse::<Token>().unwrap_err().to_string().contains("guichet pki token"), "{wrong}");
    }
    assert!(!format!("{token:?}").contains(token.secret()));
}

#[test]
fn a_renewal_that_was_cut_off_leaves_a_pair_that_fits() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    let (key, asked) = wish(&[]);
    let first = home.join(&token, "bank", &asked).unwrap().own;
    let dir = home.dir.path().join("node");
    Identity::keep(&dir, "bank", &first, &key.pem()).unwrap();
    let (key, asked) = wish(&[]);
    let second = home.renew("bank", &asked).unwrap().own;
    // As if the power went between the two: the certificate is new, its key lies beside the old one.
    pki::files::write(&dir.join("bank-key.pem.next"), &key.pem(), pki::files::Readers::Owner).unwrap();
    let before = Identity::open(&dir, "bank").unwrap();
    pki::files::write(&dir.join("bank.pem"), &second, pki::files::Readers::Everyone).unwrap();
    let after = Identity::open(&dir, "bank").unwrap();
    assert_eq!((before.name(), after.name()), (Some("bank".into()), Some("bank".into())));
    assert_eq!(std::fs::read_to_string(dir.join("bank-key.pem")).unwrap(), *key.pem());
    assert!(!dir.join("bank-key.pem.next").exists());
}
