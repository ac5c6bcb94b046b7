//! What happened, in words: the journal's actions and their particulars.

use std::collections::BTreeMap;

use contracts::events::Action;
use contracts::identity::Language;
use vocabulary::{Amount, Currency};

use super::T;

impl T {
    /// An action of the journal.
    pub(crate) fn action(self, action: Action) -> &'static str {
        let (fr, en) = match action.name() {
            "REGISTERED" => ("Inscription", "Registration"),
            "USER_ACTIVATED" => ("Inscription activée", "Registration activated"),
            "USER_REJECTED" => ("Inscription refusée", "Registration rejected"),
            "USER_DISABLED" => ("Accès désactivé", "Access disabled"),
            "USER_DELETED" => ("Personne supprimée", "Person deleted"),
            "AGENT_CREATED" => ("Agent créé", "Agent created"),
            "SUPERUSER_CREATED" => ("Administrateur créé", "Superuser created"),
            "LOGIN" => ("Connexion", "Signed in"),
            "LOGIN_FAILED" => ("Connexion refusée", "Sign-in refused"),
            "LOGOUT" => ("Déconnexion", "Signed out"),
            "SESSION_ENDED" => ("Session terminée", "Session ended"),
            "REFRESH_REUSED" => ("Jeton réutilisé : session terminée", "Token used twice: session ended"),
            "PROFILE_CHANGED" => ("Profil modifié", "Profile changed"),
            "PASSWORD_CHANGED" => ("Mot de passe changé", "Password changed"),
            "PASSWORD_RESET_ASKED" => ("Lien de nouveau mot de passe envoyé", "Link for a new password sent"),
            "PASSWORD_RESET" => ("Mot de passe perdu remplacé", "Lost password replaced"),
            "EMAIL_CHANGE_ASKED" => ("Autre adresse e-mail demandée", "Another e-mail address asked for"),
            "EMAIL_CHANGED" => ("Adresse e-mail changée", "E-mail address changed"),
            "PASSWORD_CHANGE_FAILED" => ("Changement de mot de passe refusé", "Password change refused"),
            "SIGN_IN_BLOCKED" => ("Connexions ralenties", "Sign-ins slowed down"),
            "UNLOCKED" => ("Connexions débloquées", "Sign-ins unlocked"),
            "STEP_UP" => ("Identité confirmée", "Identity confirmed"),
            "STEP_UP_FAILED" => ("Confirmation d’identité refusée", "Confirming identity refused"),
            "FACTOR_RESET_ASKED" => ("Second facteur déclaré perdu", "Second factor reported lost"),
            "FACTOR_RESET_PROPOSED" => ("Retrait du second facteur proposé", "Second factor reset proposed"),
            "FACTOR_RESET_APPROVED" => ("Retrait du second facteur approuvé", "Second factor reset approved"),
            "FACTOR_RESET_REJECTED" => ("Retrait du second facteur refusé", "Second factor reset rejected"),
            "TOTP_ENABLED" => ("Application d’authentification ajoutée", "Authenticator app set up"),
            "TOTP_DISABLED" => ("Application d’authentification retirée", "Authenticator app removed"),
            "PASSKEY_ADDED" => ("Clé d’accès ajoutée", "Passkey added"),
            "PASSKEY_REMOVED" => ("Clé d’accès retirée", "Passkey removed"),
            "RECOVERY_CODES_MADE" => ("Nouveaux codes de secours", "New recovery codes"),
            "RECOVERY_CODE_USED" => ("Code de secours utilisé", "Recovery code used"),
            "MAIL_FAILED" => ("Courriel abandonné", "Mail given up"),
            "JOIN_TOKEN_MADE" => ("Service invité", "Service invited"),
            "JOIN_REFUSED" => ("Jeton d’adhésion refusé", "Join token refused"),
            "CERTIFICATE_ISSUED" => ("Certificat délivré", "Certificate issued"),
            "CERTIFICATE_REVOKED" => ("Certificat révoqué", "Certificate revoked"),
            "SERVICE_DISMISSED" => ("Service écarté", "Service sent away"),
            "CHECK_ADDED" => ("Contrôle ajouté", "Check added"),
            "CHECK_CHANGED" => ("Contrôle modifié", "Check changed"),
            "CHECK_REMOVED" => ("Contrôle supprimé", "Check removed"),
            "INCIDENT_OPENED" => ("Incident ouvert", "Incident opened"),
            "INCIDENT_CLOSED" => ("Incident clos", "Incident closed"),
            "INCIDENT_NOTED" => ("Note d’incident", "Note on an incident"),
            "INCIDENT_ACKNOWLEDGED" => ("Incident pris en charge", "Incident acknowledged"),
            "MAINTENANCE_ANNOUNCED" => ("Maintenance annoncée", "Maintenance announced"),
            "MAINTENANCE_ENDED" => ("Maintenance terminée", "Maintenance ended"),
            "TOKEN_MADE" => ("Jeton personnel créé", "Personal token made"),
            "TOKEN_REVOKED" => ("Jeton personnel révoqué", "Personal token revoked"),
            "ACCOUNT_RENAMED" => ("Compte renommé", "Account renamed"),
            "TRANSFER_RECEIVED" => ("Virement reçu", "Transfer received"),
            "OPEN_ACCOUNT_REQUESTED" => ("Ouverture de compte demandée", "Opening an account requested"),
            "OPEN_ACCOUNT_APPROVED" => ("Ouverture de compte approuvée", "Opening an account approved"),
            "OPEN_ACCOUNT_REJECTED" => ("Ouverture de compte refusée", "Opening an account rejected"),
            "OPEN_ACCOUNT_CANCELLED" => ("Ouverture de compte annulée", "Opening an account cancelled"),
            "OPEN_ACCOUNT_EXPIRED" => ("Ouverture de compte expirée", "Opening an account expired"),
            "CLOSE_ACCOUNT_REQUESTED" => ("Clôture de compte demandée", "Closing an account requested"),
            "CLOSE_ACCOUNT_APPROVED" => ("Clôture de compte approuvée", "Closing an account approved"),
            "CLOSE_ACCOUNT_REJECTED" => ("Clôture de compte refusée", "Closing an account rejected"),
            "CLOSE_ACCOUNT_CANCELLED" => ("Clôture de compte annulée", "Closing an account cancelled"),
            "CLOSE_ACCOUNT_EXPIRED" => ("Clôture de compte expirée", "Closing an account expired"),
            "RENEW_IBAN_REQUESTED" => ("Nouveau RIB demandé", "A new RIB requested"),
            "RENEW_IBAN_APPROVED" => ("Nouveau RIB approuvé", "A new RIB approved"),
            "RENEW_IBAN_REJECTED" => ("Nouveau RIB refusé", "A new RIB rejected"),
            "RENEW_IBAN_CANCELLED" => ("Nouveau RIB annulé", "A new RIB cancelled"),
            "RENEW_IBAN_EXPIRED" => ("Nouveau RIB expiré", "A new RIB expired"),
            "DEPOSIT_REQUESTED" => ("Dépôt demandé", "Deposit requested"),
            "DEPOSIT_APPROVED" => ("Dépôt approuvé", "Deposit approved"),
            "DEPOSIT_REJECTED" => ("Dépôt refusé", "Deposit rejected"),
            "DEPOSIT_CANCELLED" => ("Dépôt annulé", "Deposit cancelled"),
            "DEPOSIT_EXPIRED" => ("Dépôt expiré", "Deposit expired"),
            "WITHDRAWAL_REQUESTED" => ("Retrait demandé", "Withdrawal requested"),
            "WITHDRAWAL_APPROVED" => ("Retrait approuvé", "Withdrawal approved"),
            "WITHDRAWAL_REJECTED" => ("Retrait refusé", "Withdrawal rejected"),
            "WITHDRAWAL_CANCELLED" => ("Retrait annulé", "Withdrawal cancelled"),
            "WITHDRAWAL_EXPIRED" => ("Retrait expiré", "Withdrawal expired"),
            "TRANSFER_REQUESTED" => ("Virement demandé", "Transfer requested"),
            "TRANSFER_APPROVED" => ("Virement approuvé", "Transfer approved"),
            "TRANSFER_REJECTED" => ("Virement refusé", "Transfer rejected"),
            "TRANSFER_CANCELLED" => ("Virement annulé", "Transfer cancelled"),
            "TRANSFER_EXPIRED" => ("Virement expiré", "Transfer expired"),
            "LOGS_READ" => ("Recherche dans le journal", "Looked in the journal"),
            "LOGS_EXPORTED" => ("Journal exporté", "Journal exported"),
            "LOGS_FOLLOWED" => ("Journal suivi en direct", "Journal followed live"),
            "LOG_CONTENTS_ERASED" => ("Contenus du journal effacés", "Contents of the journal erased"),
            "EVENT_UNREADABLE" => ("Événement illisible", "Unreadable event"),
            "REQUEST_TAMPERED" => ("Demande altérée", "Tampered request"),
            // A test sees that nothing reaches this.
            other => (other, other),
        };
        match self.0 {
            Language::Fr => fr,
            Language::En => en,
        }
    }

    /// The particulars that say something to people, in words.
    pub(crate) fn particulars_of(self, details: &BTreeMap<String, String>) -> Vec<String> {
        let get = |name: &str| details.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let mut words = Vec::new();
        let currency = get("currency").and_then(|code| code.parse::<Currency>().ok());
        if let (Some(amount), Some(currency)) = (get("amount").and_then(|it| it.parse::<Amount>().ok()), currency) {
            words.push(self.money(&amount, &currency));
        }
        for name in ["account", "from", "reference"] {
            words.extend(get(name).map(ToOwned::to_owned));
        }
        words.extend(get("to").map(|iban| self.towards(iban)));
        words.extend(get("reason").map(|reason| self.reason_is(self.coded_reason(reason))));
        words
    }

    /// Reasons that services write as a code; what people wrote stays as it is.
    fn coded_reason(self, reason: &str) -> &str {
        match reason {
            "unknown-login" => self.r_unknown_login(),
            "wrong-password" => self.r_wrong_password(),
            "pending" => self.r_pending(),
            "disabled" => self.r_disabled(),
            "rejected" => self.r_rejected(),
            written => written,
        }
    }
}

super::texts! {
    towards(iban: &str) "vers {iban}" "to {iban}";
    r_unknown_login "identifiant inconnu" "unknown login";
    r_wrong_password "mot de passe inexact" "wrong password";
    r_pending "inscription pas encore activée" "registration not active yet";
    r_disabled "accès désactivé" "access disabled";
    r_rejected "inscription refusée" "registration rejected";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_words_in_both_languages() {
        for action in Action::ALL {
            for language in [Language::Fr, Language::En] {
                assert_ne!(T(language).action(*action), action.name());
            }
        }
    }
}
