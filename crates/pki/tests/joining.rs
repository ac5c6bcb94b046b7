//! How services get certificates over the network: tokens, renewals, dismissal, and what is noted of them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use pki::{
    Algorithm, Bound, Bounds, Check, Deed, Folder, Grant, Identity, Member, Passphrase, PkiError, Plan, PrivateKey,
    Profile, Reason, Said, Shown, SigningRequest, Token, Wish, show, verify,
};
use serde_json::Value;
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

    /// By a certificate that a service has.
    fn renew(&mut self, service: &str, present: &str, wish: &Wish) -> Result<Grant, String> {
        let serial = serial(present);
        let renewed = self.folder.renew_member(service, &serial, wish, &self.clock, &Chance::system());
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

fn serial(chain: &str) -> String {
    let shown = show(chain, None, Clock::system().now()).unwrap();
    let Shown::Certificate { serial, .. } = shown.into_iter().next().unwrap() else { unreachable!() };
    serial
}

/// With one for browsers too.
fn both() -> Wish {
    Wish { https: Some(wish(&[]).1.own), ..wish(&[]).1 }
}

fn wish(names: &[&str]) -> (PrivateKey, Wish) {
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let named = || SigningRequest::make(&key, "bank", &names);
    let request = if names.is_empty() { SigningRequest::bare(&key) } else { named() }.unwrap();
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
    assert!(home.renew("bank", &grant.own, &both()).unwrap_err().contains("--https"));
    let outside = Member { names: vec!["elsewhere.example".into()], ..Member::new("bank") };
    let refused = home.folder.invite(&outside, PLACE, MINUTES, &home.clock, &Chance::system());
    assert!(refused.unwrap_err().to_string().contains("elsewhere.example"));
}

#[test]
fn who_was_sent_away_gets_nothing_and_is_believed_no_more() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    let first = home.join(&token, "bank", &wish(&[]).1).unwrap().own;
    let second = home.renew("bank", &first, &wish(&[]).1).unwrap().own;
    assert_ne!(first, second);
    let taken = home.folder.dismiss("bank", Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
    assert_eq!(taken, 2);
    for chain in [&first, &second] {
        assert!(home.believed(chain, None).unwrap_err().to_string().contains("revoked"));
    }
    let mut home = home.reopened();
    assert!(home.renew("bank", &second, &wish(&[]).1).unwrap_err().contains("was revoked on 2026-11-21"));
    // Even by one of its certificates that somebody signed by hand.
    let asked = SigningRequest::read(&SigningRequest::make(&wish(&[]).0, "bank", &[]).unwrap()).unwrap();
    let request = Profile::Client.request("bank", Vec::new());
    let by_hand = home.folder.sign(&asked, &request, &home.clock, &Chance::system()).unwrap();
    assert!(home.renew("bank", &by_hand, &wish(&[]).1).unwrap_err().contains("sent away"));
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
    let second = home.renew("bank", &first, &asked).unwrap().own;
    // As if the power went between the two: the certificate is new, its key lies beside the old one.
    pki::files::write(&dir.join("bank-key.pem.next"), &key.pem(), pki::files::Readers::Owner).unwrap();
    let before = Identity::open(&dir, "bank").unwrap();
    pki::files::write(&dir.join("bank.pem"), &second, pki::files::Readers::Everyone).unwrap();
    let after = Identity::open(&dir, "bank").unwrap();
    assert_eq!((before.name(), after.name()), (Some("bank".into()), Some("bank".into())));
    assert_eq!(std::fs::read_to_string(dir.join("bank-key.pem")).unwrap(), *key.pem());
    assert!(!dir.join("bank-key.pem.next").exists());
}

#[test]
fn a_certificate_that_was_taken_back_renews_nothing_nor_does_that_of_another() {
    let mut home = Home::new(&[]);
    let (bank, web) = (home.invite(&Member::new("bank")), home.invite(&Member::new("web")));
    let first = home.join(&bank, "bank", &wish(&[]).1).unwrap().own;
    let other = home.join(&web, "web", &wish(&[]).1).unwrap().own;
    let second = home.renew("bank", &first, &wish(&[]).1).unwrap().own;
    home.folder.revoke(&serial(&first), Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
    let said = home.renew("bank", &first, &wish(&[]).1).unwrap_err();
    assert!(said.contains("revoked on 2026-11-21") && said.contains("guichet pki token"), "{said}");
    let said = home.renew("bank", &other, &wish(&[]).1).unwrap_err();
    assert!(said.contains("none of its own"), "{said}");
    home.renew("bank", &second, &wish(&[]).1).unwrap();
    // Nor does one that nobody knows any more.
    let foreign = Home::new(&[]);
    let mut elsewhere = Home { folder: foreign.folder, clock: foreign.clock, dir: foreign.dir };
    elsewhere.invite(&Member::new("bank"));
    assert!(elsewhere.renew("bank", &second, &wish(&[]).1).unwrap_err().contains("none of its own"));
}

#[test]
fn what_browsers_are_shown_is_taken_back_with_its_service() {
    let mut home = Home::new(&[]);
    let member = |name: &str| Member { https: vec!["localhost".into()], ..Member::new(name) };
    let (web, other) = (home.invite(&member("web")), home.invite(&member("elsewhere")));
    let kept = home.join(&other, "elsewhere", &both()).unwrap();
    let grant = home.join(&web, "web", &both()).unwrap();
    let renewed = home.renew("web", &grant.own, &both()).unwrap();
    assert_eq!(home.folder.dismiss("web", Reason::CessationOfOperation, &home.clock, &Chance::system()).unwrap(), 4);
    let listed = pki::revoked_in(&home.folder.list_pem().unwrap()).unwrap();
    for chain in [&grant.own, &renewed.own, grant.https.as_ref().unwrap(), renewed.https.as_ref().unwrap()] {
        assert!(listed.contains(&serial(chain)), "{listed:?}");
    }
    assert!(!listed.contains(&serial(&kept.own)) && !listed.contains(&serial(&kept.https.unwrap())));
    // What a former version wrote says it by the name in the certificate alone.
    let path = home.dir.path().join("pki/index.json");
    let mut index: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for entry in index["issued"].as_array_mut().unwrap() {
        for newer in ["member", "line"] {
            entry.as_object_mut().unwrap().remove(newer);
        }
    }
    std::fs::write(&path, serde_json::to_string(&index).unwrap()).unwrap();
    let mut home = home.reopened();
    assert_eq!(home.folder.dismiss("elsewhere", Reason::default(), &home.clock, &Chance::system()).unwrap(), 1);
}

#[test]
fn whoever_renews_again_and_again_has_to_wait_and_other_instances_do_not() {
    let mut home = Home::new(&[]);
    let lives = |seconds| Member { life_seconds: seconds, ..Member::new("bank") };
    for life in [60, 24 * 3600] {
        let (one, other) = (home.invite(&lives(life)), home.invite(&lives(life)));
        let first = home.join(&one, "bank", &wish(&[]).1).unwrap().own;
        let second = home.join(&other, "bank", &wish(&[]).1).unwrap().own;
        let mut signed = 1;
        let mut present = first.clone();
        let said = loop {
            match home.renew("bank", if signed % 2 == 0 { &first } else { &present }, &wish(&[]).1) {
                Ok(grant) => present = grant.own,
                Err(said) => break said,
            }
            signed += 1;
            assert!(signed < 20, "no end");
        };
        assert!(signed == 8 && said.contains("it has 8 that live") && said.contains("from 2026-"), "{signed}: {said}");
        home.renew("bank", &second, &wish(&[]).1).unwrap();
        // It waits, and is not locked out.
        home.clock.advance(Duration::from_secs(life / 10));
        home.renew("bank", &first, &wish(&[]).1).unwrap();
        home.renew("bank", &first, &wish(&[]).1).unwrap_err();
        // Whoever renews at two thirds never notices.
        let mut present = second;
        for _ in 0..30 {
            home.clock.advance(Duration::from_secs(life * 2 / 3));
            present = home.renew("bank", &present, &wish(&[]).1).unwrap().own;
        }
    }
}

#[test]
fn the_index_does_not_grow_with_time() {
    let mut home = Home::new(&[]);
    let member = Member { https: vec!["localhost".into()], life_seconds: 60, ..Member::new("web") };
    let token = home.invite(&member);
    let mut present = home.join(&token, "web", &both()).unwrap().own;
    let mut most = 0;
    for round in 0..220 {
        home.clock.advance(Duration::from_secs(40));
        present = home.renew("web", &present, &both()).unwrap().own;
        if round == 150 {
            most = home.folder.issued().len();
        }
    }
    assert_eq!(home.folder.issued().len(), most, "an hour and a half is forgotten after an hour");
    // A process of the authority's own that is started again and again.
    for _ in 0..50 {
        home.folder.own("authority", &home.clock, &Chance::system()).unwrap();
    }
    assert!(home.folder.issued().iter().filter(|one| one.common_name == "authority").count() <= 8);
    // What was taken back stays until every list has ended that did not name it.
    home.folder.revoke(&serial(&present), Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
    let knows = |home: &Home| home.folder.issued().iter().any(|one| one.serial == serial(&present));
    for (days, known) in [(6, true), (2, false)] {
        home.clock.advance(Duration::from_hours(24 * days));
        home.folder.told(0, &home.clock).unwrap();
        assert_eq!(knows(&home), known, "{days}");
    }
}

#[test]
fn a_full_index_signs_nothing_more_and_still_takes_back() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    let present = home.join(&token, "bank", &wish(&[]).1).unwrap().own;
    let path = home.dir.path().join("pki/index.json");
    let mut index: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let issued = index["issued"].as_array_mut().unwrap();
    let mut another = issued[0].clone();
    another.as_object_mut().unwrap().remove("line");
    for number in 0..30_000 {
        another["serial"] = Value::String(format!("{number:032x}"));
        issued.push(another.clone());
    }
    let text = serde_json::to_string(&index).unwrap();
    std::fs::write(&path, &text).unwrap();
    let mut home = home.reopened();
    let said = home.renew("bank", &present, &wish(&[]).1).unwrap_err();
    assert!(said.contains("more than 8 MiB"), "{said}");
    let said = home.folder.invite(&Member::new("web"), PLACE, MINUTES, &home.clock, &Chance::system()).unwrap_err();
    assert!(said.to_string().contains("more than 8 MiB"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "what could not be noted was not written");
    assert_eq!(home.folder.members().len(), 1, "nor is it believed");
    home.folder.revoke(&serial(&present), Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
    assert!(home.believed(&present, None).unwrap_err().to_string().contains("revoked"));
    // It mends itself.
    home.clock.advance(Duration::from_hours(24 * 4));
    let mut home = home.reopened();
    let token = home.invite(&Member::new("web"));
    home.join(&token, "web", &wish(&[]).1).unwrap();
}

#[test]
fn a_refused_token_is_noted_once_for_each_reason_and_pushes_nothing_out() {
    let mut home = Home::new(&[]);
    let token = home.invite(&Member::new("bank"));
    for _ in 0..3 {
        home.join(&token, "web", &wish(&[]).1).unwrap_err();
        home.join(&token, "journal", &wish(&[]).1).unwrap_err();
    }
    home.join(&token, "bank", &wish(&[]).1).unwrap();
    let mut home = home.reopened();
    for _ in 0..3 {
        home.join(&token, "bank", &wish(&[]).1).unwrap_err();
    }
    let noted = [Deed::Invited, Deed::Refused, Deed::Issued, Deed::Refused];
    assert_eq!(home.deeds(), noted);
    // As many as are kept, while the journal is away.
    let path = home.dir.path().join("pki/index.json");
    let mut index: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let events = index["events"].as_array_mut().unwrap();
    let done = events[0].clone();
    events.extend(std::iter::repeat_n(done, 10_000 - noted.len()));
    std::fs::write(&path, serde_json::to_string(&index).unwrap()).unwrap();
    let mut home = home.reopened();
    let counted = |home: &Home| {
        let kept = home.folder.untold(20_000);
        let of = |deed| kept.iter().filter(|event| event.deed == deed).count();
        (of(Deed::Invited), of(Deed::Issued), of(Deed::Refused))
    };
    let late = home.invite(&Member::new("web"));
    home.invite(&Member::new("web"));
    assert_eq!(counted(&home), (9_999, 1, 0), "refusals went first");
    home.join(&late, "bank", &wish(&[]).1).unwrap_err();
    assert_eq!(counted(&home), (9_999, 1, 0), "and none pushes out what was done");
}

#[test]
fn the_journal_hears_of_a_new_intermediate_and_of_a_stolen_one() {
    let mut home = Home::new(&[]);
    home.invite(&Member::new("bank"));
    let key = std::fs::read_to_string(home.dir.path().join("pki/root-key.pem")).unwrap();
    let words = Passphrase::new("velvet anchor tumbles south".to_owned()).unwrap();
    for stolen in [false, true] {
        let (key, _) = PrivateKey::read(&key, Some(&words)).unwrap();
        home.folder.renew_intermediate(key, stolen, &home.clock, &Chance::system()).unwrap();
    }
    assert_eq!(home.deeds(), [Deed::Invited, Deed::Issued, Deed::Revoked, Deed::Issued]);
    let revoked = &home.folder.untold(100)[2];
    assert_eq!((revoked.name.as_str(), revoked.serial.is_some()), ("Test bank intermediate 2", true));
    assert!(revoked.detail.contains("key_compromise"), "{}", revoked.detail);
}

#[test]
fn a_further_instance_is_invited_in_a_few_words() {
    let mut home = Home::new(&[]);
    let said = Said {
        names: Some(vec!["a.internal".into()]),
        https: Some(vec!["bank.example".into()]),
        life: Some(Duration::from_hours(1)),
    };
    let first = home.folder.member("web", said);
    home.invite(&first);
    let second = home.folder.member("web", Said::default());
    assert_eq!(second, first, "of what is not said, nothing changes");
    let third = home.folder.member("web", Said { names: Some(vec!["b.internal".into()]), ..Said::default() });
    assert_eq!(third, Member { names: vec!["b.internal".into()], ..first });
    home.folder.dismiss("web", Reason::default(), &home.clock, &Chance::system()).unwrap();
    assert_eq!(home.folder.member("web", Said::default()), Member::new("web"), "who was sent away begins anew");
}
