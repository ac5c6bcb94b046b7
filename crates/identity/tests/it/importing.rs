//! People of another program: their hashes are kept until they sign in, and then replaced.

use aaa::PasswordHash;
use contracts::roles::Role;
use identity::{Given, Import};

use crate::{World, credential, worlds};

/// By bcrypt, of "hobbes".
const HASH: &str = "$2b$04$YFJdea/bFNxcWDwNcb6sC.epLdUger/CrDJ76Gtb.Ur5hoVy/pQtO";

fn calvin() -> Import {
    Import {
        login: "calvin".parse().unwrap(),
        secret: Given::Hash(PasswordHash::import(HASH).unwrap()),
        role: Role::Member,
        email: "calvin@example.org".parse().unwrap(),
        first_name: "Calvin".parse().unwrap(),
        last_name: "Imported".parse().unwrap(),
    }
}

async fn stored(world: &World) -> String {
    let tables = world.store.dump().await.unwrap();
    format!("{:?}", tables.iter().find(|(name, _)| name.as_str() == "people").unwrap().1)
}

#[tokio::test]
async fn a_hash_of_another_program_is_replaced_by_the_sign_in_that_it_lets_in() {
    for world in worlds().await {
        world.identity.import(vec![calvin()]).await.unwrap();
        assert!(stored(&world).await.contains(HASH));
        assert!(world.anyone().call(credential("calvin", "susie")).await.is_err());
        assert!(stored(&world).await.contains(HASH), "a wrong password replaces nothing");
        world.anyone().call(credential("calvin", "hobbes")).await.unwrap();
        let after = stored(&world).await;
        assert!(!after.contains(HASH) && after.contains("$argon2id$"), "{after}");
        world.anyone().call(credential("calvin", "hobbes")).await.unwrap();
        assert!(world.anyone().call(credential("calvin", "susie")).await.is_err());
    }
}

#[tokio::test]
async fn an_import_adds_everybody_or_nobody() {
    for world in worlds().await {
        let susie = || Import { login: "susie".parse().unwrap(), ..calvin() };
        assert_eq!(world.identity.check_import(&[calvin(), susie()]).await.unwrap(), [None, None]);
        world.identity.import(vec![calvin()]).await.unwrap();
        let before = stored(&world).await;
        assert!(world.identity.import(vec![susie(), calvin()]).await.is_err());
        assert_eq!(stored(&world).await, before);
        let reasons = world.identity.check_import(&[susie(), calvin(), susie()]).await.unwrap();
        assert!(reasons[0].is_none() && reasons[1].is_some() && reasons[2].is_some(), "{reasons:?}");
    }
}
