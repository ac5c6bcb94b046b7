//! What a mail says of an incident, in French and English. Pure.

use contracts::identity::Language;
use contracts::monitor::State;
use vocabulary::Timestamp;

use super::{Alert, Kind};

/// A mail's words.
pub(super) struct Letter {
    subject: String,
    paragraphs: Vec<String>,
    foot: String,
    language: &'static str,
}

impl Letter {
    /// In the form in which it leaves.
    pub(super) fn written(&self) -> mail::Letter<'_> {
        let plain = format!("{}\n\n-- \n{}\n", self.paragraphs.join("\n\n"), self.foot);
        let paragraphs: Vec<String> =
            self.paragraphs.iter().map(|text| format!("<p>{}</p>\n", escaped(text))).collect();
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body style=\"font-family: sans-serif; max-width: 36em\">\n{}\
             <p style=\"font-size: smaller\">{}</p>\n</body>\n</html>\n",
            self.language,
            escaped(&self.subject),
            paragraphs.concat(),
            escaped(&self.foot),
        );
        mail::Letter { subject: &self.subject, plain, html, language: self.language }
    }
}

/// What is said of it.
pub(super) fn of(alert: &Alert, language: Language, from: &str) -> Letter {
    let (subject, paragraphs, foot, language) = match language {
        Language::Fr => french(alert, from),
        Language::En => english(alert, from),
    };
    // A header is one line, whatever checks are called.
    let subject = subject.chars().filter(|c| !c.is_control()).collect();
    Letter { subject, paragraphs, foot, language }
}

type Words = (String, Vec<String>, String, &'static str);

fn french(alert: &Alert, from: &str) -> Words {
    let (title, since) = (&alert.title, moment(alert.since, Language::Fr));
    let how = if alert.state == State::Degraded { "est dégradé" } else { "est en panne" };
    let (said, body) = match alert.kind {
        Kind::Opened => (how.to_owned(), format!("«\u{a0}{title}\u{a0}» {how} depuis le {since}.")),
        Kind::Reminder => (
            format!("{how}, toujours"),
            format!("«\u{a0}{title}\u{a0}» {how} depuis le {since}, et personne ne s’en occupe encore."),
        ),
        Kind::Recovered => {
            let until = moment(alert.until.unwrap_or(alert.made_at), Language::Fr);
            let body = format!(
                "«\u{a0}{title}\u{a0}» fonctionne de nouveau depuis le {until}. L’incident durait depuis le {since}."
            );
            ("fonctionne de nouveau".to_owned(), body)
        }
    };
    let mut paragraphs = vec![body];
    if let Some(cause) = alert.cause.as_ref().filter(|_| alert.kind != Kind::Recovered) {
        paragraphs.push(format!("Ce que dit le contrôle\u{a0}: {cause}"));
    }
    paragraphs.push(format!("Contrôle\u{a0}: {}. Incident\u{a0}: {}.", alert.check, alert.incident));
    let foot = format!("{from} vous écrit automatiquement\u{a0}; ne répondez pas à ce message.");
    (format!("{from}\u{a0}: {title} {said}"), paragraphs, foot, "fr")
}

fn english(alert: &Alert, from: &str) -> Words {
    let (title, since) = (&alert.title, moment(alert.since, Language::En));
    let how = if alert.state == State::Degraded { "degraded" } else { "down" };
    let (said, body) = match alert.kind {
        Kind::Opened => (format!("is {how}"), format!("“{title}” has been {how} since {since}.")),
        Kind::Reminder => (
            format!("is still {how}"),
            format!("“{title}” has been {how} since {since}, and nobody looks after it yet."),
        ),
        Kind::Recovered => {
            let until = moment(alert.until.unwrap_or(alert.made_at), Language::En);
            ("works again".to_owned(), format!("“{title}” works again since {until}. The incident began {since}."))
        }
    };
    let mut paragraphs = vec![body];
    if let Some(cause) = alert.cause.as_ref().filter(|_| alert.kind != Kind::Recovered) {
        paragraphs.push(format!("What the check says: {cause}"));
    }
    paragraphs.push(format!("Check: {}. Incident: {}.", alert.check, alert.incident));
    let foot = format!("{from} wrote this automatically; please do not answer.");
    (format!("{from}: {title} {said}"), paragraphs, foot, "en")
}

fn moment(at: Timestamp, language: Language) -> String {
    let at = at.utc();
    let (day, month, year) = (at.day(), u8::from(at.month()), at.year());
    let time = format!("{:02}:{:02}:{:02} (UTC)", at.hour(), at.minute(), at.second());
    match language {
        Language::Fr => format!("{day:02}/{month:02}/{year} à {time}"),
        Language::En => format!("{year}-{month:02}-{day:02} at {time}"),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
