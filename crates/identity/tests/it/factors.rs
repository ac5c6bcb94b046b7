//! Second factors: codes that work once, recovery codes, and a sign-in that asks for them.

use contracts::events::Action;
use contracts::identity::{
    BeginTotp, ConfirmTotp, GetSecondFactor, MakeRecoveryCodes, OpenBrowserSession, RemoveTotp, TotpSetup, WhoAmI,
};
use contracts::roles::Role;

use crate::*;

const STEP: Duration = Duration::from_secs(30);

/// What an authenticator app shows (RFC 6238), computed apart from the service.
pub(crate) fn app(setup: &TotpSetup, at: Timestamp) -> String {
    let mut bits = setup.secret.bytes().flat_map(|letter| {
        let five = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|it| *it == letter).unwrap();
        (0..5).rev().map(move |bit| five >> bit & 1)
    });
    let mut secret = Vec::new();
    while let Some(byte) = (0..8).try_fold(0, |byte, _| bits.next().map(|bit| byte << 1 | bit)) {
        secret.push(u8::try_from(byte).unwrap());
    }
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = aws_lc_rs::hmac::sign(&key, &(at.seconds() / 30).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Sets an app up; gives the recovery codes too. A step passes, so that the next code is a new one.
pub(crate) async fn enrol(world: &World, caller: &Caller) -> (TotpSetup, Vec<String>) {
    let setup = caller.call(BeginTotp {}).await.unwrap().0;
    let code = app(&setup, world.clock.now());
    let codes = caller.call(ConfirmTotp { code }).await.unwrap().recovery_codes;
    world.clock.advance(STEP);
    (setup, codes)
}

pub(crate) fn with_otp(login: &str, otp: &str) -> SignIn {
    SignIn { otp: Some(otp.into()), ..credential(login, PASSWORD) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_confirmed_is_asked_for_at_every_sign_in() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let setup = camille.call(BeginTotp {}).await.unwrap().0;
        assert!(setup.url.starts_with("otpauth://totp/Guichet:camille?secret=") && setup.url.contains(&setup.secret));
        assert!(setup.qr_svg.starts_with("<svg"));
        // Not confirmed: nothing is asked yet.
        world.sign_in("camille").await;
        assert!(camille.call(GetSecondFactor {}).await.unwrap().totp_since.is_none());
        let wrong = refused(&camille, ConfirmTotp { code: "000000".into() }).await;
        assert!(is(&wrong, 422, "wrong-code"), "{wrong:?}");
        let code = app(&setup, world.clock.now());
        let codes = camille.call(ConfirmTotp { code: code.clone() }).await.unwrap().recovery_codes;
        assert_eq!(codes.len(), 10);
        world.last(Action::TotpEnabled).await;
        let state = camille.call(GetSecondFactor {}).await.unwrap();
        assert_eq!((state.totp_since, state.recovery_codes_left), (Some(world.clock.now()), 10));

        for without in [None, Some(String::new())] {
            let browser = OpenBrowserSession { otp: without, ..OpenBrowserSession::new("camille", password(PASSWORD)) };
            assert!(is(&refused(&world.anyone(), browser).await, 401, "second-factor-required"));
        }
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "second-factor-required"));
        // The confirmation used this code up.
        assert!(is(&refused(&world.anyone(), with_otp("camille", &code)).await, 401, "sign-in-refused"));
        world.clock.advance(STEP);
        let code = app(&setup, world.clock.now());
        let tokens = world.anyone().call(with_otp("camille", &format!("{} {}", &code[..3], &code[3..]))).await.unwrap();
        let principal = world.verifier.verify(&tokens.access_token).unwrap();
        assert!(principal.second_factor && principal.authenticated == principal.issued);
        // Whoever does not know the password is told nothing of the second factor.
        let wrong = SignIn { otp: Some("123456".into()), ..credential("camille", OTHER_PASSWORD) };
        assert!(is(&refused(&world.anyone(), wrong).await, 401, "sign-in-refused"));
        assert!(is(&refused(&world.anyone(), credential("camille", OTHER_PASSWORD)).await, 401, "sign-in-refused"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_works_once_and_none_that_was_shown_before_it_works_after() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (setup, _) = enrol(&world, &camille).await;
        let (earlier, now) = (app(&setup, world.clock.now()), world.clock.now().plus(STEP));
        world.clock.set(now);
        let code = app(&setup, now);
        world.anyone().call(with_otp("camille", &code)).await.unwrap();
        for used in [code, earlier] {
            let refused = refused(&world.anyone(), with_otp("camille", &used)).await;
            assert!(is(&refused, 401, "sign-in-refused"), "{refused:?}");
            assert_eq!(world.last(Action::LoginFailed).await.details["reason"], "wrong-code");
        }
        // A phone that is one step ahead.
        world.anyone().call(with_otp("camille", &app(&setup, now.plus(STEP)))).await.unwrap();
        assert!(is(
            &refused(&world.anyone(), with_otp("camille", &app(&setup, now.plus(STEP * 2)))).await,
            401,
            "sign-in-refused"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_use_one_code_at_once_one_succeeds() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (setup, codes) = enrol(&world, &camille).await;
        for otp in [app(&setup, world.clock.now()), codes[0].clone()] {
            let tries: Vec<_> = (0..50)
                .map(|_| {
                    let (anyone, sign_in) = (world.anyone(), with_otp("camille", &otp));
                    tokio::spawn(async move { anyone.call(sign_in).await.is_ok() })
                })
                .collect();
            let mut succeeded = 0;
            for one in tries {
                succeeded += usize::from(one.await.unwrap());
            }
            assert_eq!(succeeded, 1, "{otp}");
            world.clock.advance(Duration::from_mins(15));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_stands_in_once_and_new_ones_replace_the_old() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        assert!(is(&refused(&camille, MakeRecoveryCodes {}).await, 409, "no-second-factor"));
        let (_, codes) = enrol(&world, &camille).await;
        let typed = codes[3].to_uppercase().replace('-', " ");
        world.anyone().call(with_otp("camille", &typed)).await.unwrap();
        assert_eq!(world.last(Action::RecoveryCodeUsed).await.details["left"], "9");
        assert!(is(&refused(&world.anyone(), with_otp("camille", &codes[3])).await, 401, "sign-in-refused"));
        let new = camille.call(MakeRecoveryCodes {}).await.unwrap().recovery_codes;
        assert!(is(&refused(&world.anyone(), with_otp("camille", &codes[4])).await, 401, "sign-in-refused"));
        // Of somebody else they are worth nothing.
        let (_, other) = world.signed_in("other", Role::Member).await;
        enrol(&world, &other).await;
        assert!(is(&refused(&world.anyone(), with_otp("other", &new[0])).await, 401, "sign-in-refused"));
        world.anyone().call(with_otp("camille", &new[0])).await.unwrap();
        let stored = format!("{:?} {:?}", world.store.dump().await.unwrap(), world.journal().await);
        for code in codes.iter().chain(&new) {
            assert!(!stored.contains(code.as_str()) && !stored.contains(&code.replace('-', "").to_uppercase()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_removed_is_asked_for_no_more_and_its_recovery_codes_go_with_it() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        assert!(is(&refused(&camille, RemoveTotp {}).await, 404, "not-found"));
        assert!(is(&refused(&camille, ConfirmTotp { code: "123456".into() }).await, 409, "totp-not-begun"));
        let (setup, _) = enrol(&world, &camille).await;
        assert!(is(&refused(&camille, BeginTotp {}).await, 409, "totp-on"));
        let code = app(&setup, world.clock.now());
        assert!(is(&refused(&camille, ConfirmTotp { code }).await, 409, "totp-on"));
        camille.call(RemoveTotp {}).await.unwrap();
        world.last(Action::TotpDisabled).await;
        assert_eq!(camille.call(GetSecondFactor {}).await.unwrap().recovery_codes_left, 0);
        let tokens = world.sign_in("camille").await;
        world.as_holder(&tokens).call(WhoAmI {}).await.unwrap();
        assert!(!world.verifier.verify(&tokens.access_token).unwrap().second_factor);
        let next = camille.call(BeginTotp {}).await.unwrap().0;
        assert_ne!(next.secret, setup.secret);
    }
}
