//! Every word of the pages, in French and in English, side by side.
//!
//! A text without one of its translations, or with an argument too few, does not compile. French texts carry a
//! no-break space (U+00A0) before `:`, `;`, `?`, `!` and inside guillemets; a test sees to it.

mod actions;
mod checks;
mod chrome;
mod journal;
mod links;
mod mails;
mod money;
mod monitor;
mod people;
mod security;
mod staff;
mod states;

use contracts::identity::Language;

/// The texts in one language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct T(pub(crate) Language);

impl T {
    /// As the `lang` attribute has it.
    pub(crate) fn tag(self) -> &'static str {
        match self.0 {
            Language::Fr => "fr",
            Language::En => "en",
        }
    }
}

/// `name "français" "English";` is a text, `name(argument: type) "… {argument}" "… {argument}";` one that is filled in.
macro_rules! texts {
    ($($name:ident $(($($argument:ident: $type:ty),+))? $fr:literal $en:literal;)+) => {
        impl crate::texts::T {
            $(crate::texts::texts!(@one $name $(($($argument: $type),+))? $fr $en);)+
        }
    };
    (@one $name:ident $fr:literal $en:literal) => {
        pub(crate) fn $name(self) -> &'static str {
            match self.0 {
                contracts::identity::Language::Fr => $fr,
                contracts::identity::Language::En => $en,
            }
        }
    };
    (@one $name:ident ($($argument:ident: $type:ty),+) $fr:literal $en:literal) => {
        pub(crate) fn $name(self, $($argument: $type),+) -> String {
            match self.0 {
                contracts::identity::Language::Fr => format!($fr),
                contracts::identity::Language::En => format!($en),
            }
        }
    };
}
pub(crate) use texts;

/// A language by its tag.
pub(crate) fn language(tag: &str) -> Option<Language> {
    match tag {
        "fr" => Some(Language::Fr),
        "en" => Some(Language::En),
        _ => None,
    }
}

/// The first of our languages that a browser accepts, in its order.
pub(crate) fn accepted(header: &str) -> Option<Language> {
    header.split(',').find_map(|range| {
        let tag = range.split(';').next().unwrap_or("").trim();
        language(tag.split('-').next().unwrap_or("").to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_answered_in_the_first_language_we_have() {
        assert_eq!(accepted("de-DE,en-GB;q=0.8,fr;q=0.5"), Some(Language::En));
        assert_eq!(accepted("fr-CA"), Some(Language::Fr));
        assert_eq!(accepted("de, *"), None);
    }

    #[test]
    fn french_marks_do_not_begin_a_line() {
        let sources = [
            include_str!("actions.rs"),
            include_str!("checks.rs"),
            include_str!("chrome.rs"),
            include_str!("journal.rs"),
            include_str!("links.rs"),
            include_str!("mails.rs"),
            include_str!("money.rs"),
            include_str!("monitor.rs"),
            include_str!("people.rs"),
            include_str!("security.rs"),
            include_str!("staff.rs"),
            include_str!("states.rs"),
        ];
        // Every second piece between quotes is a text; what stands before an arrow is what services say.
        let texts =
            sources.iter().flat_map(|source| source.lines()).filter(|line| !line.trim_start().starts_with("//"));
        let ours = texts.map(|line| line.split_once("\" =>").map_or(line, |(_, ours)| ours));
        for text in ours.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            for wrong in [" :", " ;", " ?", " !", " »", "« ", "'"] {
                assert!(!text.contains(wrong), "{wrong:?} in {text}");
            }
        }
    }
}
