//! Roles, states and kinds in words, what was done, and the tones that go with them.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use contracts::bank::{AccountState, RequestKind, RequestState, Transaction};
use contracts::events::Level;
use contracts::identity::{Language, UserState};
use contracts::monitor::{Health, Truth};
use contracts::roles::Role;

use super::T;

impl T {
    fn pick(self, fr: &'static str, en: &'static str) -> &'static str {
        match self.0 {
            Language::Fr => fr,
            Language::En => en,
        }
    }

    pub(crate) fn role(self, role: &Role) -> &'static str {
        match role {
            Role::Member => self.pick("Membre", "Member"),
            Role::Agent => self.pick("Agent", "Agent"),
            Role::Superuser => self.pick("Administrateur", "Superuser"),
        }
    }

    pub(crate) fn user_state(self, state: &UserState) -> &'static str {
        match state {
            UserState::Pending => self.pick("À activer", "To activate"),
            UserState::Active => self.pick("Actif", "Active"),
            UserState::Disabled => self.pick("Désactivé", "Disabled"),
            UserState::Rejected => self.pick("Refusé", "Rejected"),
        }
    }

    pub(crate) fn user_tone(self, state: &UserState) -> &'static str {
        match state {
            UserState::Pending => "now",
            UserState::Active => "good",
            UserState::Disabled => "off",
            UserState::Rejected => "bad",
        }
    }

    pub(crate) fn account_state(self, state: &AccountState) -> &'static str {
        match state {
            AccountState::Pending => self.pick("En attente", "Pending"),
            AccountState::Open => self.pick("Ouvert", "Open"),
            AccountState::Closed => self.pick("Clos", "Closed"),
            AccountState::Rejected => self.pick("Refusé", "Rejected"),
        }
    }

    pub(crate) fn account_tone(self, state: &AccountState) -> &'static str {
        match state {
            AccountState::Pending => "now",
            AccountState::Open => "good",
            AccountState::Closed => "off",
            AccountState::Rejected => "bad",
        }
    }

    pub(crate) fn request_state(self, state: &RequestState) -> &'static str {
        match state {
            RequestState::Pending => self.pick("En attente", "Pending"),
            RequestState::Approved => self.pick("Approuvée", "Approved"),
            RequestState::Rejected => self.pick("Refusée", "Rejected"),
            RequestState::Cancelled => self.pick("Annulée", "Cancelled"),
            RequestState::Expired => self.pick("Expirée", "Expired"),
        }
    }

    pub(crate) fn request_tone(self, state: &RequestState) -> &'static str {
        match state {
            RequestState::Pending => "now",
            RequestState::Approved => "good",
            RequestState::Rejected => "bad",
            RequestState::Cancelled | RequestState::Expired => "off",
        }
    }

    pub(crate) fn kind(self, kind: &RequestKind) -> &'static str {
        match kind {
            RequestKind::OpenAccount => self.pick("Ouverture de compte", "Open an account"),
            RequestKind::CloseAccount => self.pick("Clôture de compte", "Close an account"),
            RequestKind::RenewIban => self.pick("Nouveau RIB", "New RIB"),
            RequestKind::Deposit => self.pick("Dépôt", "Deposit"),
            RequestKind::Withdrawal => self.pick("Retrait", "Withdrawal"),
            RequestKind::Transfer => self.pick("Virement", "Transfer"),
        }
    }

    /// What an approval did.
    pub(crate) fn step_done(self, kind: &RequestKind) -> &'static str {
        match kind {
            RequestKind::OpenAccount => self.pick("Le compte est ouvert.", "The account is open."),
            RequestKind::CloseAccount => self.pick("Le compte est clos.", "The account is closed."),
            RequestKind::RenewIban => self.pick("Le compte a un nouvel IBAN.", "The account has a new IBAN."),
            RequestKind::Deposit | RequestKind::Withdrawal | RequestKind::Transfer => {
                self.pick("La somme est comptabilisée.", "The amount is booked.")
            }
        }
    }

    /// What an approval will do.
    pub(crate) fn approve_explained(self, kind: &RequestKind) -> &'static str {
        match kind {
            RequestKind::OpenAccount => {
                self.pick("Le compte s’ouvre et reçoit son IBAN.", "The account opens and gets its IBAN.")
            }
            RequestKind::CloseAccount => {
                self.pick("Le compte est clos définitivement.", "The account is closed for good.")
            }
            RequestKind::RenewIban => {
                self.pick("Le compte change aussitôt de numéro.", "The account changes its number at once.")
            }
            RequestKind::Deposit => self
                .pick("Confirmez seulement si l’argent a été reçu.", "Confirm only when the money has been received."),
            RequestKind::Withdrawal => {
                self.pick("La somme quitte le compte aussitôt.", "The amount leaves the account at once.")
            }
            RequestKind::Transfer => self.pick("La somme est virée aussitôt.", "The amount is transferred at once."),
        }
    }

    /// A line of the history in a few words.
    pub(crate) fn movement_title(self, line: &Transaction) -> String {
        let other = line.counterparty.as_deref();
        match (line.kind, other, line.amount.is_negative(), self.0) {
            (RequestKind::Transfer, Some(name), true, Language::Fr) => format!("Virement à {name}"),
            (RequestKind::Transfer, Some(name), false, Language::Fr) => format!("Virement de {name}"),
            (RequestKind::Transfer, Some(name), true, Language::En) => format!("Transfer to {name}"),
            (RequestKind::Transfer, Some(name), false, Language::En) => format!("Transfer from {name}"),
            (kind, ..) => self.kind(&kind).to_owned(),
        }
    }

    /// A fault beside the name of its field, for the summary above a form.
    pub(crate) fn field_says(self, field: &str, message: &str) -> String {
        let name = match field {
            "login" => self.login(),
            "password" => self.password(),
            "again" => self.password_again(),
            "old_password" => self.old_password(),
            "new_password" => self.new_password(),
            "first_name" => self.first_name(),
            "last_name" => self.last_name(),
            "email" => self.email(),
            "label" => self.account_name(),
            "currency" => self.currency(),
            "account" => self.account(),
            "to_iban" => self.payee_iban(),
            "to_account" => self.to_whom(),
            "amount" => self.amount(),
            "reference" => self.reference(),
            "reason" | "why" => self.reason(),
            "days" => self.token_lasts(),
            "name" => self.name_word(),
            "otp" | "code" => self.code(),
            "made_sure" => self.made_sure(),
            "kind" => self.check_kind(),
            "target" => self.check_target(),
            "must" => self.check_must(),
            "should" => self.check_should(),
            "every" => self.check_every(),
            "timeout" => self.check_timeout(),
            "alarm_after" => self.check_alarm_after(),
            "well_after" => self.check_well_after(),
            "parents" => self.check_parents(),
            "objective" => self.check_objective(),
            "server" => self.check_server(),
            "record" => self.check_record(),
            "title" => self.work_title(),
            "group" => self.check_group(),
            "text" => self.note_word(),
            "from" => self.work_from(),
            "to" => self.work_to(),
            "checks" => self.work_checks(),
            _ => return message.to_owned(),
        };
        self.named_fault(name, message)
    }

    pub(crate) fn level(self, level: &Level) -> &'static str {
        match level {
            Level::Info => "Info",
            Level::Warning => self.pick("Attention", "Warning"),
            Level::Error => self.pick("Erreur", "Error"),
        }
    }

    pub(crate) fn level_tone(self, level: &Level) -> &'static str {
        match level {
            Level::Info => "off",
            Level::Warning => "now",
            Level::Error => "bad",
        }
    }

    pub(crate) fn is_up(self, health: &Health) -> bool {
        *health == Health::Up
    }

    /// A service's name for people.
    pub(crate) fn service(self, name: &str) -> String {
        match name {
            contracts::identity::SERVICE => self.pick("Identité", "Identity"),
            contracts::bank::SERVICE => self.pick("Banque", "Bank"),
            contracts::journal::SERVICE => "Journal",
            contracts::authority::SERVICE => self.pick("Certificats", "Certificates"),
            contracts::monitor::SERVICE => self.pick("Surveillance", "Monitor"),
            "web" => self.pick("Pages", "Pages"),
            "postgresql" => self.pick("Base de données", "Database"),
            "nats" => "NATS",
            other => return other.to_owned(),
        }
        .to_owned()
    }

    /// How many truths hold.
    pub(crate) fn kept(self, truths: &[Truth]) -> usize {
        truths.iter().filter(|truth| truth.holds).count()
    }

    /// How many truths do not hold.
    pub(crate) fn broken(self, truths: &[Truth]) -> usize {
        truths.len() - self.kept(truths)
    }

    /// What a service says of itself; services speak English, and what is new here stays so.
    pub(crate) fn truth(self, name: &str) -> &str {
        let fr = match name {
            "the entries of each transfer sum to zero" => "les écritures de chaque mouvement s’annulent",
            "all entries of a currency sum to zero" => "toutes les écritures d’une devise s’annulent",
            "each entry is a side of its transfer" => "chaque écriture est un côté de son mouvement",
            "each transfer has its two entries" => "chaque mouvement a ses deux écritures",
            "each balance is the sum of its entries" => "chaque solde est la somme de ses écritures",
            "what is held is the sum of the open holds" => "les sommes réservées correspondent aux réservations",
            "no balance is below its floor" => "aucun solde n’est sous son plancher",
            "each entry continues the balance of the one before" => "chaque écriture continue le solde précédent",
            "every pending request with funds has exactly one open hold" => {
                "chaque demande d’argent en attente a sa réservation"
            }
            "no funds are held for a request that does not wait" => "rien n’est réservé pour une demande close",
            "no request was decided by its maker or by anyone it concerns" => {
                "aucune demande n’a été décidée par un intéressé"
            }
            "every open account has a valid IBAN" => "chaque compte ouvert a un IBAN valable",
            "every session belongs to an active person" => "chaque session est celle d’une personne active",
            "every personal token belongs to an active person" => {
                "chaque jeton personnel est celui d’une personne active"
            }
            "no mail waits for longer than an hour" => "aucun courriel n’attend depuis plus d’une heure",
            "few mails of the last day were given up" => "peu de courriels du dernier jour ont été abandonnés",
            "nobody removed a second factor alone" => "personne n’a retiré seul un second facteur",
            "at least one superuser can sign in" => "un administrateur au moins peut se connecter",
            "certificates can be signed" => "les certificats peuvent être signés",
            "no gap in any source" => "aucun événement ne manque",
            "no message had to be set aside" => "aucun message n’a dû être mis de côté",
            "every entry readable" => "chaque entrée est lisible",
            "the last backup is young enough" => "la dernière sauvegarde est assez récente",
            "what happened reaches the journal within a minute" => "ce qui se passe atteint le journal en une minute",
            "the journal's history was never rewritten" => "l’histoire du journal n’a jamais été réécrite",
            "every entry is as it was logged" => "chaque entrée est telle qu’elle a été inscrite",
            "whoever is to be told of an incident is told" => "qui doit être prévenu d’un incident l’est",
            "every service is asked every second" => "chaque service est interrogé chaque seconde",
            other => other,
        };
        match self.0 {
            Language::Fr => fr,
            Language::En => name,
        }
    }

    /// What was just done, by the word that the address carries.
    pub(crate) fn done(self, what: &str) -> Option<&'static str> {
        Some(match what {
            "sent" => self.pick(
                "Votre demande est envoyée ; un agent va la traiter.",
                "Your request was sent; an agent will look at it.",
            ),
            "renamed" => self.pick("Le compte a un nouveau nom.", "The account has a new name."),
            "cancelled" => self.pick("La demande est annulée.", "The request is cancelled."),
            "approved" => self.pick("La demande est approuvée.", "The request is approved."),
            "rejected" => self.pick("La demande est refusée.", "The request is rejected."),
            "saved" => self.pick("Votre profil est à jour.", "Your profile is up to date."),
            "address" => self.pick(
                "Votre profil est à jour. Un lien est parti vers la nouvelle adresse : elle vaudra quand vous l’aurez suivi.",
                "Your profile is up to date. A link was sent to the new address: it counts once you have followed it.",
            ),
            "password" => self.pick("Votre mot de passe est changé.", "Your password is changed."),
            "ended" => self.pick("La session est terminée.", "The session has ended."),
            "others-ended" => self.pick("Vos autres sessions sont terminées.", "Your other sessions have ended."),
            "totp" => self.pick("Votre second facteur est activé.", "Your second factor is on."),
            "totp-off" => self.pick("L’application est désactivée.", "The app is turned off."),
            "proven" => {
                self.pick("C’est bien vous. Vous pouvez refaire votre action.", "It is you. Please repeat your action.")
            }
            "passkey-added" => self.pick("La clé d’accès est ajoutée.", "The passkey is added."),
            "passkey-renamed" => self.pick("La clé d’accès a un nouveau nom.", "The passkey has a new name."),
            "passkey-removed" => self.pick("La clé d’accès est supprimée.", "The passkey is removed."),
            "token-revoked" => self.pick("Le jeton est révoqué.", "The token is revoked."),
            "unlocked" => {
                self.pick("Cette personne peut se connecter sans attendre.", "This person can sign in at once.")
            }
            "proposed" => self.pick("Un collègue doit maintenant approuver.", "A colleague has to approve now."),
            "reset" => self.pick(
                "Le second facteur est retiré ; cette personne se connecte avec son mot de passe.",
                "The second factor is removed; this person signs in with the password.",
            ),
            "decided-already" => self.pick("Cela a été décidé entre-temps.", "This was decided in the meantime."),
            "reset-refused" => self.pick("Le second facteur reste en place.", "The second factor stays in place."),
            "activated" => self.pick("Cette personne peut se connecter.", "This person can sign in."),
            "refused" => self.pick("L’inscription est refusée.", "The registration is rejected."),
            "disabled" => self.pick("Cette personne ne peut plus se connecter.", "This person can no longer sign in."),
            "deleted" => self.pick("La personne est supprimée.", "The person is deleted."),
            "check-kept" => self.pick("Le contrôle est enregistré.", "The check is saved."),
            "check-removed" => self.pick("Le contrôle est supprimé.", "The check is removed."),
            "acknowledged" => self.pick("Vous suivez cet incident.", "You look after this incident."),
            "noted" => self.pick("La note est ajoutée.", "The note is added."),
            "announced" => self.pick("Les travaux sont annoncés.", "The work is announced."),
            "work-ended" => self.pick("Les travaux sont terminés.", "The work has ended."),
            "created" => self.pick("L’agent est créé.", "The agent is created."),
            _ => return None,
        })
    }
}
