//! Money and dates as people read them, in either language.
//!
//! French: `1 234,56 €` (U+202F between groups, U+00A0 before the symbol). English: `€1,234.56`. Both write a true
//! minus, U+2212. Knows no page.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use contracts::identity::Language;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use vocabulary::{Amount, Currency, Timestamp};

use crate::texts::T;

const DATE_FR: StaticFormatDescription = format_description!("[day]/[month]/[year]");
/// With the month in letters: half of those who read English would take 03/11 for the 11th of March.
const DATE_EN: StaticFormatDescription = format_description!("[day padding:none] [month repr:short] [year]");
const TIME: StaticFormatDescription = format_description!("[hour]:[minute]");

impl T {
    /// An amount with its currency: `1 234,56 €`.
    pub(crate) fn money(self, amount: &Amount, currency: &Currency) -> String {
        self.written(*amount, *currency, "")
    }

    /// An amount with its sign, also when it is positive: `+1 234,56 €`.
    pub(crate) fn signed(self, amount: &Amount, currency: &Currency) -> String {
        self.written(*amount, *currency, "+")
    }

    fn written(self, amount: Amount, currency: Currency, plus: &str) -> String {
        let plain = amount.of(currency).map_or_else(|_| amount.to_string(), |money| money.amount().to_string());
        let digits = plain.trim_start_matches('-');
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let zero = !digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
        let sign = match (plain.starts_with('-'), zero) {
            (true, _) => "\u{2212}",
            (false, true) => "",
            (false, false) => plus,
        };
        let (group, point) = match self.0 {
            Language::Fr => ('\u{202f}', ','),
            Language::En => (',', '.'),
        };
        let mut number = grouped(whole, group);
        if !decimals.is_empty() {
            number.push(point);
            number.push_str(decimals);
        }
        let (symbol, is_code) = symbol(currency);
        match (self.0, is_code) {
            (Language::Fr, _) => format!("{sign}{number}\u{a0}{symbol}"),
            (Language::En, false) => format!("{sign}{symbol}{number}"),
            (Language::En, true) => format!("{sign}{symbol}\u{a0}{number}"),
        }
    }

    /// A whole number in groups: `12 345`, `12,345`.
    pub(crate) fn count(self, number: &u128) -> String {
        let group = match self.0 {
            Language::Fr => '\u{202f}',
            Language::En => ',',
        };
        grouped(&number.to_string(), group)
    }

    /// The same of a smaller one.
    pub(crate) fn whole(self, number: &u64) -> String {
        self.count(&u128::from(*number))
    }

    /// A whole number where room is short: `12 345`, `1,2 M`, `3 Md`, `1,8×10¹⁹`.
    pub(crate) fn short(self, number: &u128) -> String {
        let (unit, name) = match (*number, self.0) {
            (..1_000_000, _) => return self.count(number),
            (..1_000_000_000, _) => (1_000_000, "\u{a0}M".to_owned()),
            (..1_000_000_000_000, Language::Fr) => (1_000_000_000, "\u{a0}Md".to_owned()),
            (..1_000_000_000_000, Language::En) => (1_000_000_000, "\u{a0}bn".to_owned()),
            (_, _) => (10_u128.saturating_pow(number.ilog10()), format!("×10{}", raised(number.ilog10()))),
        };
        let point = match self.0 {
            Language::Fr => ',',
            Language::En => '.',
        };
        let (whole, tenth) = (number / unit, number % unit * 10 / unit);
        if tenth == 0 { format!("{whole}{name}") } else { format!("{whole}{point}{tenth}{name}") }
    }

    /// `21/11/2026`, `21 Nov 2026`.
    pub(crate) fn date(self, at: &Timestamp) -> String {
        let format = match self.0 {
            Language::Fr => &DATE_FR,
            Language::En => &DATE_EN,
        };
        at.utc().format(format).unwrap_or_default()
    }

    /// `09:30`.
    #[expect(clippy::unused_self, reason = "everything is said through `t`")]
    pub(crate) fn time_of_day(self, at: &Timestamp) -> String {
        at.utc().format(&TIME).unwrap_or_default()
    }

    /// `21/11`, `21 Nov`.
    pub(crate) fn day_and_month(self, at: &Timestamp) -> String {
        let date = self.date(at);
        let end = date.len().saturating_sub(5);
        date.get(..end).unwrap_or_default().to_owned()
    }

    /// `21/11/2026 à 09:30 UTC`, `21 Nov 2026 at 09:30 UTC`.
    pub(crate) fn moment(self, at: &Timestamp) -> String {
        let time = at.utc().format(&TIME).unwrap_or_default();
        match self.0 {
            Language::Fr => format!("{} à {time} UTC", self.date(at)),
            Language::En => format!("{} at {time} UTC", self.date(at)),
        }
    }
}

/// A number as an exponent.
fn raised(number: u32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = number.to_string();
    digits.bytes().filter_map(|digit| DIGITS.get(usize::from(digit.wrapping_sub(b'0')))).collect()
}

fn grouped(digits: &str, separator: char) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * separator.len_utf8());
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// The sign of a currency, or its code where the sign would be shared or unknown.
fn symbol(currency: Currency) -> (&'static str, bool) {
    match currency {
        Currency::EUR => ("€", false),
        Currency::GBP => ("£", false),
        Currency::USD => ("$", false),
        Currency::JPY => ("¥", false),
        other => (other.code(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FR: T = T(Language::Fr);
    const EN: T = T(Language::En);

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn french_amounts_have_narrow_groups_and_a_true_minus() {
        let of = |text: &str| FR.money(&amount(text), &Currency::EUR);
        assert_eq!(of("1234.5"), "1\u{202f}234,50\u{a0}€");
        assert_eq!(of("-1234567.89"), "\u{2212}1\u{202f}234\u{202f}567,89\u{a0}€");
        assert_eq!(of("0"), "0,00\u{a0}€");
        assert_eq!(FR.money(&amount("1500"), &Currency::XOF), "1\u{202f}500\u{a0}XOF");
    }

    #[test]
    fn english_amounts_have_the_symbol_first() {
        assert_eq!(EN.money(&amount("1234.56"), &Currency::EUR), "€1,234.56");
        assert_eq!(EN.money(&amount("-100"), &Currency::EUR), "\u{2212}€100.00");
        assert_eq!(EN.money(&amount("1234"), &Currency::CHF), "CHF\u{a0}1,234.00");
    }

    #[test]
    fn a_movement_shows_its_sign_and_zero_has_none() {
        assert_eq!(FR.signed(&amount("12"), &Currency::EUR), "+12,00\u{a0}€");
        assert_eq!(FR.signed(&amount("-12"), &Currency::EUR), "\u{2212}12,00\u{a0}€");
        assert_eq!(FR.signed(&amount("0.00"), &Currency::EUR), "0,00\u{a0}€");
    }

    #[test]
    fn numbers_are_written_in_groups_and_shorter_where_room_is_short() {
        assert_eq!(
            (FR.whole(&1_234_567), EN.whole(&1_234_567)),
            ("1\u{202f}234\u{202f}567".into(), "1,234,567".into())
        );
        let short = |n: u128| (FR.short(&n), EN.short(&n));
        assert_eq!(short(999_999), ("999\u{202f}999".into(), "999,999".into()));
        assert_eq!(short(1_250_000), ("1,2\u{a0}M".into(), "1.2\u{a0}M".into()));
        assert_eq!(short(20_000_000_000), ("20\u{a0}Md".into(), "20\u{a0}bn".into()));
        assert_eq!(short(u128::from(u64::MAX)), ("1,8×10¹⁹".into(), "1.8×10¹⁹".into()));
    }

    #[test]
    fn dates_begin_with_the_day() {
        let at = "2026-11-21T09:05:00Z".parse().unwrap();
        assert_eq!(FR.date(&at), "21/11/2026");
        assert_eq!(FR.moment(&at), "21/11/2026 à 09:05 UTC");
        assert_eq!(EN.moment(&at), "21 Nov 2026 at 09:05 UTC");
    }
}
