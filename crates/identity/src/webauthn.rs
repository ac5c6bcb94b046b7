//! What a passkey must show (WebAuthn Level 3, sections 7.1 and 7.2). Pure rules.
//!
//! Which make of authenticator it is, is not asked (attestation `none`): a bank of this size trusts the person's choice.
//! User presence and user verification are always required, so that a passkey is two factors by itself.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cbor::{self, Item};

/// COSE algorithms taken, best first: EdDSA, ES256, and RS256 as the chips of many Windows machines have it.
pub(crate) const ALGORITHMS: [i32; 3] = [-8, -7, -257];
/// Longest id of a credential (WebAuthn, section 4).
const MAX_ID: usize = 1023;
/// Longest public key: an RSA key of 8192 bits fits.
const MAX_KEY: usize = 1200;

/// Why a ceremony fails: for the journal and the audit only.
pub(crate) type Fault = &'static str;

/// Whom passkeys are made for: this bank, under one origin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RelyingParty {
    /// The host, such as `bank.example.org`.
    pub(crate) id: String,
    /// As browsers write it, such as `https://bank.example.org:8443`.
    origin: String,
}

/// What a browser does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ceremony {
    Create,
    Get,
}

/// A new passkey.
pub(crate) struct NewCredential {
    pub(crate) id: Vec<u8>,
    /// The public key, as COSE writes it.
    pub(crate) key: Vec<u8>,
    pub(crate) counter: u32,
    /// Kept by a provider on several devices.
    pub(crate) synced: bool,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

impl RelyingParty {
    /// Of an origin such as `https://localhost:8443`.
    pub(crate) fn of(origin: &str) -> Self {
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
        let id = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
            _ => host,
        };
        Self { id: id.to_owned(), origin }
    }

    /// The challenge that the browser answers, once it is clear that it did so here and for this.
    pub(crate) fn challenge(&self, client_data: &[u8], ceremony: Ceremony) -> Result<Vec<u8>, Fault> {
        let data: ClientData = serde_json::from_slice(client_data).map_err(|_| "unreadable client data")?;
        let kind = match ceremony {
            Ceremony::Create => "webauthn.create",
            Ceremony::Get => "webauthn.get",
        };
        if data.kind != kind {
            return Err("another ceremony");
        }
        if data.origin != self.origin || data.cross_origin {
            return Err("another origin");
        }
        BASE64_URL_SAFE_NO_PAD.decode(&data.challenge).map_err(|_| "unreadable challenge")
    }

    /// The passkey that was made.
    pub(crate) fn created(&self, attestation: &[u8]) -> Result<NewCredential, Fault> {
        let (object, length) = cbor::read(attestation).ok_or("unreadable attestation")?;
        let data = object.named("authData").and_then(Item::bytes).filter(|_| length == attestation.len());
        let data = AuthenticatorData::read(data.ok_or("unreadable attestation")?)?;
        self.check(&data)?;
        let (id, key) = data.credential.ok_or("no credential")?;
        if PublicKey::read(&key).is_none() {
            return Err("a key of another kind");
        }
        Ok(NewCredential { id, key, counter: data.counter, synced: data.flags & BACKED_UP != 0 })
    }

    /// The counter of the passkey, once its signature is verified with the `key` that was stored.
    pub(crate) fn signed(
        &self,
        key: &[u8],
        authenticator_data: &[u8],
        client_data: &[u8],
        signature: &[u8],
    ) -> Result<u32, Fault> {
        let data = AuthenticatorData::read(authenticator_data)?;
        self.check(&data)?;
        let message = [authenticator_data, Sha256::digest(client_data).as_slice()].concat();
        let key = PublicKey::read(key).ok_or("a key of another kind")?;
        if key.verifies(&message, signature) { Ok(data.counter) } else { Err("wrong signature") }
    }

    fn check(&self, data: &AuthenticatorData) -> Result<(), Fault> {
        let for_us: [u8; 32] = Sha256::digest(self.id.as_bytes()).into();
        if data.rp_id_hash != for_us {
            return Err("made for another party");
        }
        if data.flags & PRESENT == 0 || data.flags & VERIFIED == 0 {
            return Err("the user was not verified");
        }
        if data.flags & BACKED_UP != 0 && data.flags & BACKUP_ELIGIBLE == 0 {
            return Err("contradictory flags");
        }
        Ok(())
    }
}

/// Whether a counter that an authenticator shows may follow the one that was stored: one that does not grow belongs to
/// a copy. Synced passkeys do not count at all.
pub(crate) const fn follows(shown: u32, stored: u32) -> bool {
    shown > stored || (shown == 0 && stored == 0)
}

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;

/// Section 6.1.
struct AuthenticatorData {
    rp_id_hash: [u8; 32],
    flags: u8,
    counter: u32,
    /// Id and public key, when a passkey is made.
    credential: Option<(Vec<u8>, Vec<u8>)>,
}

impl AuthenticatorData {
    fn read(bytes: &[u8]) -> Result<Self, Fault> {
        Self::parse(bytes).ok_or("unreadable authenticator data")
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        let (flags, rest) = rest.split_first()?;
        let (counter, rest) = rest.split_first_chunk::<4>()?;
        let credential = if flags & ATTESTED == 0 { None } else { Some(Self::attested(rest)?) };
        Some(Self { rp_id_hash: *hash, flags: *flags, counter: u32::from_be_bytes(*counter), credential })
    }

    /// Section 6.5.2: make, id and key; extensions may follow.
    fn attested(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (_make, rest) = bytes.split_at_checked(16)?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let (_, length) = cbor::read(rest)?;
        let key = rest.get(..length)?;
        (!id.is_empty() && id.len() <= MAX_ID && key.len() <= MAX_KEY).then(|| (id.to_vec(), key.to_vec()))
    }
}

/// A COSE key (RFC 9053) of a kind that is taken.
enum PublicKey {
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl PublicKey {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (key, length) = cbor::read(bytes)?;
        if length != bytes.len() {
            return None;
        }
        let int = |number| key.numbered(number).and_then(Item::int);
        let part = |number| key.numbered(number).and_then(Item::bytes);
        match (int(1)?, int(3)?) {
            (2, -7) if int(-1) == Some(1) => {
                let (x, y) = (part(-2)?, part(-3)?);
                (x.len() == 32 && y.len() == 32).then(|| Self::P256([&[4], x, y].concat()))
            }
            (1, -8) if int(-1) == Some(6) => part(-2).filter(|x| x.len() == 32).map(|x| Self::Ed25519(x.to_vec())),
            (3, -257) => Some(Self::Rsa { n: part(-1)?.to_vec(), e: part(-2)?.to_vec() }),
            _ => None,
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature).is_ok(),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
            Self::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_is_the_host_of_its_origin() {
        for (origin, id, written) in [
            ("https://bank.example.org", "bank.example.org", "https://bank.example.org"),
            ("https://Bank.example.org:8443/", "bank.example.org", "https://bank.example.org:8443"),
            ("https://localhost:8443", "localhost", "https://localhost:8443"),
        ] {
            let party = RelyingParty::of(origin);
            assert_eq!((party.id.as_str(), party.origin.as_str()), (id, written));
        }
    }

    #[test]
    fn a_counter_grows_unless_it_does_not_count_at_all() {
        assert!(follows(0, 0) && follows(1, 0) && follows(8, 7));
        assert!(!follows(7, 7) && !follows(6, 7) && !follows(0, 7));
    }

    /// Of a key that was made for this test alone.
    const MODULUS: &str = "d22f5c169c5ef2c1d7d3671d19b68bae720fe58c2fd0d06f145eec76a12cc4d8f3f83716d2951977d8fa211f1c8fcf967e9e\
         46d0bb0689b5b308c72ecb3a24331fd80bc65d1f5464a45578b658a79cbf25a920e7a7ef3343c339548b9a358574d241095a\
         f259a7d5d6c89168f02e24cf2371ab59a6f355e5a3dd777de9c174053e155343e1e7534bc49b712d47108713c99aabe3b4a3\
         54ab7bddad060a4ba0281e1c7d0278eddb4fcaa24ac9690778884f65009db7ad7e8a2d4f521eecbb1ca60f94e7e439cbb0bd\
         6d515f754bf61650faec5c48b3601ceef888531c8a4c1a2b668887293d6362eab70959721775d3e6ac2896ac378489326f86\
         7aa32fedbb61";
    const SIGNATURE: &str = "44a848c3b9226a817ad02a270b41fb2af607339990d41273f58053a6d4f910b162fdac8f7c314f0373fa05c0c151af91a97a\
         f7bbb3c612386ebd77089523da111aa60d409d44354c01cdee6cb7618fa305bcf2231b9b0b17104175ea629679b63be98476\
         1abd5e8ee386707555ff80a30dc2921f5b5fffa53250b9995bcbdbe8b6b7b6514f8b67e1a4bfc46c4478965043f3f28c930a\
         aa6ce05c5bb14fe41d052057b4340be415fe5ad4c87aeb28af0e3f6696d2a9c1bb3c91c60f47a1451b4a686af2eb2fe4e4b0\
         284a1a3a7170125bd65ede4da5c2f0a00b118b18a1e4e094e8576c18ebdcce6db35a68550e0951a6b4bbc63c20c3b4e6578f\
         7c9c15b77479";

    #[test]
    fn rsa_signatures_are_verified_too() {
        let (n, signature) = (hex::decode(MODULUS).unwrap(), hex::decode(SIGNATURE).unwrap());
        // {1: 3, 3: -257, -1: n, -2: 65537}
        let cose =
            [&[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59, 0x01, 0x00][..], &n, &[0x21, 0x43, 1, 0, 1]];
        let key = PublicKey::read(&cose.concat()).unwrap();
        assert!(key.verifies(b"guichet", &signature));
        assert!(!key.verifies(b"guichez", &signature));
        assert!(PublicKey::read(&[cose.concat(), vec![0]].concat()).is_none(), "nothing may follow");
    }
}
