//! The tests that follow from the declarations alone, in this process and against a running program: the one that
//! `GUICHET_TEST_URL` names, or one started for it.

use aaa::Transport;
use aaa::testing::{Credential, Tester};
use axum::body::Body;
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use stuff::Stuff;
use vocabulary::{Chance, Clock};

use crate::start;

/// A service that is reached over the network, at `url`.
fn network(url: &str) -> Transport {
    let (client, url) = (Client::builder(TokioExecutor::new()).build_http::<Body>(), url.to_owned());
    Transport::new(tower::service_fn(move |mut request: Request<Body>| {
        *request.uri_mut() = format!("{url}{}", request.uri()).parse().unwrap();
        let answer = client.request(request);
        async move { answer.await.map(|answer| answer.map(Body::new)) }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_everybody_and_every_broken_credential_as_declared_inside_and_outside() {
    let database = store::testing::TestDatabase::sqlite().unwrap();
    let stuff = Stuff::open(&database.database, &[7; 32], Clock::system(), Chance::seeded(1)).await.unwrap();
    let module = stuff.module(Chance::seeded(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_program, url) = if let Ok(url) = std::env::var("GUICHET_TEST_URL") {
        (None, url)
    } else {
        let program = start(folder.path(), &[]);
        let url = program.url().to_owned();
        (Some(program), url)
    };
    for transport in [Transport::in_process(module.router), network(&url)] {
        let mut tester = Tester::new(transport);
        tester.knows("calvin", Credential::basic("calvin", "hobbes"));
        tester.knows("hobbes", Credential::fields(("USER", "hobbes"), ("PASS", "susie")));
        let wrong = tester.systematic(&module.entries, &[("calvin", &["ADMIN"]), ("hobbes", &[])]).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
