//! `--demo`: a bank worth looking at, made through the same operations that people use, with a clock moved by hand.

use std::collections::HashMap;
use std::time::Duration;

use aaa::{Caller, Password, Problem};
use contracts::bank::{
    Account, ApproveRequest, CancelRequest, OpenAccount, Payee, RejectRequest, Request, RequestDeposit,
    RequestTransfer, RequestWithdrawal,
};
use contracts::identity::{
    ActivateUser, CreateAgent, DisableUser, EditProfile, Language, ListNotices, ReadNotices, Refresh, Register,
    RejectUser, SignIn, Tokens, User,
};
use futures_util::future::join_all;
use vocabulary::{Amount, Chance, Clock, Currency, Money};

use crate::Failure;
use crate::house::{House, Plan};
use crate::settings::Settings;
use crate::up::{Greeted, plan};

/// How far back the history goes.
const DAYS: u64 = 150;
/// What happened in so many last days was not read yet.
const NEWS: u64 = 7;
const DAY: Duration = Duration::from_hours(24);

const AGENTS: [(&str, &str, &str); 3] =
    [("claire", "Claire", "Fontaine"), ("hugo", "Hugo", "Lambert"), ("ines", "Inès", "Moreau")];
const MEMBERS: [(&str, &str, &str); 12] = [
    ("alice", "Alice", "Martin"),
    ("bruno", "Bruno", "Petit"),
    ("chloe", "Chloé", "Durand"),
    ("david", "David", "Leroy"),
    ("emma", "Emma", "Rousseau"),
    ("farid", "Farid", "Benali"),
    ("gabrielle", "Gabrielle", "Mercier"),
    ("hana", "Hana", "Sato"),
    ("jeanne", "Jeanne", "Dubois"),
    ("karim", "Karim", "Haddad"),
    ("lucie", "Lucie", "Garnier"),
    ("mateo", "Mateo", "Silva"),
];
/// Registered and not decided on, so that an agent finds something to do.
const WAITING: [(&str, &str, &str); 2] = [("nadia", "Nadia", "Kone"), ("oscar", "Oscar", "Blanc")];
/// Who may not sign in any more, and who never might.
const GONE: [(&str, &str, &str); 2] = [("paul", "Paul", "Chevalier"), ("spam", "Best", "Offers")];
const REFERENCES: [&str; 12] = [
    "Restaurant",
    "Courses",
    "Cadeau",
    "Covoiturage",
    "Cours de piano",
    "Cinéma",
    "Part du loyer",
    "Vélo d'occasion",
    "Week-end",
    "Livres",
    "Panier de légumes",
    "Merci !",
];

/// Stands in the data directory from the first demo person until their passwords were told.
const UNFINISHED: &str = "demo-unfinished";

/// Refuses a data directory whose demonstration was interrupted: nobody knows its passwords.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    let dir = settings.data_dir.display();
    if settings.data_dir.join(UNFINISHED).exists() {
        return Err(Failure::Settings(format!(
            "the demonstration in {dir} was interrupted before its passwords were shown: remove that directory and start again"
        )));
    }
    Ok(())
}

/// The passwords were told: the demonstration stands.
pub(crate) fn finished(settings: &Settings) -> Result<(), Failure> {
    let path = settings.data_dir.join(UNFINISHED);
    std::fs::remove_file(&path).map_err(|error| Failure::file("finish the demonstration by removing", &path, &error))
}

/// Fills an empty bank; does nothing when somebody was there before. Gives who can sign in.
pub(crate) async fn fill(settings: &Settings, now: &Clock, chance: &Chance) -> Result<Vec<Greeted>, Failure> {
    let clock = Clock::manual(now.now().minus(DAY * u32::try_from(DAYS).unwrap_or(150)));
    // Nobody it tells of is there: no mail is to reach whoever has such an address.
    let house = House::open(Plan { mail: None, ..plan(settings, clock.clone(), chance.clone())? }).await?;
    let Some((login, password)) = house.identity.ensure_first_superuser().await.map_err(Problem::from)? else {
        house.close().await;
        return Ok(Vec::new());
    };
    let mark = settings.data_dir.join(UNFINISHED);
    std::fs::write(&mark, "").map_err(|error| Failure::file("write", &mark, &error))?;
    let mut story = Story { caller: house.directory.caller(), clock, chance, people: HashMap::new(), agents: 0 };
    story.greet(login.as_str(), "Superuser", "superuser", password);
    let told = story.tell(now).await;
    house.close().await;
    told?;
    let mut people: Vec<_> = story.people.into_values().map(|person| person.greeted).collect();
    let rank = |role: &str| ["superuser", "agent", "member"].iter().position(|it| *it == role);
    people.sort_by(|a, b| (rank(a.role), &a.login).cmp(&(rank(b.role), &b.login)));
    Ok(people)
}

struct Person {
    greeted: Greeted,
    tokens: Option<Tokens>,
    accounts: Vec<Account>,
}

struct Story<'a> {
    caller: Caller,
    clock: Clock,
    chance: &'a Chance,
    people: HashMap<String, Person>,
    agents: usize,
}

/// What a day brings; who asks, and what.
enum Wish {
    Deposit(&'static str, i64, &'static str),
    Withdrawal(&'static str, i64),
    Transfer(&'static str, &'static str, i64, &'static str),
    Save(&'static str, i64),
}

impl Story<'_> {
    async fn tell(&mut self, now: &Clock) -> Result<(), Problem> {
        self.hire().await?;
        self.welcome().await?;
        self.open_accounts().await?;
        for day in 1..DAYS {
            self.clock.advance(DAY);
            self.mistype(day).await?;
            let wishes = self.wishes(day);
            let requests = self.ask(wishes).await?;
            self.clock.advance(Duration::from_mins(90));
            self.decide(day, requests).await?;
            self.clock.set(self.clock.now().minus(Duration::from_mins(90)));
            if day == DAYS.saturating_sub(NEWS) {
                self.read_notices().await?;
            }
        }
        // The last morning: things are waiting.
        self.clock.set(now.now().minus(Duration::from_mins(50)));
        self.leave_work().await
    }

    /// Everybody has read what they were told of so far.
    async fn read_notices(&mut self) -> Result<(), Problem> {
        for login in MEMBERS.into_iter().chain(AGENTS).map(|(login, ..)| login) {
            let caller = self.as_person(login).await?;
            if let Some(newest) = caller.call(ListNotices::default()).await?.items.first() {
                caller.call(ReadNotices { until: newest.event }).await?;
            }
        }
        Ok(())
    }

    /// Remembers somebody with a password to be told once.
    fn greet(&mut self, login: &str, name: &str, role: &'static str, password: Password) {
        let password = String::from(password);
        let greeted = Greeted { login: login.into(), password, role, name: name.into() };
        self.people.insert(login.into(), Person { greeted, tokens: None, accounts: Vec::new() });
    }

    /// A password that is strong and can be typed: two made-up words and a number.
    fn password(&self) -> Result<Password, Problem> {
        const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
        const VOWELS: &[u8] = b"aeiou";
        let letter = |from: &[u8]| char::from(from.get(self.below(from.len())).copied().unwrap_or(b'a'));
        let word = || (0..3).flat_map(|_| [letter(CONSONANTS), letter(VOWELS)]).collect::<String>();
        Password::try_from(format!("{}-{}-{:04}", word(), word(), self.below(10_000))).map_err(Problem::internal)
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap_or(0)
    }

    /// A caller who is signed in as `login` at this hour.
    async fn as_person(&mut self, login: &str) -> Result<Caller, Problem> {
        let missing = || Problem::internal(format_args!("nobody is called {login}"));
        let person = self.people.get_mut(login).ok_or_else(missing)?;
        let renewed = match person.tokens.take() {
            Some(tokens) => self.caller.call(Refresh { refresh_token: tokens.refresh_token }).await.ok(),
            None => None,
        };
        let tokens = if let Some(tokens) = renewed {
            tokens
        } else {
            let password = person.greeted.password.clone().try_into().map_err(Problem::internal)?;
            self.caller.call(SignIn::new(login, password)).await?
        };
        let caller = self.caller.with_token(&tokens.access_token);
        person.tokens = Some(tokens);
        Ok(caller)
    }

    /// Now and then somebody takes the wrong password.
    async fn mistype(&self, day: u64) -> Result<(), Problem> {
        const WRONG: &str = "not-this-one-1234";
        let whose =
            MEMBERS.into_iter().cycle().nth(usize::try_from(day).unwrap_or(0)).filter(|_| day.is_multiple_of(5));
        let Some((login, ..)) = whose else { return Ok(()) };
        let password: Password = WRONG.to_owned().try_into().map_err(Problem::internal)?;
        // So seldom that nobody is ever made to wait, whether they signed in between or not.
        for _ in 0..=(day / 60) % 2 {
            let _ = self.caller.call(SignIn::new(login, password.clone())).await;
        }
        Ok(())
    }

    async fn hire(&mut self) -> Result<(), Problem> {
        let superuser = self.people.keys().next().cloned().unwrap_or_default();
        let superuser = self.as_person(&superuser).await?;
        for (login, first, last) in AGENTS {
            let password = self.password()?;
            superuser
                .call(CreateAgent {
                    login: parse(login)?,
                    password: password.clone(),
                    email: parse(&format!("{login}@guichet.example"))?,
                    first_name: parse(first)?,
                    last_name: parse(last)?,
                })
                .await?;
            self.greet(login, &format!("{first} {last}"), "agent", password);
        }
        Ok(())
    }

    async fn register(&mut self, (login, first, last): (&str, &str, &str)) -> Result<User, Problem> {
        let password = self.password()?;
        let request = Register {
            login: parse(login)?,
            password: password.clone(),
            email: parse(&format!("{login}@example.org"))?,
            first_name: parse(first)?,
            last_name: parse(last)?,
            language: None,
        };
        let user = self.caller.call(request).await?.0;
        if !GONE.iter().any(|(gone, _, _)| *gone == login) && !WAITING.iter().any(|(waiting, _, _)| *waiting == login) {
            self.greet(login, &format!("{first} {last}"), "member", password);
        }
        self.clock.advance(Duration::from_mins(7));
        Ok(user)
    }

    async fn welcome(&mut self) -> Result<(), Problem> {
        let mut users = Vec::new();
        for member in MEMBERS.into_iter().chain(GONE) {
            users.push(self.register(member).await?);
        }
        let agent = self.as_person("claire").await?;
        for user in &users {
            if user.login.as_str() == "spam" {
                agent.call(RejectUser { id: user.id, reason: Some(parse("Adresse publicitaire")?) }).await?;
            } else {
                agent.call(ActivateUser { id: user.id }).await?;
            }
        }
        if let Some(paul) = users.iter().find(|user| user.login.as_str() == "paul") {
            agent.call(DisableUser { id: paul.id, reason: Some(parse("À sa demande")?) }).await?;
        }
        let english = EditProfile { email: None, first_name: None, last_name: None, language: Some(Language::En) };
        self.as_person("hana").await?.call(english).await?;
        Ok(())
    }

    async fn open_accounts(&mut self) -> Result<(), Problem> {
        let owners = MEMBERS.map(|(login, _, _)| login).into_iter().chain(["claire"]);
        for (number, login) in owners.enumerate() {
            self.open_account(login, "Compte courant", Currency::EUR).await?;
            if number.is_multiple_of(2) {
                self.open_account(login, "Épargne", Currency::EUR).await?;
            }
        }
        self.open_account("hana", "Travel fund", Currency::JPY).await
    }

    async fn open_account(&mut self, login: &str, label: &str, currency: Currency) -> Result<(), Problem> {
        let owner = self.as_person(login).await?;
        let account = owner.call(OpenAccount { label: parse(label)?, currency: Some(currency) }).await?.0;
        let request = account.request.ok_or_else(|| Problem::internal("an account without a request"))?.id;
        self.clock.advance(Duration::from_mins(4));
        let agent = if login == "hugo" { "ines" } else { "hugo" };
        self.as_person(agent).await?.call(ApproveRequest { id: request, digest: None }).await?;
        let account = owner_of(&self.as_person(login).await?, account).await?;
        if let Some(person) = self.people.get_mut(login) {
            person.accounts.push(account);
        }
        Ok(())
    }

    fn wishes(&self, day: u64) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let someone = || MEMBERS.get(self.below(MEMBERS.len())).map_or("alice", |it| it.0);
        let cents = |low: usize, high: usize| i64::try_from(low + self.below(high - low)).unwrap_or(100);
        if day % 30 == 1 {
            for (login, _, _) in MEMBERS {
                wishes.push(Wish::Deposit(login, cents(165_000, 320_000), "Salaire"));
            }
            wishes.push(Wish::Deposit("claire", 241_000, "Salaire"));
        }
        if day % 30 == 4 {
            for login in ["alice", "bruno", "david", "emma", "karim", "lucie"] {
                wishes.push(Wish::Transfer(login, "gabrielle", cents(52_000, 81_000), "Loyer"));
            }
        }
        if day % 30 == 6 {
            for (login, _, _) in MEMBERS.into_iter().step_by(2) {
                wishes.push(Wish::Save(login, cents(5_000, 30_000)));
            }
        }
        for _ in 0..2 + self.below(3) {
            let reference = REFERENCES.get(self.below(REFERENCES.len())).copied().unwrap_or("Merci !");
            wishes.push(Wish::Transfer(someone(), someone(), cents(350, 9_000), reference));
        }
        if day.is_multiple_of(3) {
            wishes.push(Wish::Withdrawal(someone(), i64::try_from(2 + self.below(8)).unwrap_or(2) * 1000));
        }
        if day.is_multiple_of(11) {
            wishes.push(Wish::Transfer("claire", someone(), cents(800, 4_000), "Déjeuner"));
        }
        wishes
    }

    /// Everybody asks at the same hour; what a rule refuses is not asked again.
    async fn ask(&mut self, wishes: Vec<Wish>) -> Result<Vec<Request>, Problem> {
        let mut calls: Vec<(&str, Wish)> = Vec::new();
        for wish in wishes {
            let login = match wish {
                Wish::Deposit(login, ..)
                | Wish::Withdrawal(login, _)
                | Wish::Transfer(login, ..)
                | Wish::Save(login, _) => login,
            };
            if !calls.iter().any(|(who, _)| *who == login) {
                self.as_person(login).await?;
            }
            calls.push((login, wish));
        }
        let asked = join_all(calls.into_iter().map(|(login, wish)| self.ask_one(login, wish))).await;
        Ok(asked.into_iter().filter_map(|outcome| outcome.ok().flatten()).collect())
    }

    async fn ask_one(&self, login: &str, wish: Wish) -> Result<Option<Request>, Problem> {
        let Some(person) = self.people.get(login) else { return Ok(None) };
        let (Some(tokens), Some(own)) = (&person.tokens, person.accounts.first()) else { return Ok(None) };
        let caller = self.caller.with_token(&tokens.access_token);
        let (account, currency) = (own.id, own.currency);
        let amount = |minor: i64| -> Amount { Money::new(minor, currency).amount() };
        let request = match wish {
            Wish::Deposit(_, minor, reference) => {
                caller
                    .call(RequestDeposit { account, amount: amount(minor), currency, reference: parse(reference)? })
                    .await?
                    .0
            }
            Wish::Withdrawal(_, minor) => {
                caller
                    .call(RequestWithdrawal { account, amount: amount(minor), currency, reference: parse("Espèces")? })
                    .await?
                    .0
            }
            Wish::Transfer(_, to, minor, reference) => {
                let iban = self.people.get(to).and_then(|payee| payee.accounts.first()?.iban.clone());
                let (Some(iban), false) = (iban, to == login) else { return Ok(None) };
                let (to, reference) = (Payee::Iban(iban), parse(reference)?);
                caller.call(RequestTransfer { from: account, to, amount: amount(minor), currency, reference }).await?.0
            }
            Wish::Save(_, minor) => {
                let Some(savings) = person.accounts.get(1) else { return Ok(None) };
                let (to, reference) = (Payee::Account(savings.id), parse("Épargne")?);
                caller.call(RequestTransfer { from: account, to, amount: amount(minor), currency, reference }).await?.0
            }
        };
        Ok(Some(request))
    }

    /// The agents work the inbox off: nearly all is approved, some is refused, some taken back.
    async fn decide(&mut self, day: u64, requests: Vec<Request>) -> Result<(), Problem> {
        self.agents = (self.agents + 1) % 2;
        let agent = ["hugo", "ines"].get(self.agents).copied().unwrap_or("hugo");
        let agent = self.as_person(agent).await?;
        let decided = join_all(requests.into_iter().enumerate().map(|(number, request)| {
            let agent = agent.clone();
            async move {
                if day % 13 == 5 && number == 0 {
                    let reason = "Le justificatif est illisible";
                    return done(agent.call(RejectRequest { id: request.id, reason: parse(reason)? }).await);
                }
                done(agent.call(ApproveRequest { id: request.id, digest: Some(request.digest) }).await)
            }
        }));
        for outcome in decided.await {
            outcome?;
        }
        Ok(())
    }

    /// What an agent finds in the morning.
    async fn leave_work(&mut self) -> Result<(), Problem> {
        for member in WAITING {
            self.register(member).await?;
        }
        let wishes = vec![
            Wish::Transfer("alice", "bruno", 4_500, "Billets de concert"),
            Wish::Transfer("chloe", "claire", 1_250, "Pot de départ"),
            Wish::Transfer("claire", "emma", 6_000, "Table de jardin"),
            Wish::Deposit("farid", 80_000, "Chèque n° 0412"),
            Wish::Withdrawal("jeanne", 20_000),
            Wish::Save("lucie", 15_000),
            Wish::Transfer("mateo", "alice", 990, "Erreur"),
        ];
        let requests = self.ask(wishes).await?;
        let mistake = requests.iter().find(|request| request.reference.as_str() == "Erreur").map(|request| request.id);
        if let Some(id) = mistake {
            self.as_person("mateo").await?.call(CancelRequest { id }).await?;
        }
        let karim = self.as_person("karim").await?;
        karim.call(OpenAccount { label: parse("Voyage")?, currency: Some(Currency::USD) }).await?;
        Ok(())
    }
}

async fn owner_of(owner: &Caller, account: Account) -> Result<Account, Problem> {
    owner.call(contracts::bank::GetAccount { id: account.id }).await
}

/// A refusal by a rule is part of the story; anything else ends it.
fn done<O>(outcome: Result<O, Problem>) -> Result<(), Problem> {
    match outcome {
        Err(problem) if problem.status().is_server_error() => Err(problem),
        _ => Ok(()),
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::internal(format_args!("{text}: {error}")))
}
