//! Passkeys: what an authenticator must show, and what each other thing it might show is refused with.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use contracts::events::Action;
use contracts::identity::{
    AddPasskey, AddedPasskey, ApproveFactorReset, AskForPasskey, BeginPasskey, CreationOptions, GetSecondFactor,
    ListPasskeys, OpenBrowserSession, ProposeFactorReset, ProveWithPasskey, RemovePasskey, RenamePasskey,
    RequestOptions, SignInWithPasskey, WhoAmI,
};
use contracts::roles::Role;
use sha2::{Digest, Sha256};

use crate::factors::with_otp;
use crate::*;

const ORIGIN: &str = "https://localhost:8443";
const PRESENT_AND_VERIFIED: u8 = 0x05;

fn written(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// CBOR, as far as an authenticator writes it.
fn head(major: u8, number: usize) -> Vec<u8> {
    match number {
        0..=23 => vec![major << 5 | u8::try_from(number).unwrap()],
        24..=255 => vec![major << 5 | 0x18, u8::try_from(number).unwrap()],
        _ => [&[major << 5 | 0x19][..], &u16::try_from(number).unwrap().to_be_bytes()].concat(),
    }
}
fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len()), content.to_vec()].concat()
}
fn text(content: &str) -> Vec<u8> {
    [head(3, content.len()), content.as_bytes().to_vec()].concat()
}

enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn cose(&self) -> Vec<u8> {
        match self {
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (bytes(&point[1..33]), bytes(&point[33..]));
                // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
                [&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21][..], &x, &[0x22], &y].concat()
            }
            // {1: 1, 3: -8, -1: 6, -2: x}
            Self::Ed25519(pair) => {
                let x = bytes(pair.public_key().as_ref());
                [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21][..], &x].concat()
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// An authenticator with one passkey, and a browser that can be made to lie.
#[derive(Clone)]
pub(crate) struct Authenticator {
    id: Vec<u8>,
    key: Arc<Key>,
    counter: u32,
    flags: u8,
    origin: String,
    party: String,
}

impl Authenticator {
    fn new(id: &str, key: Key) -> Self {
        let (origin, party) = (ORIGIN.to_owned(), "localhost".to_owned());
        Self { id: id.as_bytes().to_vec(), key: Arc::new(key), counter: 0, flags: PRESENT_AND_VERIFIED, origin, party }
    }

    pub(crate) fn p256(id: &str) -> Self {
        Self::new(id, Key::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()))
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        let origin = &self.origin;
        serde_json::json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false, "more": 1 })
            .to_string()
            .into_bytes()
    }

    fn data(&self, flags: u8, rest: &[u8]) -> Vec<u8> {
        let party = Sha256::digest(self.party.as_bytes());
        [party.as_slice(), &[flags], &self.counter.to_be_bytes(), rest].concat()
    }

    pub(crate) fn make(&self, options: &CreationOptions) -> AddPasskey {
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let attested = [&[0; 16][..], &length, &self.id, &self.key.cose()].concat();
        let data = self.data(self.flags | 0x40, &attested);
        let attestation =
            [head(5, 3), text("fmt"), text("none"), text("attStmt"), head(5, 0), text("authData"), bytes(&data)];
        AddPasskey {
            name: "My phone".parse().unwrap(),
            client_data: written(&self.client_data("webauthn.create", &options.challenge)),
            attestation: written(&attestation.concat()),
        }
    }

    pub(crate) fn answer(&self, options: &RequestOptions) -> SignInWithPasskey {
        let client_data = self.client_data("webauthn.get", &options.challenge);
        let data = self.data(self.flags, &[]);
        let signature = self.key.sign(&[data.as_slice(), Sha256::digest(&client_data).as_slice()].concat());
        SignInWithPasskey {
            id: written(&self.id),
            client_data: written(&client_data),
            authenticator_data: written(&data),
            signature: written(&signature),
            device: None,
            agent: None,
        }
    }
}

pub(crate) async fn add(caller: &Caller, authenticator: &Authenticator) -> AddedPasskey {
    let options = caller.call(BeginPasskey {}).await.unwrap();
    caller.call(authenticator.make(&options)).await.unwrap().0
}

pub(crate) async fn ask(world: &World) -> RequestOptions {
    world.anyone().call(AskForPasskey {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_in_by_itself_and_the_password_alone_does_so_no_more() {
    for world in worlds().await {
        let (user, camille) = world.signed_in("camille", Role::Member).await;
        let options = camille.call(BeginPasskey {}).await.unwrap();
        assert_eq!((options.rp.id.as_str(), options.user.name.as_str()), ("localhost", "camille"));
        assert_eq!(options.user.id, written(store::Uuid::from(user.id).as_bytes()));
        let ed25519 = Authenticator::new("ed25519", Key::Ed25519(Ed25519KeyPair::generate().unwrap()));
        let added = camille.call(ed25519.make(&options)).await.unwrap().0;
        assert_eq!((added.passkey.name.as_str(), added.recovery_codes.len()), ("My phone", 10));
        let second = Authenticator::p256("p256");
        assert!(add(&camille, &second).await.recovery_codes.is_empty(), "there are some already");
        world.last(Action::PasskeyAdded).await;
        for authenticator in [&ed25519, &second] {
            let opened = world.anyone().call(authenticator.answer(&ask(&world).await)).await.unwrap().0;
            assert_eq!(opened.user.id, user.id);
            assert!(world.verifier.verify(&opened.access_token).unwrap().second_factor);
            world.anyone().with_token(&opened.access_token).call(WhoAmI {}).await.unwrap();
        }
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "second-factor-required"));
        world.anyone().call(with_otp("camille", &added.recovery_codes[0])).await.unwrap();
        let state = camille.call(GetSecondFactor {}).await.unwrap();
        assert_eq!((state.passkeys, state.recovery_codes_left), (2, 9));
    }
}

type Lie = (&'static str, fn(&mut Authenticator), fn(&mut SignInWithPasskey));

const LIES: [Lie; 12] = [
    ("wrong signature", |it| it.key = Authenticator::p256("x").key, |_| {}),
    ("unknown-passkey", |it| it.id = b"nobody's".to_vec(), |_| {}),
    ("another origin", |it| it.origin = "https://localhost.example.org:8443".into(), |_| {}),
    ("another origin", |it| it.origin = "https://localhost:8444".into(), |_| {}),
    ("made for another party", |it| it.party = "example.org".into(), |_| {}),
    ("the user was not verified", |it| it.flags = 0x01, |_| {}),
    ("the user was not verified", |it| it.flags = 0x04, |_| {}),
    ("contradictory flags", |it| it.flags = 0x15, |_| {}),
    ("a copy of the passkey", |it| it.counter = 8, |_| {}),
    ("a copy of the passkey", |it| it.counter = 0, |_| {}),
    ("unreadable client data", |_| {}, |given| given.client_data = written(b"{}")),
    ("unreadable authenticator data", |_| {}, |given| given.authenticator_data = written(&[0; 36])),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_an_answer_of_this_passkey_to_this_question_is_refused_like_a_wrong_password() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let mut honest = Authenticator::p256("honest");
        honest.counter = 7;
        add(&camille, &honest).await;
        honest.counter = 8;
        world.anyone().call(honest.answer(&ask(&world).await)).await.unwrap();
        honest.counter = 9;
        for (reason, change, tamper) in LIES {
            let mut liar = honest.clone();
            change(&mut liar);
            let mut given = liar.answer(&ask(&world).await);
            tamper(&mut given);
            assert!(is(&refused(&world.anyone(), given).await, 401, "sign-in-refused"), "{reason}");
            assert_eq!(world.last(Action::LoginFailed).await.details["reason"], reason);
        }
        // A registration's challenge, one that was never given, one that is old, and one that was used.
        let options = ask(&world).await;
        let creation = camille.call(BeginPasskey {}).await.unwrap().challenge;
        for challenge in [creation, written(&[7; 32]), String::new()] {
            let given = honest.answer(&RequestOptions { challenge, ..options.clone() });
            assert!(is(&refused(&world.anyone(), given).await, 401, "sign-in-refused"));
        }
        let late = ask(&world).await;
        world.clock.advance(Duration::from_mins(5));
        assert!(is(&refused(&world.anyone(), honest.answer(&late)).await, 401, "sign-in-refused"));
        let options = ask(&world).await;
        world.anyone().call(honest.answer(&options)).await.unwrap();
        honest.counter = 10;
        assert!(is(&refused(&world.anyone(), honest.answer(&options)).await, 401, "sign-in-refused"));
        world.anyone().call(honest.answer(&ask(&world).await)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_send_one_answer_at_once_one_is_signed_in() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let authenticator = Authenticator::p256("phone");
        add(&camille, &authenticator).await;
        let options = ask(&world).await;
        let tries: Vec<_> = (0..50)
            .map(|_| {
                let (anyone, given) = (world.anyone(), authenticator.answer(&options));
                tokio::spawn(async move { anyone.call(given).await.is_ok() })
            })
            .collect();
        let mut signed_in = 0;
        for one in tries {
            signed_in += usize::from(one.await.unwrap());
        }
        assert_eq!(signed_in, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_only_by_the_one_who_began_and_only_as_the_browser_made_it() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (_, mallory) = world.signed_in("mallory", Role::Member).await;
        let phone = Authenticator::p256("phone");
        let options = camille.call(BeginPasskey {}).await.unwrap();
        assert!(is(&refused(&mallory, phone.make(&options)).await, 422, "passkey-refused"));
        assert!(is(&refused(&camille, phone.make(&options)).await, 422, "passkey-refused"), "spent");
        let lies: [fn(&mut Authenticator); 3] =
            [|it| it.origin = "https://evil.example".into(), |it| it.party = "evil.example".into(), |it| it.flags = 1];
        for lie in lies {
            let mut liar = phone.clone();
            lie(&mut liar);
            let options = camille.call(BeginPasskey {}).await.unwrap();
            assert!(is(&refused(&camille, liar.make(&options)).await, 422, "passkey-refused"));
        }
        let options = camille.call(BeginPasskey {}).await.unwrap();
        let cut = AddPasskey { attestation: written(b"\xa1\x68authData\x41\x00"), ..phone.make(&options) };
        assert!(is(&refused(&camille, cut).await, 422, "passkey-refused"));
        add(&camille, &phone).await;
        // The id belongs to Camille now: nobody else takes it over.
        let options = mallory.call(BeginPasskey {}).await.unwrap();
        assert!(is(&refused(&mallory, phone.make(&options)).await, 422, "passkey-refused"));
        assert_eq!(camille.call(BeginPasskey {}).await.unwrap().exclude_credentials[0].id, written(b"phone"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_rename_and_remove_their_own_passkeys_only() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (_, mallory) = world.signed_in("mallory", Role::Member).await;
        let phone = Authenticator::p256("phone");
        let id = add(&camille, &phone).await.passkey.id;
        let rename = |id: &str| RenamePasskey { id: id.into(), name: "Key ring".parse().unwrap() };
        for other in [id.as_str(), "bm9ib2R5", "%"] {
            assert!(is(&refused(&mallory, rename(other)).await, 404, "not-found"));
            assert!(is(&refused(&mallory, RemovePasskey { id: other.into() }).await, 404, "not-found"));
        }
        assert_eq!(camille.call(rename(&id)).await.unwrap().name.as_str(), "Key ring");
        let listed = camille.call(ListPasskeys {}).await.unwrap().items;
        assert_eq!((listed.len(), listed[0].name.as_str(), listed[0].last_used_at), (1, "Key ring", None));
        camille.call(RemovePasskey { id }).await.unwrap();
        world.last(Action::PasskeyRemoved).await;
        assert!(is(&refused(&world.anyone(), phone.answer(&ask(&world).await)).await, 401, "sign-in-refused"));
        let state = camille.call(GetSecondFactor {}).await.unwrap();
        assert_eq!((state.passkeys, state.recovery_codes_left), (0, 0));
        world.sign_in("camille").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_proves_once_more_who_its_owner_is_and_nobody_else() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (_, mallory) = world.signed_in("mallory", Role::Member).await;
        let phone = Authenticator::p256("phone");
        add(&camille, &phone).await;
        world.clock.advance(Duration::from_mins(9));
        let prove = |given: SignInWithPasskey| ProveWithPasskey {
            id: given.id,
            client_data: given.client_data,
            authenticator_data: given.authenticator_data,
            signature: given.signature,
        };
        let options = ask(&world).await;
        assert!(is(&refused(&mallory, prove(phone.answer(&options))).await, 422, "passkey-refused"));
        let fresh = camille.call(prove(phone.answer(&ask(&world).await))).await.unwrap();
        assert!(fresh.second_factor);
        let principal = world.verifier.verify(&fresh.access_token).unwrap();
        assert_eq!((principal.authenticated.seconds(), principal.second_factor), (world.clock.now().seconds(), true));
        assert_eq!(world.last(Action::SteppedUp).await.details["by"], "passkey");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_person_s_passkey_is_worth_nothing_and_a_reset_removes_it() {
    for world in worlds().await {
        let (user, camille) = world.signed_in("camille", Role::Member).await;
        let (_, agathe) = world.signed_in("agathe", Role::Agent).await;
        let (_, albert) = world.signed_in("albert", Role::Agent).await;
        let phone = Authenticator::p256("phone");
        add(&camille, &phone).await;
        agathe.call(contracts::identity::DisableUser { id: user.id, reason: None }).await.unwrap();
        assert!(is(&refused(&world.anyone(), phone.answer(&ask(&world).await)).await, 401, "sign-in-refused"));
        agathe.call(contracts::identity::ActivateUser { id: user.id }).await.unwrap();
        world.anyone().call(phone.answer(&ask(&world).await)).await.unwrap();
        let lost = ProposeFactorReset { id: user.id, reason: "Lost her phone.".parse().unwrap() };
        let id = agathe.call(lost).await.unwrap().0.id;
        albert.call(ApproveFactorReset { id }).await.unwrap();
        assert!(is(&refused(&world.anyone(), phone.answer(&ask(&world).await)).await, 401, "sign-in-refused"));
        world.anyone().call(OpenBrowserSession::new("camille", password(PASSWORD))).await.unwrap();
    }
}
