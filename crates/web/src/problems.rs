//! What is wrong, in the page's language: faults of what was typed, and problems of services by their code.
//!
//! A code or a fault that is not known here is told in the service's own English words, which are written for people.

use aaa::{Fault, Problem};
use http::StatusCode;
use vocabulary::{IbanError, MoneyError, TextError};

use crate::forms::AmountFault;
use crate::texts::{T, texts};

/// Something wrong that can be said in the page's language.
pub(crate) trait Said {
    /// In words.
    fn said(&self, t: T) -> String;
}

impl Said for TextError {
    fn said(&self, t: T) -> String {
        match self {
            Self::TooShort(1) => t.field_missing().to_owned(),
            Self::TooShort(least) => t.too_short(*least),
            Self::TooLong(most) => t.too_long(*most),
            Self::Unprintable => t.unprintable().to_owned(),
            Self::Form(words) if words.contains("e-mail") => t.email_form().to_owned(),
            Self::Form(_) => t.login_form().to_owned(),
        }
    }
}

impl Said for MoneyError {
    fn said(&self, t: T) -> String {
        match self {
            Self::NotAnAmount => t.amount_unreadable().to_owned(),
            Self::TooLarge | Self::Overflow => t.amount_too_large().to_owned(),
            Self::TooManyDecimals(currency) => t.amount_decimals(currency.code(), currency.exponent()),
            Self::NotPositive => t.amount_not_positive().to_owned(),
            Self::UnknownCurrency | Self::Mixed(..) => t.currency_unknown().to_owned(),
        }
    }
}

impl Said for AmountFault {
    fn said(&self, t: T) -> String {
        match self {
            Self::Missing => t.amount_missing().to_owned(),
            Self::Unreadable => t.amount_unreadable().to_owned(),
            Self::Ambiguous => t.amount_ambiguous().to_owned(),
            Self::Money(error) => error.said(t),
        }
    }
}

impl Said for IbanError {
    fn said(&self, t: T) -> String {
        match self {
            Self::Shape | Self::RibShape => t.iban_shape(),
            Self::CheckDigits | Self::RibKey => t.iban_digits(),
        }
        .to_owned()
    }
}

texts! {
    p_insufficient "La somme dépasse le disponible de ce compte." "The amount is more than what is available on this account.";
    p_account_not_open "Ce compte n’est pas ouvert." "This account is not open.";
    p_wrong_currency "Les deux comptes et le montant doivent être dans la même devise." "Both accounts and the amount must be in one currency.";
    p_unknown_payee "Aucun compte ouvert ici ne porte ce numéro. Demandez au bénéficiaire son RIB à jour."
        "There is no open account here with this number. Ask the payee for their current RIB.";
    p_not_our_bank "Cet IBAN est d’une autre banque ; les virements restent dans cette banque."
        "This IBAN is of another bank, and this bank transfers within itself only.";
    p_not_empty "Le compte doit être à zéro, sans demande en attente." "The account must stand at zero, with nothing pending.";
    p_payee_closed "Le compte du bénéficiaire ne peut plus recevoir d’argent. Refusez la demande pour libérer la somme."
        "The payee’s account cannot receive money any more. Reject the request, so that the funds are free again.";
    p_expired "Cette demande a expiré et ne peut plus être décidée." "This request has expired and cannot be decided any more.";
    p_key_reused "Ce formulaire a déjà été envoyé avec un autre contenu. Rechargez la page et recommencez."
        "This form was sent before with other content. Reload the page and start again.";
    p_changed_meanwhile "Quelqu’un vient de modifier cela. Relisez, puis recommencez si besoin."
        "Somebody changed this at the same moment. Look again, then repeat it if it is still wanted.";
    p_last_superuser "C’est le dernier administrateur qui puisse se connecter." "This is the last superuser who can sign in.";
    p_has_accounts "Cette personne a un compte qui n’est pas clos. Clôturez-le d’abord, ou désactivez la personne."
        "This person has an account that is not closed. Close it first, or disable the person instead.";
    p_own_request "Quatre yeux : personne ne décide sa propre demande, ni une demande dont il bénéficie. Un autre agent doit s’en charger."
        "Four eyes: nobody decides a request that they made or benefit from. Another agent has to decide it.";
    filter_wordless "Cherchez au moins une lettre ou un chiffre." "Look for at least one letter or digit.";
    filter_period "La période ne va pas : sa fin doit suivre son début." "The period does not fit: its end must follow its beginning.";
    p_wrong_state "L’état de cette personne ne le permet pas." "This person’s state does not allow it.";
}

impl T {
    /// What is wrong with a filter of the journal, in a sentence.
    pub(crate) fn filter_fault(self, fault: &Fault) -> String {
        match fault.field.as_str() {
            "text" => self.filter_wordless().to_owned(),
            "to" | "from" => self.filter_period().to_owned(),
            _ => self.fault(fault),
        }
    }

    /// A problem of a service, in a sentence.
    pub(crate) fn problem(self, problem: &Problem) -> String {
        if let (StatusCode::TOO_MANY_REQUESTS, Some(wait)) = (problem.status(), problem.wait()) {
            return self.too_many_tries_wait(&self.wait(wait));
        }
        match problem.code() {
            "sign-in-refused" => self.sign_in_refused(),
            "insufficient-funds" => self.p_insufficient(),
            "account-not-open" => self.p_account_not_open(),
            "wrong-currency" => self.p_wrong_currency(),
            "unknown-payee" => self.p_unknown_payee(),
            "not-our-bank" => self.p_not_our_bank(),
            "same-account" => self.payee_same(),
            "not-empty" => self.p_not_empty(),
            "payee-closed" => self.p_payee_closed(),
            "too-much" => self.amount_too_large(),
            "already-decided" => self.already_decided(),
            "expired" => self.p_expired(),
            "content-changed" => self.content_changed(),
            "idempotency-key-reused" => self.p_key_reused(),
            "login-taken" => self.login_taken(),
            "email-taken" => self.email_taken(),
            "weak-password" => self.password_too_weak(),
            "wrong-password" => self.old_password_wrong(),
            "changed-meanwhile" => self.p_changed_meanwhile(),
            "wrong-state" => self.p_wrong_state(),
            "last-superuser" => self.p_last_superuser(),
            "has-accounts" => self.p_has_accounts(),
            "too-large" => self.wrong_large(),
            "second-factor-required" => self.code_missing(),
            "proof-refused" => self.proof_refused(),
            "wrong-code" => self.app_code_wrong(),
            "passkey-refused" => self.passkey_not_taken(),
            "too-many-passkeys" => self.passkey_too_many(),
            "totp-on" => self.p_totp_on(),
            "totp-not-begun" => self.p_totp_not_begun(),
            "no-second-factor" => self.p_no_second_factor(),
            "link-ended" => self.link_ended(),
            "too-many-links" => self.too_many_links(),
            "no-mails" => self.forgot_no_mails(),
            "reset-open" => self.p_reset_open(),
            "not-configurable" => self.check_not_configurable(),
            "over" => self.incident_over(),
            _ if problem.status() == StatusCode::TOO_MANY_REQUESTS => self.too_many_tries(),
            _ if problem.status() == StatusCode::SERVICE_UNAVAILABLE => self.wrong_busy_words(),
            _ => return problem.sentence().to_owned(),
        }
        .to_owned()
    }

    /// A fault that only the service saw.
    pub(crate) fn fault(self, fault: &Fault) -> String {
        let detail = fault.detail.as_str();
        let number = detail.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse::<usize>().ok());
        match (detail, number) {
            ("is missing" | "must not be empty", _) => self.field_missing().to_owned(),
            (detail, Some(least)) if detail.starts_with("is too short") => self.too_short(least),
            (detail, Some(most)) if detail.starts_with("is too long") => self.too_long(most),
            (detail, _) if detail.starts_with("is not an e-mail") => self.email_form().to_owned(),
            (detail, _) if detail.starts_with("is not an IBAN") => self.iban_shape().to_owned(),
            (detail, _) if detail.starts_with("is not a valid") => self.iban_digits().to_owned(),
            (detail, _) if self.tag() == "en" => format!("{}: {detail}", fault.field),
            _ => self.unacceptable().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::identity::Language;

    use super::*;

    const FR: T = T(Language::Fr);
    const EN: T = T(Language::En);

    #[test]
    fn a_known_code_is_told_in_the_language_and_an_unknown_one_in_the_service_s_words() {
        let problem = Problem::refused("insufficient-funds", "Only 3 EUR.");
        assert_eq!(FR.problem(&problem), FR.p_insufficient());
        assert_eq!(EN.problem(&Problem::refused("novelty", "Something new.")), "Something new.");
    }

    #[test]
    fn faults_of_services_are_told_with_their_numbers() {
        let fault = Fault { field: "login".into(), detail: "is too short: at least 3 characters".into() };
        assert!(FR.fault(&fault).contains("au moins 3"));
    }
}
