//! Lists: filtered, in order, page by page.

use super::*;

async fn labels(person: &Person, list: ListAccounts) -> Vec<String> {
    person.call(list).await.unwrap().items.iter().map(|account| account.label.to_string()).collect()
}

fn search(text: &str) -> ListAccounts {
    ListAccounts { search: Some(text.to_owned()), ..ListAccounts::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_list_their_own_accounts_and_agents_everyones_newest_first() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let (other, root) = (house.agent("olga"), house.person("root", "superuser"));
        claire.account_with(&agent, "A", "0").await;
        malik.account_with(&agent, "B", "0").await;
        claire.asks_to_open("C", Currency::EUR).await;
        agent.account_with(&other, "D", "0").await;
        let all = ListAccounts::default;
        assert_eq!(labels(&claire, all()).await, ["C", "A"]);
        assert_eq!(labels(&agent, all()).await, ["D", "C", "B", "A"]);
        assert_eq!(labels(&agent, ListAccounts { mine: true, ..all() }).await, ["D"]);
        assert_eq!(labels(&agent, ListAccounts { owner: Some(claire.id), ..all() }).await, ["C", "A"]);
        assert_eq!(labels(&claire, ListAccounts { owner: Some(malik.id), ..all() }).await, Vec::<String>::new());
        assert_eq!(labels(&agent, ListAccounts { state: Some(AccountState::Pending), ..all() }).await, ["C"]);
        assert_eq!(labels(&root, all()).await, Vec::<String>::new(), "a superuser sees no client's account");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_by_label_holder_and_iban_whatever_the_capitals() {
    for house in houses().await {
        let agent = house.agent("ahmed");
        let zoe = house.person_named(UserId::new(&house.clock, &house.chance), "zoe", "Zoé Éluard", "member");
        let claire = house.member("claire");
        let savings = zoe.account_with(&agent, "Épargne 100%", "0").await;
        claire.account_with(&agent, "Under_score", "0").await;
        assert_eq!(labels(&agent, search("éPARGNE")).await, ["Épargne 100%"]);
        assert_eq!(labels(&agent, search("ÉLUARD")).await, ["Épargne 100%"]);
        assert_eq!(labels(&agent, search("claire ex")).await, ["Under_score"]);
        assert_eq!(labels(&agent, search("0%")).await, ["Épargne 100%"]);
        assert_eq!(labels(&agent, search("r_s")).await, ["Under_score"]);
        assert_eq!(labels(&agent, search("_")).await, ["Under_score"], "a sign of LIKE is a letter like another");
        assert_eq!(labels(&agent, search("%")).await, ["Épargne 100%"]);
        assert_eq!(labels(&agent, search("\\")).await, Vec::<String>::new());
        assert_eq!(labels(&agent, search("  ")).await.len(), 2, "nothing to search for");
        let grouped = savings.iban.unwrap().grouped().to_lowercase();
        assert_eq!(labels(&agent, search(&grouped)).await, ["Épargne 100%"]);
        assert_eq!(labels(&claire, search("éluard")).await, Vec::<String>::new(), "others' accounts are not found");
        assert_eq!(field_of(agent.call(search(&"x".repeat(101))).await), "search");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_without_gap_or_double() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        for n in 1..=7 {
            let request = claire.asks_to_deposit(account.id, &format!("{n}.00")).await.unwrap();
            agent.approves(request.id).await.unwrap();
            claire.asks_to_open(&format!("Account {n}"), Currency::EUR).await;
        }
        let limit = Limit::try_from(3).unwrap();
        macro_rules! pages {
            ($who:expr, $list:expr) => {{
                let (mut seen, mut cursor) = (Vec::new(), None::<Cursor>);
                loop {
                    let page = $who.call($list(cursor)).await.unwrap();
                    assert!(page.items.len() <= 3);
                    seen.extend(page.items.into_iter().map(|item| item.id.0));
                    cursor = page.next;
                    if cursor.is_none() {
                        break seen;
                    }
                }
            }};
        }
        let requests = pages!(agent, |cursor| ListRequests { cursor, limit, ..ListRequests::default() });
        assert_eq!(requests.len(), 15);
        assert!(requests.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
        let mut inbox = pages!(agent, |cursor| ListRequests {
            cursor,
            limit,
            state: Some(RequestState::Pending),
            oldest_first: true,
            ..ListRequests::default()
        });
        assert_eq!(inbox.len(), 7);
        assert!(inbox.windows(2).all(|pair| pair[0] < pair[1]), "oldest first");
        inbox.reverse();
        let own = pages!(claire, |cursor| ListRequests {
            cursor,
            limit,
            state: Some(RequestState::Pending),
            ..ListRequests::default()
        });
        assert_eq!(own, inbox);
        let accounts = pages!(claire, |cursor| ListAccounts { cursor, limit, ..ListAccounts::default() });
        assert_eq!(accounts.len(), 8);
        let lines = pages!(claire, |cursor| ListTransactions { id: account.id, from: None, to: None, cursor, limit });
        assert_eq!(lines.len(), 7);
        let nonsense = || Some(Cursor::at("nonsense"));
        assert_eq!(
            field_of(agent.call(ListRequests { cursor: nonsense(), ..ListRequests::default() }).await),
            "cursor"
        );
        assert_eq!(
            field_of(agent.call(ListAccounts { cursor: nonsense(), ..ListAccounts::default() }).await),
            "cursor"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_filtered_by_state_kind_account_and_maker() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let hers = claire.account_with(&agent, "Salary", "10.00").await;
        let his = malik.account_with(&agent, "Main", "10.00").await;
        let between = claire.asks_to_transfer(hers.id, &his, "1.00").await.unwrap();
        let out = malik.asks_to_withdraw(his.id, "1.00").await.unwrap();
        let ids = |person: &Person, list: ListRequests| {
            let person = person.clone();
            async move { person.call(list).await.unwrap().items.iter().map(|it| it.id).collect::<Vec<_>>() }
        };
        let all = ListRequests::default;
        let pending = || ListRequests { state: Some(RequestState::Pending), ..all() };
        assert_eq!(ids(&agent, pending()).await, [out.id, between.id]);
        assert_eq!(ids(&agent, ListRequests { kind: Some(RequestKind::Transfer), ..all() }).await, [between.id]);
        assert_eq!(
            ids(&agent, ListRequests { account: Some(his.id), ..pending() }).await,
            [out.id, between.id],
            "either side"
        );
        assert_eq!(ids(&agent, ListRequests { account: Some(hers.id), ..pending() }).await, [between.id]);
        assert_eq!(ids(&agent, ListRequests { maker: Some(malik.id), ..pending() }).await, [out.id]);
        assert_eq!(ids(&agent, ListRequests { mine: true, ..all() }).await, []);
        assert_eq!(
            ids(&malik, ListRequests { account: Some(his.id), ..pending() }).await,
            [out.id],
            "what others ask is theirs"
        );
        assert_eq!(ids(&malik, ListRequests { maker: Some(claire.id), ..all() }).await, []);
    }
}
