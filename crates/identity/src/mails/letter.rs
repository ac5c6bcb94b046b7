//! A mail's content: a subject, a few paragraphs and perhaps a link, as plain text and as HTML. Pure.

use contracts::events::Action;
use contracts::identity::Language;
use vocabulary::{Login, Timestamp};

use super::words;

/// Longest line of the plain text; longer ones are broken between words.
const LINE: usize = 76;

/// What the words depend on besides what happened.
pub(crate) struct About<'a> {
    pub(crate) language: Language,
    pub(crate) login: &'a Login,
    pub(crate) bank: &'a str,
    /// Where the bank is reached, if that is known.
    pub(crate) origin: Option<&'a str>,
    pub(crate) at: Timestamp,
    /// What makes a link of this mail work, if it has one.
    pub(crate) code: Option<&'a str>,
}

impl About<'_> {
    /// One of two texts.
    pub(crate) fn say(&self, fr: &str, en: &str) -> String {
        match self.language {
            Language::Fr => fr,
            Language::En => en,
        }
        .to_owned()
    }

    /// When it happened, for people anywhere.
    pub(crate) fn when(&self) -> String {
        let at = self.at.utc();
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute) = (at.hour(), at.minute());
        match self.language {
            Language::Fr => format!("{day:02}/{month:02}/{year} à {hour:02}:{minute:02} (UTC)"),
            Language::En => format!("{year}-{month:02}-{day:02} at {hour:02}:{minute:02} (UTC)"),
        }
    }
}

/// A link of a mail, under the words of a button.
pub(crate) struct Link {
    pub(crate) words: String,
    pub(crate) address: String,
}

/// What a mail says.
pub(crate) struct Letter {
    language: Language,
    pub(crate) subject: String,
    paragraphs: Vec<String>,
    link: Option<Link>,
    /// For whoever has to type or paste what the link carries, under its name.
    code: Option<(String, String)>,
    /// Who writes, and why nobody needs to answer.
    foot: String,
}

impl Letter {
    /// What is said of this action; nothing when nobody is told of it.
    pub(crate) fn of(action: Action, detail: Option<&str>, about: &About<'_>) -> Option<Self> {
        let words::Words { subject, paragraphs, link, code } = words::of(action, detail, about)?;
        let greeting = format!("{} {},", about.say("Bonjour", "Hello"), about.login);
        let foot = match about.language {
            Language::Fr => format!(
                "{} vous écrit automatiquement ; ne répondez pas à ce message. La banque ne demande jamais votre mot de passe \
                 ni un code par courriel.",
                about.bank
            ),
            Language::En => format!(
                "{} wrote this automatically; please do not answer. The bank never asks for your password or a code by mail.",
                about.bank
            ),
        };
        Some(Self {
            language: about.language,
            subject: one_line(&format!("{} : {subject}", about.bank), about.language),
            paragraphs: std::iter::once(greeting).chain(paragraphs).collect(),
            link,
            code,
            foot,
        })
    }

    /// In the form in which it leaves.
    pub(crate) fn written(&self) -> ::mail::Letter<'_> {
        let (plain, html, language) = (self.plain(), self.html(), self.language_tag());
        ::mail::Letter { subject: &self.subject, plain, html, language }
    }

    const fn language_tag(&self) -> &'static str {
        match self.language {
            Language::Fr => "fr",
            Language::En => "en",
        }
    }

    pub(crate) fn plain(&self) -> String {
        let mut text = String::new();
        for paragraph in &self.paragraphs {
            wrap(&mut text, paragraph);
            text.push('\n');
        }
        if let Some(link) = &self.link {
            wrap(&mut text, &format!("{}{}", link.words, if self.language == Language::Fr { " :" } else { ":" }));
            text.push_str(&link.address);
            text.push_str("\n\n");
        }
        if let Some((name, code)) = &self.code {
            wrap(&mut text, name);
            text.push_str(code);
            text.push_str("\n\n");
        }
        text.push_str("-- \n");
        wrap(&mut text, &self.foot);
        text
    }

    /// Nothing in it is fetched from anywhere.
    pub(crate) fn html(&self) -> String {
        let paragraphs: String =
            self.paragraphs.iter().flat_map(|text| ["<p>".to_owned(), escaped(text), "</p>\n".to_owned()]).collect();
        let link = self.link.as_ref().map_or_else(String::new, |link| {
            format!("<p><a href=\"{}\">{}</a></p>\n", escaped(&link.address), escaped(&link.words))
        });
        let code = self.code.as_ref().map_or_else(String::new, |(name, code)| {
            format!("<p>{}<br><code>{}</code></p>\n", escaped(name), escaped(code))
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body style=\"font-family: sans-serif; max-width: 36em\">\n{paragraphs}{link}{code}\
             <p style=\"font-size: smaller\">{}</p>\n</body>\n</html>\n",
            self.language_tag(),
            escaped(&self.subject),
            escaped(&self.foot),
        )
    }
}

/// A header is one line, whatever the operator calls the bank. English writes the colon without a space.
fn one_line(text: &str, language: Language) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if language == Language::En { text.replacen(" : ", ": ", 1) } else { text }
}

fn wrap(out: &mut String, text: &str) {
    let mut used = 0_usize;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used.saturating_add(length).saturating_add(1) > LINE {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used = used.saturating_add(1);
        }
        out.push_str(word);
        used = used.saturating_add(length);
    }
    out.push('\n');
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use contracts::notices::topic;

    use super::*;

    fn letter(action: Action, language: Language, bank: &str) -> Option<Letter> {
        let login: Login = "camille".parse().unwrap();
        let at = Timestamp::from_seconds(1_800_000_000);
        let about = About { language, login: &login, bank, origin: Some("https://bank.example"), at, code: None };
        Letter::of(action, None, &about)
    }

    #[test]
    fn whatever_people_are_told_of_has_words_in_both_languages() {
        for action in Action::ALL {
            let (fr, en) = (letter(*action, Language::Fr, "Bank"), letter(*action, Language::En, "Bank"));
            assert_eq!(fr.is_some(), topic(*action).is_some(), "{}", action.name());
            assert_eq!(en.is_some(), fr.is_some());
            let Some((fr, en)) = fr.zip(en) else { continue };
            assert_ne!(fr.subject, en.subject, "{}", action.name());
            assert!(fr.plain().contains("Bonjour camille") && en.plain().contains("Hello camille"));
            assert!(fr.plain().lines().all(|line| line.chars().count() <= LINE || line.starts_with("https://")));
        }
    }

    #[test]
    fn no_name_of_a_bank_adds_a_header_or_markup() {
        let letter = letter(Action::Registered, Language::En, "A\r\nBcc: x@y.example <b>&\"").unwrap();
        assert!(!letter.subject.contains(['\r', '\n']));
        assert!(!letter.html().contains("<b>") && letter.html().contains("&lt;b&gt;&amp;&quot;"));
    }
}
