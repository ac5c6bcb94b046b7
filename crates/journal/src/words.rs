//! Which words a search finds an entry by. Pure.
//!
//! Promises the same on both databases: they are given words that need no further reading. A word is a run of letters and
//! digits, in small letters and without accents; an entry has those of its message and of the values of its details.

use std::collections::{BTreeMap, BTreeSet};

/// Longest word, in characters: what is longer is cut, in entries and in searches alike.
const LONGEST: usize = 64;
/// Most words of one entry that are found.
const MOST: usize = 2_000;

/// The words of an entry.
pub(crate) fn of_entry(message: &str, details: &BTreeMap<String, String>) -> BTreeSet<String> {
    let texts = std::iter::once(message).chain(details.values().map(String::as_str));
    texts.flat_map(words).take(MOST).collect()
}

/// What is searched for: words that must all be there, each as the beginning of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted(BTreeSet<String>);

impl Wanted {
    /// Nothing where the text holds no word.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let words: BTreeSet<String> = words(text).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// As SQLite's FTS5 takes it.
    pub(crate) fn for_sqlite(&self) -> String {
        self.joined(" AND ", |word| format!("\"{word}\"*"))
    }

    /// As a `tsquery` of PostgreSQL is written.
    pub(crate) fn for_postgres(&self) -> String {
        self.joined(" & ", |word| format!("'{word}':*"))
    }

    fn joined(&self, by: &str, written: impl Fn(&String) -> String) -> String {
        self.0.iter().map(written).collect::<Vec<_>>().join(by)
    }

    /// Whether an entry with these words is found.
    pub(crate) fn is_in(&self, words: &BTreeSet<String>) -> bool {
        self.0.iter().all(|wanted| words.range(wanted.clone()..).next().is_some_and(|word| word.starts_with(wanted)))
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let is_part = |c: char| c.is_alphanumeric() || is_mark(c);
    let folded = |run: &str| -> String {
        let small = run.chars().filter(|c| !is_mark(*c)).flat_map(char::to_lowercase).filter(|c| !is_mark(*c));
        let mut word = String::new();
        for c in small.take(LONGEST) {
            fold(c, &mut word);
        }
        word
    };
    text.split(move |c| !is_part(c)).map(folded).filter(|word| !word.is_empty())
}

/// An accent that stands behind its letter.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// A small letter without its accent.
fn fold(c: char, word: &mut String) {
    let plain = match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'ĉ' | 'č' => "c",
        'ď' | 'đ' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ĝ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => "o",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ť' | 'ţ' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        other => return word.push(other),
    };
    word.push_str(plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_accents_and_signs_make_no_difference() {
        let found = of_entry("Virement REÇU : cœur de l’été", &[("iban".into(), "FR76-3000".into())].into());
        for text in
            ["reçu", "RECU", "e\u{301}te", "coe", "fr76 3000", "vir, recu!", "\u{130}".repeat(0).as_str(), "été"]
        {
            match Wanted::of(text) {
                Some(wanted) => assert!(wanted.is_in(&found), "{text}"),
                None => assert!(text.is_empty()),
            }
        }
        for text in ["irement", "fr763000", "recus", "iban"] {
            assert!(!Wanted::of(text).unwrap().is_in(&found), "{text}");
        }
        assert_eq!(Wanted::of(" -'\" "), None);
    }

    #[test]
    fn nothing_of_a_query_language_gets_through() {
        let wanted = Wanted::of("a\"b OR c* NEAR(d) e':* & !f \\").unwrap();
        assert_eq!(wanted.for_postgres(), "'a':* & 'b':* & 'c':* & 'd':* & 'e':* & 'f':* & 'near':* & 'or':*");
        assert_eq!(
            wanted.for_sqlite(),
            "\"a\"* AND \"b\"* AND \"c\"* AND \"d\"* AND \"e\"* AND \"f\"* AND \"near\"* AND \"or\"*"
        );
    }
}
