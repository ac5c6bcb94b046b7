//! What people typed: forms and queries as they arrived, their faults, and amounts as people write them.
//!
//! What was typed is kept and shown again; passwords never are. Knows no session and no service.

use std::fmt;
use std::str::FromStr;

use aaa::Problem;
use contracts::Cursor;
use form_urlencoded::{Serializer, parse};
use http::StatusCode;
use vocabulary::{Amount, Currency, MoneyError};

use crate::problems::Said;
use crate::texts::T;

/// Most fields that are read.
const MAX_FIELDS: usize = 40;

/// The fields of a form or a query, in order.
#[derive(Clone, Default, Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// From `application/x-www-form-urlencoded`.
    pub(crate) fn read(encoded: &[u8]) -> Self {
        Self(parse(encoded).take(MAX_FIELDS).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// A field's text; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// A field's text exactly as typed: for passwords, whose spaces count.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A field's value, if it is there and is one: for filters, where nonsense filters nothing.
    pub(crate) fn filter<V: FromStr>(&self, name: &str) -> Option<V> {
        self.get(name).parse().ok()
    }

    /// A text to search for, cut to what services take.
    pub(crate) fn search(&self, name: &str, longest: usize) -> Option<String> {
        let text: String = self.get(name).chars().take(longest).collect();
        (!text.is_empty()).then_some(text)
    }

    /// The cursor of a list.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        Some(self.get("cursor").to_owned()).filter(|text| !text.is_empty()).and_then(|text| text.try_into().ok())
    }

    /// Another value of a field.
    pub(crate) fn set(&mut self, name: &str, value: impl fmt::Display) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_string()));
    }

    /// One more value of a field.
    pub(crate) fn add(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    /// Every value of a field that is one.
    pub(crate) fn all<'a, V>(&'a self, name: &'a str, read: impl Fn(&str) -> Option<V> + 'a) -> Vec<V> {
        self.0.iter().filter(|(known, _)| known == name).filter_map(|(_, value)| read(value.trim())).collect()
    }

    /// This query with another value of a field, as a link; empty fields are left out.
    pub(crate) fn link(&self, path: &str, name: &str, value: impl fmt::Display) -> String {
        let mut other = self.clone();
        other.set(name, value);
        let mut query = Serializer::new(String::new());
        query.extend_pairs(other.0.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// The form's field; empty when the whole form is concerned.
    pub(crate) field: String,
    /// In the page's language.
    pub(crate) message: String,
}

/// A form being filled in: what was typed, and what is wrong with it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Entries {
    form: Form,
    /// How a service answered, if it refused.
    refused: Option<StatusCode>,
    /// Everything wrong, in the order of the fields.
    pub(crate) errors: Vec<FieldError>,
}

impl Entries {
    /// Of what was sent.
    pub(crate) fn of(form: &Form) -> Self {
        Self { form: form.clone(), ..Self::default() }
    }

    /// Whether something is wrong.
    pub(crate) fn failed(&self) -> bool {
        !self.errors.is_empty()
    }

    /// What the form is answered with.
    pub(crate) fn status(&self) -> StatusCode {
        match self.refused {
            _ if !self.failed() => StatusCode::OK,
            Some(StatusCode::BAD_REQUEST) | None => StatusCode::UNPROCESSABLE_ENTITY,
            Some(status) => status,
        }
    }

    /// What was typed.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.form.get(name)
    }

    /// Whether a choice was made.
    pub(crate) fn chosen(&self, name: &str, value: impl fmt::Display) -> bool {
        self.form.get(name) == value.to_string()
    }

    /// A value to begin with, unless something was typed.
    pub(crate) fn suggest(&mut self, name: &str, value: impl fmt::Display) {
        if self.form.get(name).is_empty() {
            self.form.set(name, value);
        }
    }

    /// What is wrong with a field.
    pub(crate) fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.field == name).map(|error| error.message.as_str())
    }

    /// Notes what is wrong.
    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Reads a field as `V`, or notes in the page's language what is wrong with it.
    pub(crate) fn take<V>(&mut self, t: T, name: &str) -> Option<V>
    where
        V: FromStr,
        V::Err: Said,
    {
        match self.form.get(name).parse() {
            Ok(value) => Some(value),
            Err(_) if self.form.get(name).is_empty() => {
                self.add(name, t.field_missing());
                None
            }
            Err(error) => {
                self.add(name, error.said(t));
                None
            }
        }
    }

    /// Reads an amount as people write it.
    pub(crate) fn take_amount(&mut self, t: T, name: &str, currency: Currency) -> Option<Amount> {
        match read_amount(self.form.get(name), currency) {
            Ok(amount) => Some(amount),
            Err(fault) => {
                self.add(name, fault.said(t));
                None
            }
        }
    }

    /// Shows a service's refusal in the form, where a person can mend it; hands back what belongs on a page of its own.
    /// `names` says which field of the form a field of the service is.
    pub(crate) fn refuse(&mut self, t: T, problem: Problem, names: &[(&str, &str)]) -> Result<(), Problem> {
        let elsewhere =
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR];
        if elsewhere.contains(&problem.status()) {
            return Err(problem);
        }
        self.refused = Some(problem.status());
        let name_of = |field: &str| {
            names
                .iter()
                .find(|(theirs, _)| *theirs == field)
                .map_or_else(|| field.to_owned(), |(_, ours)| (*ours).to_owned())
        };
        if problem.faults().is_empty() || problem.code() != "invalid-request" {
            let field = problem.faults().first().map(|fault| name_of(&fault.field)).unwrap_or_default();
            self.add(&field, t.problem(&problem));
        } else {
            for fault in problem.faults() {
                self.add(&name_of(&fault.field), t.fault(fault));
            }
        }
        Ok(())
    }
}

/// Why what was typed is not an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AmountFault {
    /// Nothing was typed.
    Missing,
    /// Not digits with separators.
    Unreadable,
    /// `1.234` may be a thousand or one and a bit.
    Ambiguous,
    /// Not money of the currency.
    Money(MoneyError),
}

/// Reads an amount with a comma or a point, spaces between groups, and the currency's sign or code around it.
pub(crate) fn read_amount(text: &str, currency: Currency) -> Result<Amount, AmountFault> {
    let text = text.trim().replace(['\u{a0}', '\u{202f}', '\u{2009}', '\t'], " ").replace('\u{2212}', "-");
    let text = strip_currency(&text, currency);
    if text.is_empty() {
        return Err(AmountFault::Missing);
    }
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest.trim_start()));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    if !digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b',' | b' ' | b'\'')) {
        return Err(AmountFault::Unreadable);
    }
    let (whole, decimals) = split_decimals(digits, currency)?;
    let whole = ungroup(whole).ok_or(AmountFault::Unreadable)?;
    let point = if decimals.is_empty() { "" } else { "." };
    let amount: Amount = format!("{sign}{whole}{point}{decimals}").parse().map_err(AmountFault::Money)?;
    amount.positive(currency).map_err(AmountFault::Money)?;
    Ok(amount)
}

fn strip_currency(text: &str, currency: Currency) -> &str {
    let sign = match currency {
        Currency::EUR => "€",
        Currency::GBP => "£",
        Currency::USD => "$",
        Currency::JPY => "¥",
        other => other.code(),
    };
    let mut rest = text.trim();
    for mark in [sign, currency.code()] {
        rest = rest.strip_prefix(mark).or_else(|| rest.strip_suffix(mark)).unwrap_or(rest).trim();
    }
    rest
}

/// The digits before and after the decimal separator.
fn split_decimals(digits: &str, currency: Currency) -> Result<(&str, &str), AmountFault> {
    let separators = digits.matches([',', '.']).count();
    let Some((whole, rest)) = digits.rsplit_once([',', '.']) else { return Ok((digits, "")) };
    let last = digits.as_bytes().get(whole.len()).copied().unwrap_or(b'.');
    let same = digits.bytes().filter(|c| *c == last).count();
    if same > 1 {
        // Twice the same: it can only separate groups.
        return if same == separators { Ok((digits, "")) } else { Err(AmountFault::Unreadable) };
    }
    if rest.is_empty() || !rest.bytes().all(|c| c.is_ascii_digit()) || whole.is_empty() {
        return Err(AmountFault::Unreadable);
    }
    let could_be_group = rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
    if separators == 1 && could_be_group && currency.exponent() != 3 {
        return Err(AmountFault::Ambiguous);
    }
    Ok((whole, rest))
}

/// Whole digits without their group separators, if the groups are of three.
fn ungroup(whole: &str) -> Option<String> {
    let groups: Vec<&str> = whole.split([' ', '.', ',', '\'']).collect();
    let one_kind = {
        let mut marks = whole.chars().filter(|c| !c.is_ascii_digit());
        let first = marks.next();
        marks.all(|mark| Some(mark) == first)
    };
    let (first, rest) = groups.split_first()?;
    let fits = if rest.is_empty() { !first.is_empty() } else { (1..=3).contains(&first.len()) };
    (one_kind && fits && rest.iter().all(|group| group.len() == 3)).then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn euros(text: &str) -> Result<String, AmountFault> {
        read_amount(text, Currency::EUR).map(|amount| amount.of(Currency::EUR).unwrap().amount().to_string())
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (typed, meant) in [
            ("12", "12.00"),
            ("12,5", "12.50"),
            ("12.50", "12.50"),
            (" 1 234,56 € ", "1234.56"),
            ("1\u{202f}234,56\u{a0}€", "1234.56"),
            ("€1,234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("1.234.567", "1234567.00"),
            ("1'234.50 EUR", "1234.50"),
            ("1234.5", "1234.50"),
            ("0,05", "0.05"),
        ] {
            assert_eq!(euros(typed).as_deref(), Ok(meant), "{typed}");
        }
    }

    #[test]
    fn an_amount_with_two_meanings_is_refused() {
        assert_eq!(euros("1.234"), Err(AmountFault::Ambiguous));
        assert_eq!(euros("12,345"), Err(AmountFault::Ambiguous));
        assert!(read_amount("1,234", Currency::TND).is_ok());
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        assert_eq!(euros(""), Err(AmountFault::Missing));
        assert_eq!(euros("€"), Err(AmountFault::Missing));
        assert_eq!(euros("0"), Err(AmountFault::Money(MoneyError::NotPositive)));
        assert_eq!(euros("-5"), Err(AmountFault::Money(MoneyError::NotPositive)));
        assert_eq!(euros("0,123"), Err(AmountFault::Money(MoneyError::TooManyDecimals(Currency::EUR))));
        for text in ["abc", "12,", ",5", "1e3", "1 23 4", "12 34,00", "1,234,56.7.8", "1.2,3.4", "$12", "1,2,3"] {
            assert_eq!(euros(text), Err(AmountFault::Unreadable), "{text}");
        }
    }

    #[test]
    fn a_link_keeps_the_other_filters_and_drops_empty_ones() {
        let form = Form::read(b"state=pending&kind=&cursor=old");
        assert_eq!(form.link("/requests", "cursor", "a b"), "/requests?state=pending&cursor=a+b");
        assert_eq!(form.link("/requests", "cursor", ""), "/requests?state=pending");
        assert_eq!(Form::default().link("/requests", "state", ""), "/requests");
    }
}
