//! What superusers do about checks, incidents and announced work.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use contracts::identity::Language;
use contracts::monitor::{CheckKind, Origin};

use super::{T, texts};

texts! {
    monitoring "Surveillance" "Monitoring";
    checks_title "Contrôles" "Checks";
    maintenances "Travaux" "Maintenance";
    check_word "Contrôle" "Check";
    check_add "Ajouter un contrôle" "Add a check";
    check_change "Modifier le contrôle" "Change the check";
    check_change_this(name: &str) "Modifier {name}" "Change {name}";
    check_remove "Supprimer" "Remove";
    check_remove_this(name: &str) "Supprimer {name}" "Remove {name}";
    check_remove_title "Supprimer ce contrôle ?" "Remove this check?";
    check_remove_lead "Il ne sera plus fait, et tout son historique est effacé avec lui. Cela ne peut pas être annulé."
        "It is made no more, and its whole history is erased with it. This cannot be undone.";
    check_remove_sure "Supprimer avec son historique" "Remove with its history";
    checks_lead "Ceux de la banque et du fichier de réglages se changent là où ils sont écrits ; les autres ici."
        "Those of the bank and of the settings file are changed where they are written; the others here.";
    no_checks "Aucun contrôle pour l’instant." "No checks yet.";
    origin_word "Origine" "Origin";
    last_result "Dernier résultat" "Last result";
    checked_never "pas encore fait" "not made yet";
    to_everybody "Publique" "Public";
    check_public "Tout le monde le voit sur la page d’état" "Everybody sees it on the status page";
    check_private "Peut aller vers des adresses privées : cette machine, le réseau interne"
        "May lead to private addresses: this machine, the inner network";
    check_name "Nom" "Name";
    check_name_hint "Figure dans les adresses : a-z, 0-9, « . » et « - », 60 au plus. Ne change plus ensuite."
        "Stands in addresses: a-z, 0-9, “.” and “-”, at most 60. Does not change afterwards.";
    check_name_form "1 à 60 caractères parmi a-z, 0-9, « . » et « - », avec une lettre ou un chiffre aux deux bouts."
        "1 to 60 of a-z, 0-9, “.” and “-”, with a letter or a digit at both ends.";
    check_name_taken "Un contrôle de ce nom existe déjà." "A check of this name exists already.";
    check_title_field "Titre" "Title";
    check_title_hint "Facultatif : ce que les gens lisent à la place du nom." "Optional: what people read instead of the name.";
    check_group "Groupe" "Group";
    check_group_hint "Facultatif : sous quoi il est rangé." "Optional: under what it is shown.";
    check_kind "Sorte" "Kind";
    check_target "Cible" "Target";
    check_target_hint "HTTP : https://exemple.fr/etat · TCP, TLS, SMTP : hôte:port · PostgreSQL : postgresql://role@hôte:port/base · NATS : tls://hôte:port · DNS : le nom demandé"
        "HTTP: https://example.org/health · TCP, TLS, SMTP: host:port · PostgreSQL: postgresql://role@host:port/database · NATS: tls://host:port · DNS: the name asked for";
    check_must "Doit tenir, sinon c’est en panne" "Must hold, or it is down";
    check_must_hint "Une condition par ligne, par exemple : status == 200 · latency < 800ms · body contains \u{22}ready\u{22} · certificate.left > 10d"
        "One condition per line, such as: status == 200 · latency < 800ms · body contains \u{22}ready\u{22} · certificate.left > 10d";
    check_should "Devrait tenir, sinon c’est dégradé" "Should hold, or it is degraded";
    check_should_hint "Une condition par ligne." "One condition per line.";
    check_every "Tous les" "Every";
    check_every_hint "Par exemple 30s, 5m, 1h." "Such as 30s, 5m, 1h.";
    check_timeout "Délai maximal" "Time limit";
    check_timeout_hint "Au plus une minute, et pas plus que l’intervalle." "At most a minute, and no longer than the interval.";
    check_alarm_after "En panne après" "Down after";
    check_well_after "Rétabli après" "Well again after";
    check_in_a_row "Résultats de suite, de 1 à 10." "Results in a row, 1 to 10.";
    check_parents "Dépend de" "Depends on";
    check_parents_hint "Facultatif : un nom de contrôle par ligne. Tant que l’un d’eux est en panne, personne n’est alerté pour celui-ci."
        "Optional: one name of a check per line. While one of them is down, nobody is alerted about this one.";
    check_objective "Objectif de disponibilité, en pour cent" "Uptime objective, in percent";
    check_objective_hint "Facultatif : par exemple 99.9, sur 30 jours." "Optional: such as 99.9, over 30 days.";
    check_server "Serveur de noms" "Name server";
    check_server_hint "DNS seulement : à qui demander ; sinon celui de la machine." "DNS only: whom to ask; otherwise that of the machine.";
    check_record "Enregistrement" "Record";
    check_record_hint "DNS seulement." "DNS only.";
    check_usual "habituel" "usual";
    check_what "Quoi" "What";
    check_conditions "Conditions" "Conditions";
    check_when "Quand" "When";
    check_who "Qui le voit, et ce qu’il promet" "Who sees it, and what it promises";
    check_try "Essayer" "Try";
    check_tried "Essai, rien n’est enregistré :" "Tried, nothing is saved:";
    check_took(latency: &str) "en {latency}" "in {latency}";
    not_fitting(why: &str) "Cette valeur ne convient pas : {why}" "This value does not fit: {why}";
    check_not_configurable "Ce contrôle est celui de la banque ou du fichier de réglages, et se change là. Choisissez un autre nom."
        "This check is the bank’s own or stands in the settings file, and is changed there. Choose another name.";
    incident_over "Cet incident est terminé : plus personne n’a à s’en occuper." "This incident is over: nobody needs to look after it any more.";
    fault_every "Moins d’une seconde : écrivez 1s ou plus." "Less than a second: write 1s or more.";
    fault_timeout "Plus long que l’intervalle, ou qu’une minute : écrivez moins." "Longer than the interval, or than a minute: write less.";
    fault_objective "Écrivez un pourcentage de 50 à 99.999, avec trois décimales au plus, comme 99.9."
        "Write a percentage from 50 to 99.999, with at most three decimals, such as 99.9.";
    fault_only_dns "Seulement pour un contrôle DNS." "For DNS checks only.";
    fault_circle "Ce contrôle dépendrait de lui-même." "The check would depend on itself.";
    fault_private "Mène à une adresse qui n’est pas publique : cochez « adresses privées » si c’est voulu."
        "Leads to an address that is not public: tick “private addresses” if it may.";
    fault_no_machine "Ne nomme aucune machine : écrivez son nom ou son adresse, et un port au besoin, comme banque.exemple.fr:443."
        "Names no machine: write its name or address, and a port where needed, such as bank.example.org:443.";
    fault_condition(number: &str, why: &str) "La condition n° {number} ne va pas : {why}" "Condition {number} does not work: {why}";
    span_form "Écrivez un nombre entier et ms, s, m, h ou d, comme 30s." "Write a whole number and ms, s, m, h or d, such as 30s.";
    number_1_to_10 "Écrivez un nombre de 1 à 10." "Write a number from 1 to 10.";
    too_many_lines(most: usize) "Trop de lignes : {most} au plus." "Too many lines: at most {most}.";

    incidents_open "En cours seulement" "Only those going on";
    incidents_all "Tous" "All";
    no_incident_yet "Aucun incident." "No incidents.";
    acknowledge "Prendre en charge" "Look after it";
    acknowledge_explained "Dès que vous le prenez en charge, plus personne ne reçoit de rappel."
        "As soon as you look after it, nobody is reminded of it any more.";
    no_note_yet "Aucune note." "No notes.";
    note_word "Note" "Note";
    notes_word "Notes" "Notes";
    note_add "Ajouter une note" "Add a note";
    note_public "La publier sur la page d’état" "Publish it on the status page";
    began "Début" "Began";
    ended "Fin" "Ended";

    announce "Annoncer des travaux" "Announce work";
    announce_lead "Pendant ce temps personne n’est alerté, et rien ne compte dans la disponibilité."
        "Meanwhile nobody is alerted, and nothing counts in the uptime.";
    announce_now "Annoncer" "Announce";
    work_title "Titre" "Title";
    work_text "Explication" "Explanation";
    work_text_hint "Facultatif." "Optional.";
    work_from "Du (UTC)" "From (UTC)";
    work_from_hint "Tout de suite si rien n’est indiqué." "At once if nothing is given.";
    work_to "Au (UTC)" "Until (UTC)";
    work_to_hint "Au plus 31 jours plus tard." "At most 31 days later.";
    work_checks "Contrôles concernés" "Checks concerned";
    work_checks_hint "Un nom par ligne ; tous si rien n’est indiqué." "One name per line; all of them if nothing is given.";
    work_public "L’annoncer sur la page d’état" "Announce it on the status page";
    work_end "Terminer maintenant" "End now";
    work_call_off "Abandonner" "Call off";
    work_end_this(what: &str, title: &str) "{what} : {title}" "{what}: {title}";
    no_work "Rien n’est annoncé." "Nothing is announced.";
    moment_form "Écrivez une date et une heure." "Write a date and a time.";
    moment_order "La fin doit suivre le début." "The end must follow the beginning.";
    unknown_check(name: &str) "Aucun contrôle ne s’appelle {name}." "No check is called {name}.";
}

impl T {
    /// Who wrote a check down.
    pub(crate) fn origin(self, origin: &Origin) -> &'static str {
        let (fr, en) = match origin {
            Origin::Bank => ("La banque", "The bank"),
            Origin::Settings => ("Réglages", "Settings"),
            Origin::Api => ("Ici", "Here"),
        };
        match self.0 {
            Language::Fr => fr,
            Language::En => en,
        }
    }

    /// What the service finds wrong with a check, in a sentence; in its own words where there are none here.
    pub(crate) fn check_fault(self, detail: &str) -> String {
        let begins = |start: &str| detail.starts_with(start);
        if let Some((number, why)) =
            detail.strip_prefix("holds a condition, number ").and_then(|it| it.split_once(", that "))
        {
            return self.fault_condition(number, why);
        }
        let known = match detail {
            "is missing" | "must not be empty" => self.field_missing(),
            _ if begins("is less than a second") => self.fault_every(),
            _ if begins("is longer than `every`") => self.fault_timeout(),
            _ if begins("is a share of time") => self.fault_objective(),
            _ if begins("belongs to dns") => self.fault_only_dns(),
            _ if begins("lead back to this check") => self.fault_circle(),
            _ if begins("leads to an address that is not a public one") => self.fault_private(),
            _ if begins("names no machine") => self.fault_no_machine(),
            _ => return self.not_fitting(detail),
        };
        known.to_owned()
    }

    /// What is done to see whether something works.
    pub(crate) fn check_kind_name(self, kind: &CheckKind) -> &'static str {
        match (kind, self.0) {
            (CheckKind::Http, _) => "HTTP",
            (CheckKind::Tcp, _) => "TCP",
            (CheckKind::Tls, _) => "TLS",
            (CheckKind::Postgres, _) => "PostgreSQL",
            (CheckKind::Nats, _) => "NATS",
            (CheckKind::Smtp, _) => "SMTP",
            (CheckKind::Dns, _) => "DNS",
            (CheckKind::Told, Language::Fr) => "Rapporté",
            (CheckKind::Told, Language::En) => "Told",
        }
    }
}
