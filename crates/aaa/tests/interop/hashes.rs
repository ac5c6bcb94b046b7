//! Hashes that other programs make, as they make them unless told otherwise, are verified here and replaced.

use std::collections::BTreeMap;

use aaa::{Fit, Hasher, Password, PasswordHash};
use serde_json::json;
use vocabulary::Chance;

use crate::python;

const HASH: &str = r#"
import bcrypt, passlib.context
from django.conf import settings
settings.configure()
from django.contrib.auth.hashers import make_password
from werkzeug.security import generate_password_hash
password = ask["password"]
course = passlib.context.CryptContext("bcrypt", bcrypt__default_rounds=4)
say({"bcrypt": bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode(),
    "bcrypt 2a": bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode(),
    "passlib": course.hash(password),
    "django": make_password(password),
    "werkzeug": generate_password_hash(password),
    "werkzeug pbkdf2": generate_password_hash(password, "pbkdf2")})
"#;

fn password(text: &str) -> Password {
    text.to_owned().try_into().unwrap()
}

#[tokio::test]
async fn the_hashes_of_bcrypt_passlib_django_and_werkzeug_fit_and_are_replaced() {
    let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
    // Longer than bcrypt looks, and not ASCII: each program has to mean the same bytes.
    for typed in ["derkins", "été – ¡olé!", &"long and longer ".repeat(6)] {
        let made = python(HASH, &json!({ "password": typed }));
        let made: BTreeMap<String, String> = serde_json::from_value(made).unwrap();
        assert_eq!(made.len(), 6);
        for (program, hash) in made {
            let hash = PasswordHash::import(&hash).unwrap();
            let wrong = password(&format!("x{typed}"));
            assert_eq!(hasher.verify(wrong, Some(hash.clone())).await.unwrap(), Fit::Wrong, "{program}");
            let Fit::Outdated(better) = hasher.verify(password(typed), Some(hash)).await.unwrap() else {
                panic!("the hash of {program} should fit {typed:?} and be outdated");
            };
            assert_eq!(hasher.verify(password(typed), Some(better)).await.unwrap(), Fit::Right, "{program}");
        }
    }
}
