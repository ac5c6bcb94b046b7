//! Fernet: a short message under a shared key, in the form that Python's `cryptography` writes and reads.
//!
//! Promises: without the key nobody reads a token, makes one, or changes one; a token is taken for a while only. The
//! moment at which it was made stands in it for all to read. Knows neither files nor HTTP.

use std::time::Duration;

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use vocabulary::{Chance, Clock, Timestamp};
use zeroize::Zeroizing;

const VERSION: u8 = 0x80;
/// Two clocks rarely agree to the second. Python's `cryptography` allows as much.
const SKEW: Duration = Duration::from_mins(1);
const MOST_KEYS: usize = 16;

/// The shared keys: the first one seals, any of them opens. So a new key can be in use before the old one is gone.
pub struct Keyring(Vec<Key>);

struct Key {
    signing: hmac::Key,
    encryption: Zeroizing<[u8; 16]>,
}

/// The text does not hold keys.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// None at all.
    #[error("there is no key in it; `squirrel key` makes one")]
    None,
    /// One is not a key.
    #[error("key {0} in it is not 32 bytes in base64url (43 characters and a `=`); `squirrel key` makes one")]
    Malformed(usize),
    /// Too many.
    #[error("more than {MOST_KEYS} keys are in it: remove the oldest")]
    TooMany,
}

/// The token is not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// It does not look like one.
    #[error("the answer is no Fernet token: does the server run with --step fernet?")]
    NotAToken,
    /// No key fits.
    #[error(
        "the answer was sealed with another key than SECRET_KEY, or somebody changed it on the way: ask the leader of \
         the club for the key in use"
    )]
    OtherKey,
    /// Made too long ago.
    #[error(
        "the answer was sealed at {0}, longer ago than --ttl allows: somebody repeats an old one, or a clock is wrong"
    )]
    TooOld(Timestamp),
    /// Made later than now.
    #[error("the answer was sealed at {0}, which is yet to come: set the clock of the server or of this machine")]
    TooEarly(Timestamp),
}

/// A new key, in the form that [`Keyring::parse`] reads.
pub fn new_key(chance: &Chance) -> Zeroizing<String> {
    Zeroizing::new(BASE64_URL_SAFE.encode(Zeroizing::new(chance.bytes::<32>())))
}

impl Keyring {
    /// The keys in a text, separated by blanks or lines.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let keys: Vec<Key> = (1..)
            .zip(text.split_whitespace().take(MOST_KEYS + 1))
            .map(|(number, word)| Key::parse(word).ok_or(KeyError::Malformed(number)))
            .collect::<Result<_, _>>()?;
        match keys.len() {
            0 => Err(KeyError::None),
            1..=MOST_KEYS => Ok(Self(keys)),
            _ => Err(KeyError::TooMany),
        }
    }

    /// A token that only those who have the first key open.
    pub fn seal(&self, message: &[u8], clock: &Clock, chance: &Chance) -> Result<String, Unspecified> {
        self.0.first().ok_or(Unspecified)?.seal(message, clock.now(), chance.bytes())
    }

    /// The message of a token that is not older than `ttl`.
    pub fn open(&self, token: &str, ttl: Duration, clock: &Clock) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let bytes = BASE64_URL_SAFE.decode(token.trim()).map_err(|_| TokenError::NotAToken)?;
        let (body, tag) = bytes.split_last_chunk::<32>().ok_or(TokenError::NotAToken)?;
        let (made, iv, ciphertext) = parts(body).ok_or(TokenError::NotAToken)?;
        // What is inside is believed only once the signature is: whoever changes the message can change the time too.
        let key = self.0.iter().find(|key| hmac::verify(&key.signing, body, tag).is_ok());
        let key = key.ok_or(TokenError::OtherKey)?;
        let now = Timestamp::from_seconds(clock.now().seconds());
        if made.plus(ttl) < now {
            return Err(TokenError::TooOld(made));
        }
        if now.plus(SKEW) < made {
            return Err(TokenError::TooEarly(made));
        }
        key.decrypt(ciphertext, iv).map_err(|_| TokenError::NotAToken)
    }
}

/// When it was made, the initialization vector, and what is encrypted.
fn parts(body: &[u8]) -> Option<(Timestamp, &[u8; 16], &[u8])> {
    let ([version], rest) = body.split_first_chunk()?;
    let (made, rest) = rest.split_first_chunk()?;
    let (iv, ciphertext) = rest.split_first_chunk()?;
    let made = i64::try_from(u64::from_be_bytes(*made)).ok()?;
    (*version == VERSION).then(|| (Timestamp::from_seconds(made), iv, ciphertext))
}

impl Key {
    /// 16 bytes to sign with and 16 to encrypt with.
    fn parse(word: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_URL_SAFE.decode(word).ok()?);
        let (signing, rest) = bytes.split_first_chunk::<16>()?;
        let encryption = Zeroizing::new(<[u8; 16]>::try_from(rest).ok()?);
        Some(Self { signing: hmac::Key::new(hmac::HMAC_SHA256, signing), encryption })
    }

    fn seal(&self, message: &[u8], at: Timestamp, iv: [u8; 16]) -> Result<String, Unspecified> {
        let mut ciphertext = Zeroizing::new(message.to_vec());
        let cipher = UnboundCipherKey::new(&AES_128, self.encryption.as_slice())?;
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        PaddedBlockEncryptingKey::cbc_pkcs7(cipher)?.less_safe_encrypt(&mut *ciphertext, context)?;
        let made = at.seconds().max(0).to_be_bytes();
        let mut token = [&[VERSION], made.as_slice(), &iv, &ciphertext].concat();
        let tag = hmac::sign(&self.signing, &token);
        token.extend_from_slice(tag.as_ref());
        Ok(BASE64_URL_SAFE.encode(token))
    }

    fn decrypt(&self, ciphertext: &[u8], iv: &[u8; 16]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let mut message = Zeroizing::new(ciphertext.to_vec());
        let cipher = UnboundCipherKey::new(&AES_128, self.encryption.as_slice())?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let length = PaddedBlockDecryptingKey::cbc_pkcs7(cipher)?.decrypt(&mut message, context)?.len();
        message.truncate(length);
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the examples of Fernet's specification share.
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="; // not-a-secret: Fernet's specification shows it
    const HELLO: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    fn open(key: &str, token: &str, now: &str) -> Result<String, TokenError> {
        let clock = Clock::manual(now.parse().unwrap());
        let message = Keyring::parse(key).unwrap().open(token, Duration::from_mins(1), &clock)?;
        Ok(String::from_utf8(message.to_vec()).unwrap())
    }

    #[test]
    fn tokens_are_made_and_opened_as_the_specification_shows() {
        let iv = std::array::from_fn(|byte| u8::try_from(byte).unwrap());
        let made = Key::parse(KEY).unwrap().seal(b"hello", "1985-10-26T01:20:00-07:00".parse().unwrap(), iv);
        assert_eq!(made.unwrap(), HELLO);
        assert_eq!(open(KEY, HELLO, "1985-10-26T01:20:01-07:00").unwrap(), "hello");
    }

    #[test]
    fn what_the_specification_calls_invalid_is_refused_with_its_reason() {
        let made = "1985-10-26T08:20:01Z".parse().unwrap();
        let late = "1985-10-26T01:21:31-07:00";
        let early = TokenError::TooEarly("1985-10-26T18:20:01Z".parse().unwrap());
        for (what, token, now, error) in [
            (
                "incorrect mac",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
                None,
                TokenError::OtherKey,
            ),
            ("too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", None, TokenError::NotAToken),
            (
                "invalid base64",
                "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
                None,
                TokenError::NotAToken,
            ),
            (
                "payload size not multiple of block size",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
                None,
                TokenError::NotAToken,
            ),
            (
                "payload padding error",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
                None,
                TokenError::NotAToken,
            ),
            (
                "far-future time",
                "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
                None,
                early,
            ),
            (
                "expired",
                "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
                Some(late),
                TokenError::TooOld(made),
            ),
            (
                "incorrect IV",
                "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
                None,
                TokenError::NotAToken,
            ),
        ] {
            assert_eq!(open(KEY, token, now.unwrap_or("1985-10-26T01:20:01-07:00")), Err(error), "{what}");
        }
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let (clock, chance) = (Clock::manual("2026-11-21T09:30:00Z".parse().unwrap()), Chance::seeded(1));
        let (old, new) = (new_key(&chance), new_key(&chance));
        let both = Keyring::parse(&format!("{}\n{}\n", *new, *old)).unwrap();
        let sealed = both.seal(b"fluffy tail", &clock, &chance).unwrap();
        assert_ne!(sealed, both.seal(b"fluffy tail", &clock, &chance).unwrap(), "no two tokens are the same");
        let now = "2026-11-21T09:31:00Z";
        assert_eq!(open(&new, &sealed, now).unwrap(), "fluffy tail");
        assert_eq!(open(&old, &sealed, now), Err(TokenError::OtherKey));
        let before = Keyring::parse(&old).unwrap().seal(b"acorn", &clock, &chance).unwrap();
        assert_eq!(open(&format!("{} {}", *new, *old), &before, now).unwrap(), "acorn");
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed_and_no_message_is_too_short_or_long() {
        let (clock, chance) = (Clock::manual("2026-11-21T09:30:00Z".parse().unwrap()), Chance::seeded(1));
        let key = new_key(&chance);
        let keys = Keyring::parse(&key).unwrap();
        for length in [0, 1, 15, 16, 17, 1000] {
            let sealed = keys.seal(&vec![b'x'; length], &clock, &chance).unwrap();
            assert_eq!(open(&key, &sealed, "2026-11-21T09:30:00Z").unwrap().len(), length);
        }
        let sealed = BASE64_URL_SAFE.decode(keys.seal(b"fluffy tail", &clock, &chance).unwrap()).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let refused = open(&key, &BASE64_URL_SAFE.encode(changed), "2026-11-21T09:30:00Z").unwrap_err();
            assert_eq!(refused, if at == 0 { TokenError::NotAToken } else { TokenError::OtherKey }, "byte {at}");
        }
    }

    #[test]
    fn a_text_without_usable_keys_is_refused_with_words() {
        let refused = |text: &str| Keyring::parse(text).err().unwrap();
        assert_eq!(refused(" \n"), KeyError::None);
        assert_eq!(refused(&format!("{KEY} fluffy-tail")), KeyError::Malformed(2));
        assert_eq!(refused(&KEY[..40]), KeyError::Malformed(1));
        assert_eq!(refused(&format!("{KEY} ").repeat(17)), KeyError::TooMany);
    }
}
