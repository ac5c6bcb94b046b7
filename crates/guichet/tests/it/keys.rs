//! Signing keys: published before they sign, and thrown away when somebody may have read them.

use crate::people::{sign_in, text};
use crate::process::{Running, Up, guichet, output};

async fn published(bank: &Running) -> Vec<String> {
    let keys = bank.client().get("/.well-known/jwks.json").await.expect(200);
    keys["keys"].as_array().unwrap().iter().map(|key| text(&key["kid"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_key_is_published_before_it_signs_and_revoking_ends_every_token() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("bank");
    let place = data_dir.to_str().unwrap();
    let bank = Up::on(&data_dir).start();
    let admin = bank.line.people[0].clone();
    let before = sign_in(&bank.client(), &admin.login, &admin.password).await;
    let first = published(&bank).await;
    assert_eq!(first.len(), 1);
    let running = guichet(&["keys", "rotate", "--data-dir", place]).output().unwrap();
    assert!(!running.status.success() && String::from_utf8_lossy(&running.stderr).contains("in use"), "{running:?}");
    assert!(bank.terminate().success());

    assert!(output(&["keys", "rotate", "--data-dir", place]).contains("signs from"));
    let bank = Up::on(&data_dir).start();
    let both = published(&bank).await;
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "the old one signs, the next one is known");
    before.client.moved(&bank.client()).get("/api/auth/whoami").await.expect(200);
    assert!(bank.terminate().success());

    assert!(output(&["keys", "rotate", "--revoke", "--data-dir", place]).contains("everybody signs in again"));
    let bank = Up::on(&data_dir).start();
    let only = published(&bank).await;
    assert!(only.len() == 1 && !both.contains(&only[0]), "{both:?} {only:?}");
    before.client.moved(&bank.client()).get("/api/auth/whoami").await.expect(401);
    sign_in(&bank.client(), &admin.login, &admin.password).await;
}
