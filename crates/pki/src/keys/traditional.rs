//! The encryption of keys that OpenSSL had before PKCS#8: `Proc-Type: 4,ENCRYPTED` above the base64.
//!
//! Only read, never written: one round of MD5 over passphrase and salt is all that protects such a key.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use pem::Pem;
use zeroize::Zeroizing;

use super::Passphrase;
use crate::PkiError;

pub(super) fn is_encrypted(pem: &Pem) -> bool {
    pem.headers().get("Proc-Type").is_some_and(|value| value.trim().ends_with("ENCRYPTED"))
}

/// The key's DER and the name of the cipher.
pub(super) fn decrypt(pem: &Pem, passphrase: &Passphrase) -> Result<(Zeroizing<Vec<u8>>, &'static str), PkiError> {
    let damaged = || PkiError::Key("its line `DEK-Info` is damaged".into());
    let (cipher, salt) = pem.headers().get("DEK-Info").and_then(|info| info.split_once(',')).ok_or_else(damaged)?;
    let iv = hex::decode(salt.trim()).ok().filter(|iv| matches!(iv.len(), 8 | 16)).ok_or_else(damaged)?;
    let text = pem.contents();
    let (open, name) = match cipher.trim() {
        "AES-128-CBC" => (open::<Decryptor<Aes128>>(text, passphrase, &iv, 16), "AES-128-CBC"),
        "AES-192-CBC" => (open::<Decryptor<Aes192>>(text, passphrase, &iv, 24), "AES-192-CBC"),
        "AES-256-CBC" => (open::<Decryptor<Aes256>>(text, passphrase, &iv, 32), "AES-256-CBC"),
        "DES-EDE3-CBC" => (open::<Decryptor<TdesEde3>>(text, passphrase, &iv, 24), "DES-EDE3-CBC"),
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(PkiError::Key(format!(
                "it is encrypted with {}, which is not read here: write it anew with `openssl pkcs8 -topk8 -v2 aes256`",
                other.escape_debug()
            )));
        }
    };
    Ok((open.ok_or_else(super::wrong_passphrase)?, name))
}

fn open<C: KeyIvInit + BlockModeDecrypt>(
    text: &[u8],
    passphrase: &Passphrase,
    iv: &[u8],
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let key = derive(passphrase.bytes(), iv.get(..8)?, length);
    let cipher = C::new_from_slices(&key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(text).ok().map(Zeroizing::new)
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round: blocks of digests, each over the one before.
fn derive(passphrase: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(48));
    let mut last: Option<[u8; 16]> = None;
    while key.len() < length {
        let mut digest = Md5::new();
        if let Some(last) = last {
            digest.update(last);
        }
        digest.update(passphrase);
        digest.update(salt);
        let block: [u8; 16] = digest.finalize().into();
        key.extend_from_slice(&block);
        last = Some(block);
    }
    key.truncate(length);
    key
}
