//! What staff see of people and do to them.

use aaa::{Api, Call, Credentials};
use contracts::bank::{Account, AccountState, ListAccounts};
use contracts::events::Action;
use contracts::identity::{ActivateUser, DeleteUser, DisableUser, GetUser, ListUsers, RejectUser, UserState, WhoAmI};
use contracts::roles::Agent;
use contracts::{Cursor, Limit, Page};
use vocabulary::UserId;

use crate::*;

/// The other side of the wire: tells agents which accounts a person has, and others nothing.
#[derive(Clone)]
pub(crate) struct Bank {
    gate: Gate,
    open: Arc<Mutex<Vec<UserId>>>,
    down: Arc<Mutex<bool>>,
}

impl Bank {
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate, open: Arc::default(), down: Arc::default() }
    }

    pub(crate) fn router(&self) -> Router {
        Api::new(self.clone(), self.gate.clone()).serve(list_accounts).finish().unwrap().router
    }

    fn set_open(&self, owners: &[UserId]) {
        *self.open.lock().unwrap() = owners.to_vec();
    }

    fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }
}

async fn list_accounts(bank: Bank, call: Call<ListAccounts, Bank>) -> Result<Page<Account>, Problem> {
    if *bank.down.lock().unwrap() {
        return Err(Problem::unavailable(1, "down"));
    }
    let asked = call.request.owner.filter(|_| call.by().is_in::<Agent>());
    let owner = asked.filter(|owner| bank.open.lock().unwrap().contains(owner));
    let account = |owner| Account {
        id: vocabulary::AccountId::new(&bank.gate.clock, &Chance::system()),
        label: "Everyday".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        state: AccountState::Open,
        iban: None,
        owner,
        holder: "Camille Durand".into(),
        booked: "0.00".parse().unwrap(),
        pending: "0.00".parse().unwrap(),
        available: "0.00".parse().unwrap(),
        created_at: bank.gate.clock.now(),
        request: None,
    };
    let items = owner.filter(|_| call.request.state == Some(AccountState::Open)).map(account);
    Ok(Page { items: items.into_iter().collect(), next: None })
}

fn disable(user: &User) -> DisableUser {
    DisableUser { id: user.id, reason: Some("asked for it".parse().unwrap()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_person_is_out_at_once_and_back_once_activated() {
    for world in worlds().await {
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let (user, camille) = world.signed_in("camille", Role::Member).await;
        camille.call(WhoAmI {}).await.unwrap();
        assert_eq!(agent.call(disable(&user)).await.unwrap().state, UserState::Disabled);
        assert!(is(&refused(&camille, WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "sign-in-refused"));
        assert_eq!(world.last(Action::UserDisabled).await.details["reason"], "asked for it");

        agent.call(ActivateUser { id: user.id }).await.unwrap();
        // In the same second, on purpose: what was issued before stays refused, what comes now holds.
        world.as_holder(&world.sign_in("camille").await).call(WhoAmI {}).await.unwrap();
        assert!(is(&refused(&camille, WhoAmI {}).await, 401, "unauthorized"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_state_that_makes_no_sense_is_a_conflict() {
    for world in worlds().await {
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let active = world.person("active", Role::Member).await;
        let waiting = world.person_in("waiting", Role::Member, UserState::Pending).await;
        let reject = |user: &User| RejectUser { id: user.id, reason: None };
        assert!(is(&refused(&agent, ActivateUser { id: active.id }).await, 409, "wrong-state"));
        assert!(is(&refused(&agent, reject(&active)).await, 409, "wrong-state"));
        assert!(is(&refused(&agent, disable(&waiting)).await, 409, "wrong-state"));
        assert_eq!(agent.call(reject(&waiting)).await.unwrap().state, UserState::Rejected);
        assert_eq!(agent.call(ActivateUser { id: waiting.id }).await.unwrap().state, UserState::Active);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_outside_their_duty_nor_on_themselves_nor_on_whom_they_may_not_see() {
    for world in worlds().await {
        let (agathe, agent) = world.signed_in("agathe", Role::Agent).await;
        let (root, superuser) = world.signed_in("root", Role::Superuser).await;
        let (member, camille) = world.signed_in("camille", Role::Member).await;
        let colleague = world.person("basile", Role::Agent).await;
        let before = world.tables().await;
        for (caller, target, status) in [
            (&agent, &agathe, 403),
            (&agent, &colleague, 403),
            (&agent, &root, 404),
            (&superuser, &root, 403),
            (&superuser, &member, 403),
            (&camille, &member, 403),
        ] {
            assert_eq!(refused(caller, disable(target)).await.0, status, "{}", target.login);
            assert_eq!(refused(caller, DeleteUser { id: target.id }).await.0, status, "{}", target.login);
        }
        assert_eq!(world.tables().await, before);
        superuser.call(disable(&colleague)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whom_one_may_not_see_is_like_nobody() {
    for world in worlds().await {
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let (root, superuser) = world.signed_in("root", Role::Superuser).await;
        let (member, camille) = world.signed_in("camille", Role::Member).await;
        let nobody = UserId::new(&world.clock, &Chance::seeded(99));
        for (caller, id) in [(&agent, root.id), (&agent, nobody), (&camille, root.id), (&camille, nobody)] {
            assert!(is(&refused(caller, GetUser { id }).await, 404, "not-found"));
        }
        for caller in [&agent, &superuser, &camille] {
            assert_eq!(caller.call(GetUser { id: member.id }).await.unwrap().login, member.login);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_superuser_stays_even_when_two_act_on_each_other() {
    for world in worlds().await {
        let (first, one) = world.signed_in("root", Role::Superuser).await;
        let (second, _) = world.signed_in("toor", Role::Superuser).await;
        // A process that has not heard of the revocation yet: the database says no all the same.
        let deaf = Verifier::new(ISSUER, ISSUER, world.clock.clone());
        deaf.trust(&world.identity.trusted_keys().await.unwrap());
        let late = Directory::default();
        let gate = world.gate.clone().accepting(Credentials::new(ISSUER).bearer(deaf));
        late.set(SERVICE, Transport::in_process(world.identity.clone().module(gate).unwrap().router));
        late.set(contracts::bank::SERVICE, Transport::in_process(world.bank.router()));
        let tokens = world.sign_in("toor").await;
        one.call(disable(&second)).await.unwrap();
        let other = late.caller().with_token(tokens.access_token);
        assert!(is(&refused(&other, disable(&first)).await, 409, "last-superuser"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_superusers_who_disable_each_other_at_once_leave_one() {
    for world in worlds().await {
        let (first, one) = world.signed_in("root", Role::Superuser).await;
        let (second, other) = world.signed_in("toor", Role::Superuser).await;
        let (a, b) = tokio::join!(one.call(disable(&second)), other.call(disable(&first)));
        assert_eq!([a.is_ok(), b.is_ok()].iter().filter(|won| **won).count(), 1);
        let truths = world.anyone().at(SERVICE).call(chassis::GetTruths {}).await.unwrap();
        assert!(truths.len() == 6 && truths.iter().all(|truth| truth.holds), "{truths:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_accounts_stays_and_so_does_one_of_whom_the_bank_says_nothing() {
    for world in worlds().await {
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let (user, camille) = world.signed_in("camille", Role::Member).await;
        let before = world.tables().await;
        world.bank.set_open(&[user.id]);
        assert!(is(&refused(&agent, DeleteUser { id: user.id }).await, 409, "has-accounts"));
        world.bank.set_open(&[]);
        world.bank.set_down(true);
        assert!(is(&refused(&agent, DeleteUser { id: user.id }).await, 503, "unavailable"));
        assert_eq!(world.tables().await, before);
        camille.call(WhoAmI {}).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_person_leaves_only_a_trail() {
    for world in worlds().await {
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let (user, camille) = world.signed_in("camille", Role::Member).await;
        agent.call(DeleteUser { id: user.id }).await.unwrap();
        assert!(is(&refused(&camille, WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "sign-in-refused"));
        assert!(is(&refused(&agent, GetUser { id: user.id }).await, 404, "not-found"));
        assert!(is(&refused(&agent, DeleteUser { id: user.id }).await, 404, "not-found"));
        assert_eq!(world.last(Action::UserDeleted).await.subject.unwrap().login, "camille");
        let kept = format!("{:?}", world.tables().await.iter().filter(|(name, _)| name != "audit").collect::<Vec<_>>());
        assert!(!kept.contains("camille@example.org"), "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_cannot_delete_an_agent_who_has_accounts() {
    for world in worlds().await {
        let (_, superuser) = world.signed_in("root", Role::Superuser).await;
        let (agathe, _) = world.signed_in("agathe", Role::Agent).await;
        world.bank.set_open(&[agathe.id]);
        assert!(is(&refused(&superuser, DeleteUser { id: agathe.id }).await, 409, "has-accounts"));
        world.bank.set_open(&[]);
        superuser.call(DeleteUser { id: agathe.id }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_listed_newest_first_page_by_page_and_as_far_as_one_may_see() {
    for world in worlds().await {
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let (_, superuser) = world.signed_in("root", Role::Superuser).await;
        for login in ["m-one", "m-two", "m-three"] {
            world.person_in(login, Role::Member, UserState::Pending).await;
        }
        let logins =
            |page: &Page<User>| -> Vec<String> { page.items.iter().map(|user| user.login.to_string()).collect() };
        let two = || ListUsers { limit: Limit::try_from(2).unwrap(), ..ListUsers::default() };
        let first = agent.call(two()).await.unwrap();
        assert_eq!(logins(&first), ["m-three", "m-two"]);
        let second = agent.call(ListUsers { cursor: first.next, ..two() }).await.unwrap();
        assert_eq!((logins(&second), second.next), (vec!["m-one".to_owned(), "agathe".to_owned()], None));
        assert_eq!(superuser.call(ListUsers::default()).await.unwrap().items.len(), 5);

        let of = |filter: ListUsers| agent.call(filter);
        let pending = of(ListUsers { state: Some(UserState::Pending), ..ListUsers::default() }).await.unwrap();
        assert_eq!(pending.items.len(), 3);
        let agents = of(ListUsers { role: Some(Role::Agent), ..ListUsers::default() }).await.unwrap();
        assert_eq!(logins(&agents), ["agathe"]);
        let superusers = of(ListUsers { role: Some(Role::Superuser), ..ListUsers::default() }).await.unwrap();
        assert!(superusers.items.is_empty());
        let found = of(ListUsers { search: Some("M-TWO@example".into()), ..ListUsers::default() }).await.unwrap();
        assert_eq!(logins(&found), ["m-two"]);
        let nothing = of(ListUsers { search: Some("m%two".into()), ..ListUsers::default() }).await.unwrap();
        assert!(nothing.items.is_empty());
        let junk = ListUsers { cursor: Some(Cursor::at("junk")), ..ListUsers::default() };
        assert!(is(&refused(&agent, junk).await, 400, "invalid-request"));
        let (_, member) = world.signed_in("camille", Role::Member).await;
        assert!(is(&refused(&member, ListUsers::default()).await, 403, "forbidden"));
    }
}
