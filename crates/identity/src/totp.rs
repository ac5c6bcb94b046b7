//! Codes of authenticator apps (RFC 6238: HMAC-SHA1, 30 seconds, six digits), and the recovery codes beside them. Pure
//! rules: that a code works once is for the store to see.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};
use qrcode::QrCode;
use qrcode::render::svg;
use sha2::{Digest, Sha256};
use vocabulary::{Chance, Login, Timestamp, UserId};
use zeroize::Zeroizing;

use crate::error::Error;

/// How long a code is shown, in seconds.
const STEP: i64 = 30;
/// How many steps a phone's clock may be off, to either side.
const DRIFT: i64 = 1;
/// As apps show it beside the login.
const ISSUER: &str = "Guichet";
/// Bytes of an AES-GCM nonce, which stands before the encrypted secret.
const NONCE: usize = 12;
/// How many recovery codes a person gets at a time.
const RECOVERY_CODES: usize = 10;

/// What an authenticator app and the bank share. Never printed; wiped when dropped.
pub(crate) struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// 160 bits, as RFC 4226 recommends.
    pub(crate) fn new(chance: &Chance) -> Self {
        Self(Zeroizing::new(chance.bytes::<20>().to_vec()))
    }

    /// As people type it into an app.
    pub(crate) fn base32(&self) -> String {
        base32(&self.0)
    }

    /// As apps read it from a QR code.
    pub(crate) fn url(&self, login: &Login) -> String {
        format!(
            "otpauth://totp/{ISSUER}:{login}?secret={}&issuer={ISSUER}&algorithm=SHA1&digits=6&period={STEP}",
            self.base32()
        )
    }

    /// The step that `code` belongs to, if it is one that may be shown now.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let current = now.seconds().div_euclid(STEP);
        let steps = current.saturating_sub(DRIFT)..=current.saturating_add(DRIFT);
        let fits = |step| constant_time::verify_slices_are_equal(self.code(step).as_bytes(), code.as_bytes()).is_ok();
        // All are compared, so that the time taken says nothing.
        steps.fold(None, |found, step| if fits(step) { Some(step) } else { found })
    }

    /// The code of a step (RFC 4226, section 5.3).
    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let at = tag.as_ref().last().map_or(0, |last| usize::from(last & 0x0f));
        let four = tag.as_ref().iter().skip(at).take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        format!("{:06}", (four & 0x7fff_ffff) % 1_000_000)
    }
}

/// Encrypts secrets for the table, each for its person: one that is copied to another row does not open.
pub(crate) struct Vault(LessSafeKey);

impl Vault {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Error> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(Error::internal)?)))
    }

    pub(crate) fn seal(&self, secret: &TotpSecret, of: UserId, chance: &Chance) -> Result<Vec<u8>, Error> {
        let nonce = chance.bytes::<NONCE>();
        let mut text = secret.0.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(of), &mut text)
            .map_err(Error::internal)?;
        Ok([nonce.as_slice(), &text].concat())
    }

    pub(crate) fn open(&self, sealed: &[u8], of: UserId) -> Result<TotpSecret, Error> {
        let damaged = || Error::internal("the secret of an authenticator app does not open: was the key file changed?");
        let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.0.open_in_place(nonce, aad(of), &mut text).map_err(|_| damaged())?;
        Ok(TotpSecret(Zeroizing::new(opened.to_vec())))
    }
}

fn aad(of: UserId) -> Aad<String> {
    Aad::from(format!("totp {of}"))
}

/// The QR code of an address, as an SVG image that can stand in a page.
pub(crate) fn qr_svg(url: &str) -> Result<String, Error> {
    let image = QrCode::new(url).map_err(Error::internal)?.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    let start = image.find("<svg").unwrap_or(0);
    Ok(image.get(start..).unwrap_or_default().to_owned())
}

/// What somebody typed as their second factor.
pub(crate) enum Typed {
    /// Six digits.
    Code(String),
    /// Anything else: the hash of a recovery code, if it is one.
    Recovery([u8; 32]),
}

impl Typed {
    /// Spaces, dashes and capitals do not matter.
    pub(crate) fn read(text: &str) -> Self {
        let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if text.len() == 6 && text.bytes().all(|c| c.is_ascii_digit()) {
            Self::Code(text)
        } else {
            Self::Recovery(Sha256::digest(text.to_ascii_uppercase().as_bytes()).into())
        }
    }
}

/// A person's recovery codes: what they are shown, and what is stored of each. A code has 120 bits of chance, so a fast
/// hash without salt is enough (ASVS 6.5.2 asks for more only below 112 bits).
pub(crate) fn recovery_codes(chance: &Chance) -> Vec<(String, [u8; 32])> {
    let one = |_| {
        let letters = base32(&chance.bytes::<15>());
        let groups: Vec<&str> = (0..24).step_by(6).filter_map(|at| letters.get(at..at + 6)).collect();
        (groups.join("-").to_lowercase(), Sha256::digest(letters.as_bytes()).into())
    };
    (0..RECOVERY_CODES).map(one).collect()
}

/// RFC 4648, without padding.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |group: &[u8], at: usize| {
        let five = (0..5).fold(0_usize, |number, bit| {
            let bit = at * 5 + bit;
            let byte = group.get(bit / 8).copied().unwrap_or(0);
            number << 1 | usize::from(byte >> (7 - bit % 8) & 1)
        });
        LETTERS.get(five).map_or('A', |letter| char::from(*letter))
    };
    bytes.chunks(5).flat_map(|group| (0..(group.len() * 8).div_ceil(5)).map(move |at| letter(group, at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc_secret() -> TotpSecret {
        TotpSecret(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B gives eight digits; six are the last of them.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(rfc_secret().code(seconds / 30), code);
        }
    }

    #[test]
    fn a_code_holds_one_step_to_either_side_and_no_further() {
        let secret = rfc_secret();
        let now = Timestamp::from_seconds(1_800_000_015);
        let current = 1_800_000_015_i64 / 30;
        for step in current - 3..=current + 3 {
            let expected = (step - current).abs() <= 1;
            assert_eq!(secret.step_of(&secret.code(step), now), expected.then_some(step));
        }
        for wrong in ["", "1", "12345", "1234567", "12345a"] {
            assert_eq!(secret.step_of(wrong, now), None);
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        let table =
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB")];
        for (text, written) in table {
            assert_eq!(base32(text.as_bytes()), written);
        }
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    }

    #[test]
    fn a_sealed_secret_opens_for_its_person_and_key_only() {
        let (chance, of) = (Chance::seeded(1), UserId(store::Uuid::from_u128(1)));
        let (vault, secret) = (Vault::new(&[1; 32]).unwrap(), TotpSecret::new(&Chance::seeded(2)));
        let sealed = vault.seal(&secret, of, &chance).unwrap();
        assert_eq!(vault.open(&sealed, of).unwrap().base32(), secret.base32());
        assert_ne!(sealed, vault.seal(&secret, of, &chance).unwrap(), "never twice the same");
        assert!(vault.open(&sealed, UserId(store::Uuid::from_u128(2))).is_err());
        assert!(Vault::new(&[2; 32]).unwrap().open(&sealed, of).is_err());
        assert!(vault.open(&sealed[..11], of).is_err());
        let mut changed = sealed.clone();
        changed[NONCE] ^= 1;
        assert!(vault.open(&changed, of).is_err());
    }

    #[test]
    fn recovery_codes_are_ten_long_and_different_and_read_however_they_are_typed() {
        let codes = recovery_codes(&Chance::seeded(1));
        assert_eq!(codes.len(), RECOVERY_CODES);
        let different: std::collections::HashSet<_> = codes.iter().map(|(_, hash)| hash).collect();
        assert_eq!(different.len(), RECOVERY_CODES);
        for (shown, stored) in &codes {
            assert_eq!(shown.len(), 27);
            for typed in [shown.clone(), shown.to_uppercase(), shown.replace('-', " "), format!(" {shown}\n")] {
                assert!(matches!(Typed::read(&typed), Typed::Recovery(hash) if hash == *stored));
            }
        }
        assert!(matches!(Typed::read("123 456"), Typed::Code(code) if code == "123456"));
    }

    #[test]
    fn an_app_reads_the_address_as_a_picture() {
        let url = rfc_secret().url(&"camille".parse().unwrap());
        assert_eq!(
            url,
            "otpauth://totp/Guichet:camille?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Guichet&algorithm=SHA1\
             &digits=6&period=30"
        );
        let image = qr_svg(&url).unwrap();
        assert!(image.starts_with("<svg") && image.ends_with("</svg>"));
    }
}
