//! The journal's charts, stories and single entries.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use std::time::Duration;

use contracts::events::Audience;
use contracts::identity::Language;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use vocabulary::{Day, Timestamp};

use super::{T, texts};
use crate::charts::Unit;

texts! {
    nothing_counted "Rien sur cette période." "Nothing in this period.";
    as_table "Les chiffres en tableau" "The numbers as a table";
    total_word "Total" "Total";
    more_in_table(count: usize) "Et {count} de plus dans le tableau." "And {count} more in the table.";

    dashboard "Activité" "Activity";
    period_word "Période" "Period";
    show_period "Afficher" "Show";
    all_entries "Événements" "Events";
    warnings "Avertissements" "Warnings";
    errors "Erreurs" "Errors";
    how_many "Nombre" "Count";
    agent_word "Agent" "Agent";
    approved_word "Approuvées" "Approved";
    rejected_word "Refusées" "Rejected";
    counted_in_part "Seuls les événements les plus récents ont été comptés : raccourcissez la période ou retirez un filtre."
        "Only the newest events were counted: shorten the period or remove a filter.";
    chart_events "Événements par niveau" "Events by level";
    chart_events_words(total: &str, from: &str, to: &str)
        "Du {from} au {to}, {total} événements ; chaque colonne empile erreurs, avertissements et informations, et mène à ses entrées."
        "From {from} to {to}, {total} events; each column stacks errors, warnings and information, and leads to its entries.";
    chart_failures "Connexions refusées" "Refused sign-ins";
    chart_failures_words(total: &str, from: &str, to: &str)
        "Du {from} au {to}, {total} connexions refusées ; chaque colonne mène à ses entrées."
        "From {from} to {to}, {total} refused sign-ins; each column leads to its entries.";
    chart_actions "Actions les plus fréquentes" "Busiest actions";
    chart_actions_words "Les actions les plus fréquentes d’abord ; chaque barre mène à ses entrées."
        "The most frequent actions first; each bar leads to its entries.";
    chart_decisions "Décisions par agent" "Decisions by agent";
    chart_decisions_words "Ce que chaque agent a approuvé et refusé ; chaque barre mène à ses entrées."
        "What each agent approved and rejected; each bar leads to its entries.";
    log_text "Mots du message ou des détails" "Words of the message or details";
    log_audience "Destinataires" "Meant for";
    log_source "Service" "Service";
    log_trace "Numéro de la requête" "Call number";
    log_message "Message" "Message";
    more_filters "Plus de filtres" "More filters";
    several_actions "Seulement ces actions :" "Only these actions:";
    every_action "Toutes les actions" "All actions";
    warning_or_graver "Attention ou plus grave" "Warning or graver";
    entries_found(count: &str) "Entrées : {count}" "Entries: {count}";
    entries_found_at_least(count: &str) "Entrées : {count} ou plus" "Entries: {count} or more";
    their_day "Sa journée, dans l’ordre" "Their day, in order";
    export_as "Exporter :" "Export:";
    live_start "Suivre en direct" "Follow live";
    live_pause "Mettre en pause" "Pause";
    live_on "Les nouvelles entrées s’ajoutent en haut du tableau." "New entries are added on top of the table.";
    live_new "Nouvelles entrées :" "New entries:";
    live_missed "Des entrées ont pu manquer : rechargez la page." "Entries may be missing: reload the page.";
    live_lost "Le suivi s’est arrêté : rechargez la page." "Following has stopped: reload the page.";
    what_happened "Ce qui s’est passé" "What happened";
    around_it "Autour de cette entrée" "Around this entry";
    proof_word "Preuve" "Proof";
    place_in_log "Rang dans le journal" "Place in the log";
    entry_id "Identifiant" "Identifier";
    proof_explained "Ce fichier prouve que l’entrée figure au journal sans avoir été modifiée ; vérifiez-le sur votre ordinateur, sans nous :"
        "This file proves that the entry stands in the journal, unaltered; check it on your own computer, without us:";
    download_proof "Télécharger proof.json" "Download proof.json";
    day_of(login: &str, day: &str) "La journée de {login}, le {day}" "The day of {login}, {day}";
    my_day(day: &str) "Votre journée du {day}" "Your day, {day}";
    story_of_day "Une journée" "A day";
    story_of_request "Une requête, de bout en bout" "A call, from end to end";
    see_whole_call "Toute la requête, dans l’ordre" "The whole call, in order";
    day_word "Jour" "Day";
    day_before "Jour précédent" "Previous day";
    day_after "Jour suivant" "Next day";
    see_as_table "Voir en tableau" "See as a table";
    nothing_happened "Rien ne s’est passé." "Nothing happened.";
    story_cut "Il y en a trop pour une page : seules les dernières sont montrées." "There are too many for one page: only the latest are shown.";
    nothing_for(time: &str) "{time} sans rien" "nothing for {time}";
    later_by(time: &str) "{time} plus tard" "{time} later";
    about_person(login: &str) "concerne {login}" "concerns {login}";
    see_entry "Détails et preuve" "Details and proof";
    week_of(day: &str) "Semaine du {day}" "Week of {day}";
}

const SHORT_FR: StaticFormatDescription = format_description!("[day]/[month]");
const SHORT_EN: StaticFormatDescription = format_description!("[day padding:none] [month repr:short]");
const MONTH_FR: StaticFormatDescription = format_description!("[month]/[year]");
const MONTH_EN: StaticFormatDescription = format_description!("[month repr:short] [year]");
const HOUR: StaticFormatDescription = format_description!("[hour]:[minute]");
const SECOND: StaticFormatDescription = format_description!("[hour]:[minute]:[second]");
const DAYS_FR: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const YEAR: StaticFormatDescription = format_description!("[year]");

impl T {
    fn at(self, moment: &Timestamp, fr: StaticFormatDescription, en: StaticFormatDescription) -> String {
        let format = match self.0 {
            Language::Fr => fr,
            Language::En => en,
        };
        moment.utc().format(format).unwrap_or_default()
    }

    /// A column of a chart, in full.
    pub(crate) fn slot(self, unit: Unit, from: &Timestamp, to: &Timestamp) -> String {
        let hour = |moment| self.at(moment, HOUR, HOUR);
        match unit {
            Unit::Hour | Unit::SixHours => format!("{}, {}–{}\u{a0}UTC", self.date(from), hour(from), hour(to)),
            Unit::Day => self.date(from),
            Unit::Week => self.week_of(&self.date(from)),
            Unit::Month => self.at(from, MONTH_FR, MONTH_EN),
            Unit::Year => self.at(from, YEAR, YEAR),
        }
    }

    /// The word below a column.
    pub(crate) fn tick(self, unit: Unit, from: &Timestamp) -> String {
        match unit {
            Unit::Hour if from.day().start() != *from => self.at(from, HOUR, HOUR),
            Unit::Hour | Unit::SixHours | Unit::Day | Unit::Week => self.at(from, SHORT_FR, SHORT_EN),
            Unit::Month => self.at(from, MONTH_FR, MONTH_EN),
            Unit::Year => self.at(from, YEAR, YEAR),
        }
    }

    /// `09:30:12`.
    pub(crate) fn clock(self, moment: &Timestamp) -> String {
        self.at(moment, SECOND, SECOND)
    }

    /// `21/11/2026 à 09:30:12,250 UTC`.
    pub(crate) fn exactly(self, moment: &Timestamp) -> String {
        let (date, time) = (self.date(moment), self.clock(moment));
        let millis = moment.utc().millisecond();
        match self.0 {
            Language::Fr => format!("{date} à {time},{millis:03} UTC"),
            Language::En => format!("{date} at {time}.{millis:03} UTC"),
        }
    }

    /// `samedi 21 novembre 2026`, `Saturday, 21 November 2026`.
    pub(crate) fn long_day(self, day: &Day) -> String {
        let date = day.date();
        let week = usize::from(date.weekday().number_days_from_monday());
        let month = usize::from(u8::from(date.month())).saturating_sub(1);
        let name = |names: &[&'static str], n: usize| names.get(n).copied().unwrap_or_default();
        let (number, year) = (date.day(), date.year());
        match self.0 {
            Language::Fr => {
                let number = if number == 1 { "1er".to_owned() } else { number.to_string() };
                format!("{} {number} {} {year}", name(&DAYS_FR, week), name(&MONTHS_FR, month))
            }
            Language::En => format!("{}, {number} {} {year}", date.weekday(), date.month()),
        }
    }

    /// How long something lasted, in its two largest units: `3 h 20 min`, `45 s`, `12 ms`.
    #[expect(clippy::unused_self, reason = "templates say everything through `t`")]
    pub(crate) fn lasting(self, time: &Duration) -> String {
        let (seconds, millis) = (time.as_secs(), time.subsec_millis());
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        match (hours, minutes, seconds) {
            (0, 0, 0) if millis == 0 => "<\u{a0}1\u{a0}ms".to_owned(),
            (0, 0, 0) => format!("{millis}\u{a0}ms"),
            (0, 0, _) => format!("{seconds}\u{a0}s"),
            (0, ..) => format!("{minutes}\u{a0}min {}\u{a0}s", seconds % 60),
            _ => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
        }
    }

    /// Whom an entry is meant for.
    pub(crate) fn audience(self, audience: &Audience) -> &'static str {
        match (audience, self.0) {
            (Audience::Members, Language::Fr) => "Membre et personnel",
            (Audience::Members, Language::En) => "Member and staff",
            (Audience::Agents, Language::Fr) => "Personnel seul",
            (Audience::Agents, Language::En) => "Staff only",
        }
    }

    /// A period of the dashboard, by its word in the address.
    pub(crate) fn period(self, name: &str) -> &'static str {
        let (fr, en) = match name {
            "day" => ("24 heures", "24 hours"),
            "week" => ("7 jours", "7 days"),
            "quarter" => ("3 mois", "3 months"),
            "year" => ("12 mois", "12 months"),
            _ => ("30 jours", "30 days"),
        };
        match self.0 {
            Language::Fr => fr,
            Language::En => en,
        }
    }
}
