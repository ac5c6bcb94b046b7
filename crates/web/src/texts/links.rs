//! The links between services that stand apart, and their certificates.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use contracts::identity::Language;
use contracts::monitor::{LinkState, Outlook};

use super::{T, texts};

texts! {
    certificates "Certificats" "Certificates";
    certificates_lead "Chaque certificat est renouvelé tout seul aux deux tiers de sa vie. Au-delà des cinq sixièmes, le renouvellement échoue."
        "Every certificate renews itself at two thirds of its life. Beyond five sixths, renewal is failing.";
    for_browsers "pour les navigateurs" "for browsers";
    service_word "Service" "Service";
    life_over "Vie écoulée" "Life over";
    valid_until "Valable jusqu’au" "Valid until";
    inner_links "Liaisons internes" "Inner links";
    inner_links_lead "Ce que la dernière connexion a réellement négocié, vu par le service qui appelle."
        "What the last connection really agreed on, as the calling service sees it.";
    who_calls "Appelle" "Caller";
    who_is_called "Est appelé" "Called";
    encryption "Chiffrement" "Encryption";
    key_exchange "Échange de clés" "Key exchange";
}

impl T {
    fn either(self, fr: &'static str, en: &'static str) -> &'static str {
        match self.0 {
            Language::Fr => fr,
            Language::En => en,
        }
    }

    /// `42 %`, `42%`.
    pub(crate) fn percent(self, permille: &u64) -> String {
        let percent = permille / 10;
        match self.0 {
            Language::Fr => format!("{percent}\u{a0}%"),
            Language::En => format!("{percent}%"),
        }
    }

    /// `TLS 1.3` for what is registered as `TLSv1.3`.
    #[expect(clippy::unused_self, reason = "templates say everything through `t`")]
    pub(crate) fn protocol(self, name: &str) -> String {
        name.replace("TLSv", "TLS ")
    }

    /// Whether a recording could be read by a quantum computer of tomorrow.
    pub(crate) fn quantum(self, withstands: &bool) -> &'static str {
        if *withstands {
            self.either("Résiste au quantique", "Withstands quantum")
        } else {
            self.either("Classique", "Classical")
        }
    }

    pub(crate) fn outlook(self, outlook: &Outlook) -> &'static str {
        match outlook {
            Outlook::Good => self.either("Valable", "Good"),
            Outlook::Late => self.either("En retard", "Late"),
            Outlook::Bad => self.either("À renouveler", "Renew now"),
        }
    }

    #[expect(clippy::unused_self, reason = "templates say everything through `t`")]
    pub(crate) fn outlook_tone(self, outlook: &Outlook) -> &'static str {
        match outlook {
            Outlook::Good => "good",
            Outlook::Late => "now",
            Outlook::Bad => "bad",
        }
    }

    pub(crate) fn link_state(self, state: &LinkState) -> &'static str {
        match state {
            LinkState::Alive => self.either("En marche", "Up"),
            LinkState::LeftOut => self.either("Mise de côté", "Left out"),
            LinkState::Dead => self.either("En panne", "Down"),
        }
    }

    #[expect(clippy::unused_self, reason = "templates say everything through `t`")]
    pub(crate) fn link_tone(self, state: &LinkState) -> &'static str {
        match state {
            LinkState::Alive => "good",
            LinkState::LeftOut => "now",
            LinkState::Dead => "bad",
        }
    }
}
