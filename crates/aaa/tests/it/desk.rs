//! A desk where papers are kept: every policy, every credential, and people with passwords.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aaa::testing::Tester;
use aaa::*;
use futures_util::future::BoxFuture;
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Chance, Clock, Timestamp, UserId};

pub(crate) struct Clerk;
impl Group for Clerk {
    const NAME: &'static str = "clerk";
}
pub(crate) struct Reading;
impl Scope for Reading {
    const NAME: &'static str = "read";
}
pub(crate) struct Lately;
impl Freshness for Lately {
    const WITHIN: Option<Duration> = Some(Duration::from_mins(5));
}
pub(crate) struct Doubly;
impl Freshness for Doubly {
    const WITHIN: Option<Duration> = None;
    const SECOND_FACTOR: bool = true;
}
pub(crate) struct SeePaper;
impl Right for SeePaper {
    const NAME: &'static str = "see paper";
    const UNSEEN: Unseen = Unseen::Forbidden;
    type Id = u32;
}
pub(crate) struct SignPaper;
impl Right for SignPaper {
    const NAME: &'static str = "sign paper";
    type Id = u32;
}

macro_rules! operations {
    ($($name:ident $method:ident $path:literal $policy:ty => $reply:ty, { $($field:ident: $type:ty),* })+) => {$(
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
        impl Operation for $name {
            const ROUTE: Route = Route::$method("desk", $path);
            type Policy = $policy;
            type Reply = $reply;
        }
    )+};
}
operations! {
    Welcome get "/" Open => String, {}
    Shut post "/shut/{id}" Closed => Done, { id: u32 }
    Me get "/me" Signed => String, {}
    Change post "/me" Signed => String, { word: String }
    Read get "/papers" Scoped<Signed, Reading> => String, {}
    Keys get "/keys" StepUp<Signed, Lately> => String, {}
    Vault get "/vault" StepUp<Signed, Doubly> => String, {}
    Clerks get "/clerks" In<Clerk> => String, {}
    See get "/papers/{id}" May<Signed, SeePaper> => String, { id: u32 }
    Sign post "/papers/{id}/sign" FourEyes<In<Clerk>, SignPaper> => Done, { id: u32 }
}
impl On<u32> for See {
    fn on(&self) -> u32 {
        self.id
    }
}
impl On<u32> for Sign {
    fn on(&self) -> u32 {
        self.id
    }
}

/// Only with a password in a header; never with a token.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub(crate) struct Enter {}
impl Operation for Enter {
    const ROUTE: Route = Route::get("desk", "/enter").accepts(&[Scheme::Basic, Scheme::Digest]);
    type Policy = Signed;
    type Reply = String;
}

#[derive(Clone)]
pub(crate) struct Desk;

/// A paper and who wrote it.
pub(crate) struct Paper(pub(crate) UserId);
impl Parties for Paper {
    fn parties(&self) -> impl Iterator<Item = UserId> {
        std::iter::once(self.0)
    }
}

/// Paper 1 is Ann's, everything else is not there.
fn paper(id: u32) -> Option<Paper> {
    (id == 1).then(|| Paper(Principal::named("ann", [""; 0]).id))
}

impl Guard<SeePaper> for Desk {
    type Row = Paper;
    async fn check(&self, by: &Principal, id: u32) -> Result<Verdict<Paper>, Problem> {
        Ok(match paper(id) {
            Some(paper) if paper.0 == by.id => Verdict::Granted(paper),
            Some(_) => Verdict::Unseen,
            None => Verdict::Missing,
        })
    }
}
impl Guard<SignPaper> for Desk {
    type Row = Paper;
    async fn check(&self, _: &Principal, id: u32) -> Result<Verdict<Paper>, Problem> {
        // It forgets to ask whose paper it is: the layer does not.
        Ok(paper(id).map_or(Verdict::Missing, Verdict::Granted))
    }
}

async fn name<O: Operation>(_: Desk, call: Call<O, Desk>) -> Result<String, Problem>
where
    O::Policy: Enforce<O, Desk> + Identifies,
{
    Ok(call.by().login.clone())
}
async fn sign(_: Desk, _: Call<Sign, Desk>) -> Result<Done, Problem> {
    Ok(Done)
}

/// Ann and Bob, whose passwords are their names twice; Bob is a clerk.
pub(crate) struct Staff {
    pub(crate) hasher: Hasher,
    pub(crate) clock: Clock,
}
impl Staff {
    fn person(&self, login: &str) -> Option<Principal> {
        let now = self.clock.now();
        let groups: &[&str] = match login {
            "ann" => &[],
            "bob" => &["clerk"],
            _ => return None,
        };
        Some(Principal::named(login, groups.iter().copied()).during(now, now.plus(Duration::from_mins(1))))
    }
}
impl People for Staff {
    fn sign_in<'a>(&'a self, login: &'a str, password: Password) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(async move {
            let known = self.person(login);
            let right = Password::try_from(format!("{login}{login}")).unwrap();
            let hash = if known.is_some() { Some(self.hasher.hash(right).await?) } else { None };
            Ok(self.hasher.verify(password, hash).await?.is_right().then_some(known).flatten())
        })
    }
    fn known<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(std::future::ready(Ok(self.person(login))))
    }
    fn digest_secret<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<DigestSecret>, Problem>> {
        let secret = self.person(login).map(|_| DigestSecret::of(login, "desk", &format!("{login}{login}")));
        Box::pin(std::future::ready(Ok(secret)))
    }
}

#[derive(Default)]
pub(crate) struct Notes(pub(crate) Mutex<Vec<Decision>>);
impl Audit for Notes {
    fn note(&self, decided: Decided) {
        self.0.lock().unwrap().push(decided.record());
    }
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) signer: Signer,
    pub(crate) readable: Readable,
    pub(crate) notes: Arc<Notes>,
    pub(crate) module: Module,
    pub(crate) tester: Tester,
}

pub(crate) const TOKENS: HeaderName = HeaderName::from_static("x-access-tokens");
pub(crate) const REMOTE: HeaderName = HeaderName::from_static("x-remote-user");

pub(crate) fn mount(api: Api<Desk>) -> Api<Desk> {
    api.serve(|_: Desk, _: Call<Welcome, Desk>| async { Ok::<_, Problem>("welcome".to_owned()) })
        .close::<Shut>()
        .serve(name::<Me>)
        .serve(name::<Change>)
        .serve(name::<Read>)
        .serve(name::<Keys>)
        .serve(name::<Vault>)
        .serve(name::<Clerks>)
        .serve(name::<See>)
        .serve(name::<Enter>)
        .serve(sign)
}

impl World {
    /// Behind one proxy, with every credential there is.
    pub(crate) fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let signer = Signer::from_seed(&[1; 32], "desk", "desk").unwrap();
        let verifier = Verifier::new("desk", "desk", clock.clone());
        verifier.trust(&signer.jwks());
        let readable = Readable::new("desk", None, "a secret of the desk", clock.clone()).unwrap();
        let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
        let credentials = Credentials::new("desk")
            .people(Staff { hasher, clock: clock.clone() })
            .bearer(verifier.clone())
            .header(TOKENS, verifier.clone())
            .cookie("auth", readable.clone())
            .prefix("Token", readable.clone())
            .basic()
            .digest(Digest::new(&[2; 32], clock.clone()))
            .parameters("USER", "PASS")
            .httpd(REMOTE, vec!["192.0.2.80".parse().unwrap()])
            .certificate();
        let notes = Arc::new(Notes::default());
        let gate = Gate::new(credentials, notes.clone(), clock.clone(), Chance::seeded(1)).behind(1);
        let module = mount(Api::new(Desk, gate)).finish().unwrap();
        let tester = Tester::new(Transport::in_process(module.router.clone()));
        Self { clock, signer, readable, notes, module, tester }
    }

    /// Ann, as a token without limits says it.
    pub(crate) fn ann(&self) -> Principal {
        let now = self.clock.now();
        Principal::named("ann", [""; 0]).during(now, now.plus(Duration::from_hours(1)))
    }

    pub(crate) fn token(&self, principal: &Principal) -> String {
        self.signer.sign(&self.signer.claims(principal)).unwrap()
    }
}
