//! What this service tells the journal, each event in one place. Never a secret, nor what was typed as a login unless it
//! has the form of one: people type passwords there.

use std::collections::BTreeMap;

use crate::attempts::{Kind, MOST};
use crate::mails::NEW;
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use vocabulary::{Chance, Clock, EventId};

/// Makes the events of one call.
pub(crate) struct Events<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) chance: &'a Chance,
    /// The call, when there is one.
    pub(crate) trace_id: Option<&'a str>,
}

/// Why a sign-in was refused: for the journal only.
pub(crate) type Refusal = &'static str;

impl Events<'_> {
    fn event(&self, action: Action, audience: Audience, level: Level, message: String) -> LogEvent {
        LogEvent {
            id: EventId::new(self.clock, self.chance),
            at: self.clock.now(),
            audience,
            level,
            action,
            actor: None,
            subject: None,
            message,
            details: BTreeMap::new(),
            trace_id: self.trace_id.map(ToOwned::to_owned),
        }
    }

    /// Something that a person did to themselves.
    fn own(&self, action: Action, person: &Person, message: String) -> LogEvent {
        LogEvent {
            actor: Some(person.clone()),
            subject: Some(person.clone()),
            ..self.event(action, Audience::Members, Level::Info, message)
        }
    }

    /// Something that staff did to a person.
    fn on(&self, action: Action, actor: Option<Person>, person: &Person, message: String) -> LogEvent {
        LogEvent { actor, subject: Some(person.clone()), ..self.event(action, Audience::Members, Level::Info, message) }
    }

    pub(crate) fn registered(&self, person: &Person) -> LogEvent {
        self.own(Action::Registered, person, format!("{} registered and waits for activation.", person.login))
    }

    pub(crate) fn created(&self, action: Action, actor: Option<Person>, person: &Person, role: &str) -> LogEvent {
        let by = actor.as_ref().map_or_else(|| "on the command line".to_owned(), |actor| format!("by {}", actor.login));
        let message = format!("{} was created as {role} {by}.", person.login);
        LogEvent { audience: Audience::Agents, ..self.on(action, actor, person, message) }
    }

    /// `new` is what about it this person never used before: a device, a network.
    pub(crate) fn login(&self, person: &Person, how: &str, new: Option<&str>) -> LogEvent {
        let event = self.own(Action::Login, person, format!("{} signed in.", person.login));
        with(event, [("session", how), (NEW, new.unwrap_or_default())])
    }

    /// A refused sign-in. What was typed is told only when it is somebody's login: people type their password there.
    pub(crate) fn login_failed(&self, person: Option<&Person>, reason: Refusal) -> LogEvent {
        let (audience, message) = match person {
            Some(person) => (Audience::Members, format!("A sign-in as {} was refused.", person.login)),
            None => (Audience::Agents, "A sign-in under a login that nobody has was refused.".to_owned()),
        };
        let event =
            LogEvent { subject: person.cloned(), ..self.event(Action::LoginFailed, audience, Level::Warning, message) };
        with(event, [("reason", reason), ("login", person.map_or("", |person| person.login.as_str()))])
    }

    pub(crate) fn logout(&self, person: &Person) -> LogEvent {
        self.own(Action::Logout, person, format!("{} signed out.", person.login))
    }

    pub(crate) fn session_ended(&self, person: &Person, session: &str) -> LogEvent {
        let message = format!("{} ended one of their sessions.", person.login);
        with(self.own(Action::SessionEnded, person, message), [("session", session)])
    }

    pub(crate) fn token_made(&self, person: &Person, name: &str) -> LogEvent {
        let message = format!("{} made a personal token.", person.login);
        with(self.own(Action::TokenMade, person, message), [("name", name)])
    }

    pub(crate) fn token_revoked(&self, person: &Person, id: &str) -> LogEvent {
        let message = format!("{} revoked one of their personal tokens.", person.login);
        with(self.own(Action::TokenRevoked, person, message), [("token", id)])
    }

    pub(crate) fn refresh_reused(&self, person: &Person, session: &str) -> LogEvent {
        let message = format!(
            "A refresh token of {} was used twice: it was stolen, or a program is broken. The session was ended.",
            person.login
        );
        let event = LogEvent {
            subject: Some(person.clone()),
            ..self.event(Action::RefreshReused, Audience::Members, Level::Warning, message)
        };
        with(event, [("session", session)])
    }

    pub(crate) fn profile_changed(&self, person: &Person, fields: &str) -> LogEvent {
        let message = format!("{} changed their profile: {fields}.", person.login);
        with(self.own(Action::ProfileChanged, person, message), [("fields", fields)])
    }

    pub(crate) fn password_changed(&self, person: &Person, ended: usize) -> LogEvent {
        let message = format!("{} changed their password; their other sessions were ended.", person.login);
        with(self.own(Action::PasswordChanged, person, message), [("sessions_ended", &ended.to_string())])
    }

    pub(crate) fn password_reset_asked(&self, person: &Person) -> LogEvent {
        let message = format!("A link for a new password was sent to {}.", person.login);
        LogEvent {
            subject: Some(person.clone()),
            ..self.event(Action::PasswordResetAsked, Audience::Members, Level::Info, message)
        }
    }

    pub(crate) fn password_reset(&self, person: &Person, ended: usize) -> LogEvent {
        let message = format!("{} chose a new password through a link; their sessions were ended.", person.login);
        let event = LogEvent { level: Level::Warning, ..self.own(Action::PasswordReset, person, message) };
        with(event, [("sessions_ended", &ended.to_string())])
    }

    pub(crate) fn email_change_asked(&self, person: &Person) -> LogEvent {
        self.own(
            Action::EmailChangeAsked,
            person,
            format!("{} wants to be written to at another address.", person.login),
        )
    }

    pub(crate) fn email_changed(&self, person: &Person) -> LogEvent {
        self.own(
            Action::EmailChanged,
            person,
            format!("{} is written to at another address from now on.", person.login),
        )
    }

    pub(crate) fn password_change_failed(&self, person: &Person) -> LogEvent {
        let message = format!("{} gave a wrong old password; the password was not changed.", person.login);
        let event = LogEvent { level: Level::Warning, ..self.own(Action::PasswordChangeFailed, person, message) };
        with(event, [("reason", "wrong-password")])
    }

    /// Whoever keeps failing has to wait from now on.
    pub(crate) fn blocked(&self, person: Option<&Person>, failures: u32, kind: Kind) -> LogEvent {
        let (audience, whose) = match person {
            Some(person) => (Audience::Members, format!("as {} ", person.login)),
            None => (Audience::Agents, "under a login that nobody has ".to_owned()),
        };
        let message = match failures {
            MOST.. => format!("{failures} sign-ins {whose}failed in a row: no more are looked at until staff unlock."),
            _ => format!("{failures} sign-ins {whose}failed in a row: each further one has to wait longer."),
        };
        let event = LogEvent {
            subject: person.cloned(),
            ..self.event(Action::SignInBlocked, audience, Level::Warning, message)
        };
        with(event, [("failures", &failures.to_string()), ("counted", kind.name())])
    }

    pub(crate) fn unlocked_by_hand(&self, person: &Person, factors_too: bool) -> LogEvent {
        let (action, what) = if factors_too {
            (Action::FactorResetApproved, "freed of their second factor and unlocked")
        } else {
            (Action::Unlocked, "unlocked")
        };
        let message = format!("{} was {what} on the command line.", person.login);
        LogEvent { level: Level::Warning, ..self.on(action, None, person, message) }
    }

    pub(crate) fn password_set_by_hand(&self, person: &Person, ended: usize) -> LogEvent {
        let message =
            format!("{} was given a new password on the command line; their sessions were ended.", person.login);
        let event = LogEvent { level: Level::Warning, ..self.on(Action::PasswordReset, None, person, message) };
        with(event, [("sessions_ended", &ended.to_string())])
    }

    pub(crate) fn stepped_up(&self, person: &Person, how: &str) -> LogEvent {
        let message = format!("{} proved once more who they are.", person.login);
        with(self.own(Action::SteppedUp, person, message), [("by", how)])
    }

    pub(crate) fn step_up_failed(&self, person: &Person) -> LogEvent {
        let message = format!("{} gave a wrong password or code to prove once more who they are.", person.login);
        LogEvent { level: Level::Warning, ..self.own(Action::StepUpFailed, person, message) }
    }

    pub(crate) fn factor_reset_asked(&self, person: &Person) -> LogEvent {
        let message =
            format!("Somebody who knows the password of {} says that the second factor is lost.", person.login);
        LogEvent {
            subject: Some(person.clone()),
            ..self.event(Action::FactorResetAsked, Audience::Members, Level::Warning, message)
        }
    }

    pub(crate) fn passkey_added(&self, person: &Person, name: &str) -> LogEvent {
        let message = format!("{} added a passkey.", person.login);
        with(self.own(Action::PasskeyAdded, person, message), [("name", name)])
    }

    pub(crate) fn passkey_removed(&self, person: &Person, name: &str) -> LogEvent {
        let message = format!("{} removed a passkey.", person.login);
        let event = LogEvent { level: Level::Warning, ..self.own(Action::PasskeyRemoved, person, message) };
        with(event, [("name", name)])
    }

    pub(crate) fn totp_enabled(&self, person: &Person) -> LogEvent {
        self.own(Action::TotpEnabled, person, format!("{} set up an authenticator app.", person.login))
    }

    pub(crate) fn totp_disabled(&self, person: &Person) -> LogEvent {
        let message = format!("{} removed their authenticator app.", person.login);
        LogEvent { level: Level::Warning, ..self.own(Action::TotpDisabled, person, message) }
    }

    pub(crate) fn recovery_codes_made(&self, person: &Person) -> LogEvent {
        self.own(Action::RecoveryCodesMade, person, format!("{} got new recovery codes.", person.login))
    }

    pub(crate) fn recovery_code_used(&self, person: &Person, left: u32) -> LogEvent {
        let message =
            format!("{} used a recovery code in place of their second factor; {left} are left.", person.login);
        let event = LogEvent { level: Level::Warning, ..self.own(Action::RecoveryCodeUsed, person, message) };
        with(event, [("left", &left.to_string())])
    }

    /// The relay refused a mail for good. Nobody but staff is told: the person cannot be reached.
    pub(crate) fn mail_failed(&self, person: &Person, about: Action, why: &str) -> LogEvent {
        let message = format!("A mail to {} was refused for good and given up.", person.login);
        let event = LogEvent {
            subject: Some(person.clone()),
            ..self.event(Action::MailFailed, Audience::Agents, Level::Warning, message)
        };
        with(event, [("about", about.name()), ("reason", why)])
    }

    pub(crate) fn state_changed(
        &self,
        action: Action,
        actor: &Person,
        person: &Person,
        verb: &str,
        reason: Option<&str>,
    ) -> LogEvent {
        let message = format!("{} was {verb} by {}.", person.login, actor.login);
        let event = self.on(action, Some(actor.clone()), person, message);
        match reason {
            Some(reason) => with(event, [("reason", reason)]),
            None => event,
        }
    }
}

fn with<const N: usize>(mut event: LogEvent, details: [(&str, &str); N]) -> LogEvent {
    event.details.extend(
        details
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    event
}
