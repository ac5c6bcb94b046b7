//! The state of what is checked, for everybody: states, days, incidents, announced work, objectives.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use contracts::identity::Language;
use contracts::monitor::{CheckName, Maintenance, Spent, State};
use vocabulary::Timestamp;

use super::{T, texts};

texts! {
    some_degraded "Tout répond, mais pas tout comme il faut." "Everything answers, but not all of it as it should.";
    under_way "En cours" "Under way";
    announced "Travaux annoncés" "Announced work";
    past_incidents "Incidents terminés ces 14 derniers jours" "Incidents that ended in the last 14 days";
    no_incidents "Aucun incident." "No incidents.";
    incidents "Incidents" "Incidents";
    incident "Incident" "Incident";
    services_title "Services de la banque" "Services of the bank";
    bank_group "La banque" "The bank";
    inner_group "Vérités et certificats de la banque" "Truths and certificates of the bank";
    other_group "Autres contrôles" "Other checks";
    for_you_alone "Réservé aux administrateurs" "For superusers alone";
    flapping "Instable" "Unstable";
    flapping_explained "Change trop souvent d’état pour qu’on en soit alerté à chaque fois." "Changes state too often to alert anybody each time.";
    uptime "Disponibilité" "Uptime";
    uptime_of_90_days(percent: &str) "{percent} sur 90 jours" "{percent} over 90 days";
    days_ago_90 "Il y a 90 j" "90 days ago";
    days_ago_30 "Il y a 30 j" "30 days ago";
    today "Aujourd’hui" "Today";
    bars_legend "Légende des barres" "What the bars mean";
    not_measured "pas mesuré" "not measured";
    of_which_down(span: &str) "dont {span} en panne" "{span} of it down";
    bars_of(name: &str, uptime: &str) "{name}, 90 jours : {uptime}" "{name}, 90 days: {uptime}";
    never_down "sans panne" "never down";
    down_on(days: &str) "en panne le {days}" "down on {days}";
    and_more_days(count: usize) "et {count} autres jours" "and {count} more days";
    certificate_word "Certificat" "Certificate";
    life_left(percent: &str) "{percent} de vie restante" "{percent} of its life left";
    life_left_word "Vie restante" "Life left";
    still "en cours" "still going on";
    because_of "À cause de" "Because of";
    cause "Cause" "Cause";
    looked_after_by "Prise en charge par" "Looked after by";
    note_by(name: &str) "par {name}" "by {name}";
    private_note "Note interne" "Internal note";
    since_until(from: &str, to: &str) "Du {from} au {to}" "From {from} to {to}";
    concerns_all "Tous les contrôles" "All checks";
    open_incident "Ouvrir l’incident" "Open the incident";
    day_by_day "Jour par jour" "Day by day";

    window_word "Période" "Period";
    window_day "24 h" "24 h";
    window_week "7 jours" "7 days";
    window_month "30 jours" "30 days";
    window_quarter "90 jours" "90 days";
    window_year "1 an" "1 year";
    state_over_time "État" "State";
    latency_title "Temps de réponse" "Response time";
    latency_words "La moitié des réponses arrivent avant la ligne pleine, 95 sur 100 avant la ligne pointillée."
        "Half of the answers come before the solid line, 95 in a hundred before the dotted one.";
    latency_half "La moitié (p50)" "Half (p50)";
    latency_most "95 sur 100 (p95)" "95 in 100 (p95)";
    slowest_of_each "Chaque ligne est le moment le plus lent de sa tranche." "Each line is the slowest moment of its slice.";
    results_good(good: &str, all: &str) "{good} bons résultats sur {all}" "{good} good results of {all}";
    objective "Objectif" "Objective";
    objective_is(target: &str, days: &u32) "{target} de disponibilité sur {days} jours" "{target} uptime over {days} days";
    error_budget "Budget d’erreur" "Error budget";
    budget_left(left: &str, whole: &str) "Il reste {left} sur {whole} de panne permise." "{left} left of {whole} that it may be down.";
    budget_gone(whole: &str, over: &str) "Épuisé : les {whole} de panne permise sont dépassées de {over}."
        "Used up: the {whole} that it may be down are exceeded by {over}.";
    budget_used "Budget utilisé" "Budget used";
    burn_rate "Rythme d’usage" "Burn rate";
    burn_explained "À 1, le budget suffit tout juste ; au-delà, il sera épuisé avant la fin."
        "At 1 the budget is just enough; above, it runs out before the end.";
    burn_hour "Dernière heure" "Last hour";
    burn_six "6 dernières heures" "Last 6 hours";
    burn_three "3 derniers jours" "Last 3 days";
    burn_unknown "trop peu de mesures" "too few results";
    burn_calm "Le budget tiendra à ce rythme." "At this rate the budget will last.";
    burn_fast "À ce rythme, le budget sera épuisé avant la fin de la période." "At this rate the budget runs out before the period ends.";
    badge "Vignette" "Badge";
    badge_lead "À placer sur une autre page ; elle est à jour à chaque affichage." "For another page; it is up to date each time it is shown.";
    badge_state "État" "State";
    badge_uptime "Disponibilité sur 30 jours" "Uptime of 30 days";
    badge_latency "Temps de réponse" "Response time";
    badge_markdown "Markdown à copier" "Markdown to copy";
    certificate_serial "Numéro de série" "Serial number";

    map_title "Carte des liaisons" "Map of links";
    map_words "Chaque trait va du service qui appelle à celui qui est appelé. Plein : en marche ; tirets : mis de côté ; pointillé : en panne."
        "Each line goes from the calling service to the one that is called. Solid: up; dashes: left out; dots: down.";
    map_calls(from: &str, to: &str) "{from} appelle {to}" "{from} calls {to}";
    not_yet_connected "pas encore de connexion" "no connection yet";
}

impl T {
    fn say(self, fr: &'static str, en: &'static str) -> &'static str {
        match self.0 {
            Language::Fr => fr,
            Language::En => en,
        }
    }

    /// How something does.
    pub(crate) fn check_state(self, state: &State) -> &'static str {
        match state {
            State::Up => self.say("En marche", "Up"),
            State::Degraded => self.say("Dégradé", "Degraded"),
            State::Down => self.say("En panne", "Down"),
            State::Maintenance => self.say("Maintenance", "Maintenance"),
            State::Unknown => self.say("Inconnu", "Unknown"),
        }
    }

    #[expect(clippy::unused_self, reason = "templates say everything through `t`")]
    pub(crate) fn check_tone(self, state: &State) -> &'static str {
        match state {
            State::Up => "good",
            State::Degraded => "now",
            State::Down => "bad",
            State::Maintenance => "calm",
            State::Unknown => "off",
        }
    }

    /// The title of a check: what the bank itself calls its own, in the reader's language.
    pub(crate) fn titled(self, name: &CheckName, title: &str) -> String {
        let own = |prefix: &str| name.as_str().strip_prefix(prefix);
        if let Some(service) = own("service.") {
            return self.service(service);
        }
        if own("truth.").is_some() {
            return self.truth(title).to_owned();
        }
        let of = |fr: &str, en: &str, service: &str| match self.0 {
            Language::Fr => format!("{fr} : {}", self.service(service)),
            Language::En => format!("{en}: {}", self.service(service)),
        };
        if let Some(service) = own("certificate.") {
            return of("Certificat", "Certificate", service);
        }
        if let Some(service) = own("clock.") {
            return of("Horloge", "Clock", service);
        }
        title.to_owned()
    }

    /// A share in millionths, never rounded up: `99,98 %`. What is nearly whole is told more exactly.
    pub(crate) fn ppm(self, ppm: &u32) -> String {
        let (whole, rest) = (ppm / 10_000, ppm % 10_000);
        let decimals = match (whole, rest) {
            (_, 0) if matches!(whole, 0 | 100) => String::new(),
            (99, 9_900..) => format!("{:03}", rest / 10),
            _ => format!("{:02}", rest / 100),
        };
        let (point, space) = match self.0 {
            Language::Fr => (',', "\u{a0}"),
            Language::En => ('.', ""),
        };
        if decimals.is_empty() { format!("{whole}{space}%") } else { format!("{whole}{point}{decimals}{space}%") }
    }

    /// How much of a life is left, of which so many thousandths are over.
    pub(crate) fn life(self, spent_permille: &u64) -> String {
        self.percent(&1000_u64.saturating_sub(*spent_permille))
    }

    /// A share in millionths, where it may be that nothing counted.
    pub(crate) fn ppm_or(self, ppm: Option<&u32>) -> String {
        ppm.map_or_else(|| "–".to_owned(), |ppm| self.ppm(ppm))
    }

    /// How long, in milliseconds, by its two largest units: `2 h 5 min`.
    pub(crate) fn for_millis(self, millis: &u64) -> String {
        let day = self.say("j", "d");
        let units = [(day, 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
        let Some(first) = units.iter().position(|(_, length)| millis >= length) else {
            return format!("{millis}\u{a0}ms");
        };
        let mut rest = *millis;
        let mut words = Vec::new();
        for (name, length) in units.iter().skip(first).take(2) {
            let count = rest / length;
            rest %= length;
            if count > 0 {
                words.push(format!("{count}\u{a0}{name}"));
            }
        }
        words.join(" ")
    }

    /// How long something took, in microseconds: `850 µs`, `1,2 ms`, `35 ms`, `1,5 s`.
    pub(crate) fn latency(self, micros: &u64) -> String {
        let (length, unit) = match micros {
            ..1_000 => return format!("{micros}\u{a0}µs"),
            ..1_000_000 => (1_000, "ms"),
            _ => (1_000_000, "s"),
        };
        let (whole, tenth) = (micros / length, micros % length * 10 / length);
        let point = self.say(",", ".");
        if whole >= 10 || tenth == 0 {
            format!("{whole}\u{a0}{unit}")
        } else {
            format!("{whole}{point}{tenth}\u{a0}{unit}")
        }
    }

    /// From a moment to another, or to now.
    pub(crate) fn between(self, from: &Timestamp, to: &Timestamp) -> String {
        self.for_millis(&u64::try_from(to.since(*from).as_millis()).unwrap_or(u64::MAX))
    }

    /// How a piece of time was spent: `99,98 %, dont 12 min en panne`.
    pub(crate) fn spent(self, spent: &Spent) -> String {
        match (spent.uptime_ppm(), spent.down) {
            (None, _) if spent.maintenance > 0 => self.check_state(&State::Maintenance).to_owned(),
            (None, _) => self.not_measured().to_owned(),
            (Some(ppm), 0) => self.ppm(&ppm),
            (Some(ppm), down) => format!("{}, {}", self.ppm(&ppm), self.of_which_down(&self.for_millis(&down))),
        }
    }

    /// When announced work is done.
    pub(crate) fn work_time(self, work: &Maintenance) -> String {
        self.since_until(&self.moment(&work.from), &self.moment(&work.to))
    }

    /// A rate in thousandths: `1,2×`.
    pub(crate) fn burn(self, permille: Option<&u64>) -> String {
        let Some(permille) = permille else { return self.burn_unknown().to_owned() };
        let (whole, tenth) = (permille / 1000, permille % 1000 / 100);
        format!("{}{}{tenth}\u{a0}×", self.whole(&whole), self.say(",", "."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FR: T = T(Language::Fr);
    const EN: T = T(Language::En);

    #[test]
    fn uptime_is_never_rounded_up() {
        assert_eq!((FR.ppm(&1_000_000), EN.ppm(&1_000_000)), ("100\u{a0}%".into(), "100%".into()));
        assert_eq!((FR.ppm(&999_999), EN.ppm(&999_999)), ("99,999\u{a0}%".into(), "99.999%".into()));
        assert_eq!((FR.ppm(&989_999), EN.ppm(&500_000)), ("98,99\u{a0}%".into(), "50.00%".into()));
        assert_eq!((EN.ppm(&0), EN.ppm(&12), EN.ppm_or(None)), ("0%".into(), "0.00%".into(), "–".into()));
    }

    #[test]
    fn spans_and_latencies_are_told_in_the_units_that_fit() {
        assert_eq!((FR.for_millis(&0), FR.for_millis(&59_000)), ("0\u{a0}ms".into(), "59\u{a0}s".into()));
        assert_eq!(FR.for_millis(&(26 * 3_600_000)), "1\u{a0}j 2\u{a0}h");
        assert_eq!(EN.for_millis(&(24 * 3_600_000 + 61_000)), "1\u{a0}d");
        let latency = |n: u64| (FR.latency(&n), EN.latency(&n));
        assert_eq!(latency(850), ("850\u{a0}µs".into(), "850\u{a0}µs".into()));
        assert_eq!(latency(1_250), ("1,2\u{a0}ms".into(), "1.2\u{a0}ms".into()));
        assert_eq!(latency(35_900), ("35\u{a0}ms".into(), "35\u{a0}ms".into()));
        assert_eq!(latency(1_500_000), ("1,5\u{a0}s".into(), "1.5\u{a0}s".into()));
    }

    #[test]
    fn the_bank_s_own_checks_are_called_what_people_call_them() {
        let title = |t: T, name: &str, title: &str| t.titled(&name.parse().unwrap(), title);
        assert_eq!(title(FR, "service.identity", "identity"), "Identité");
        assert_eq!(title(FR, "certificate.bank", "bank"), "Certificat : Banque");
        let zero = "all entries of a currency sum to zero";
        assert_eq!(title(FR, "truth.bank.x", zero), "toutes les écritures d’une devise s’annulent");
        assert_eq!((title(EN, "truth.bank.x", zero), title(FR, "shop", "The shop")), (zero.into(), "The shop".into()));
    }
}
