//! Money: whole minor units of one currency, never a float.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::json_schema;

macro_rules! currencies {
    ($($code:ident $exponent:literal),+ $(,)?) => {
        /// A currency of ISO 4217 that a bank can hold accounts in.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the codes of ISO 4217 are their own names")]
        pub enum Currency { $($code),+ }

        impl Currency {
            /// Every currency, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The three-letter code of ISO 4217.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),+ }
            }

            /// How many decimals its minor unit has (ISO 4217 "exponent"): 2 for the euro, 0 for the yen.
            pub const fn exponent(self) -> u8 {
                match self { $(Self::$code => $exponent),+ }
            }
        }
    };
}

currencies! {
    AUD 2, BIF 0, BRL 2, CAD 2, CDF 2, CHF 2, CNY 2, CZK 2, DKK 2, DZD 2, EUR 2, GBP 2, HTG 2, HUF 2, INR 2, JOD 3,
    JPY 0, KES 2, KMF 0, KRW 0, KWD 3, MAD 2, MGA 2, MUR 2, MXN 2, NGN 2, NOK 2, NZD 2, PLN 2, RON 2, RWF 0, SEK 2,
    SGD 2, TND 3, TRY 2, UGX 0, USD 2, XAF 0, XOF 0, XPF 0, ZAR 2,
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|currency| currency.code() == text).ok_or(MoneyError::UnknownCurrency)
    }
}

crate::written_as_text!(
    Currency,
    "Currency",
    "a currency code such as \"EUR\"",
    json_schema!({ "type": "string", "description": "ISO 4217 code", "enum": Currency::ALL })
);

/// Why an amount or a sum is not money. The texts complete "`amount` …".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// Not digits with at most one point.
    #[error("is not an amount: write digits and a point, such as \"12.34\"")]
    NotAnAmount,
    /// More than [`Amount::MAX_INTEGER_DIGITS`] before the point.
    #[error("is too large: at most {} digits before the point", Amount::MAX_INTEGER_DIGITS)]
    TooLarge,
    /// More decimals than the currency has.
    #[error("has more decimals than {0} has ({n})", n = .0.exponent())]
    TooManyDecimals(Currency),
    /// Zero or less, where something must move.
    #[error("must be more than zero")]
    NotPositive,
    /// A code that is not in [`Currency::ALL`].
    #[error("is not a currency of this bank: write an ISO 4217 code such as \"EUR\"")]
    UnknownCurrency,
    /// A sum over two currencies.
    #[error("mixes {0} and {1}")]
    Mixed(Currency, Currency),
    /// A sum outside what 64 bits hold.
    #[error("goes beyond what an account can hold")]
    Overflow,
}

/// A sum in whole minor units (cents) of a currency; may be negative. Arithmetic is checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Whole minor units, as databases store it.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum, if both are of one currency and it fits.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// The difference, if both are of one currency and it fits.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.plus(other.negated()?)
    }

    /// The same sum the other way round.
    pub fn negated(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// As a decimal string of its currency's length: `-12.30`.
    pub fn amount(self) -> Amount {
        Amount { digits: self.minor, scale: self.currency.exponent() }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A decimal number as it is written, before it is known to fit a currency: `"12.34"`. JSON carries it as a string.
#[derive(Clone, Copy)]
pub struct Amount {
    digits: i64,
    scale: u8,
}

impl Amount {
    /// Most digits before the point in a request.
    pub const MAX_INTEGER_DIGITS: usize = 12;
    const MAX_DECIMALS: usize = 4;

    /// As money of `currency`: exact, or an error. `12.3` and `12.30` are the same euros; `12.345` is none.
    pub fn of(self, currency: Currency) -> Result<Money, MoneyError> {
        let exponent = currency.exponent();
        let minor = match self.scale.cmp(&exponent) {
            Ordering::Equal => self.digits,
            Ordering::Less => power_of_ten(exponent.saturating_sub(self.scale))
                .and_then(|factor| self.digits.checked_mul(factor))
                .ok_or(MoneyError::TooLarge)?,
            Ordering::Greater => {
                let divisor = power_of_ten(self.scale.saturating_sub(exponent)).ok_or(MoneyError::NotAnAmount)?;
                if self.digits.checked_rem(divisor) != Some(0) {
                    return Err(MoneyError::TooManyDecimals(currency));
                }
                self.digits.checked_div(divisor).ok_or(MoneyError::NotAnAmount)?
            }
        };
        Ok(Money { minor, currency })
    }

    /// As money of `currency` that can move: exact and more than zero.
    pub fn positive(self, currency: Currency) -> Result<Money, MoneyError> {
        let money = self.of(currency)?;
        if money.minor > 0 { Ok(money) } else { Err(MoneyError::NotPositive) }
    }

    /// Less than zero.
    pub const fn is_negative(self) -> bool {
        self.digits < 0
    }
}

fn power_of_ten(exponent: u8) -> Option<i64> {
    10_i64.checked_pow(u32::from(exponent))
}

/// Two amounts are equal when they are the same number: `12.3` = `12.30`.
impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        let scaled = |it: &Self, to: u8| {
            power_of_ten(to.saturating_sub(it.scale)).map(|f| i128::from(it.digits).saturating_mul(i128::from(f)))
        };
        let scale = self.scale.max(other.scale);
        scaled(self, scale) == scaled(other, scale)
    }
}

impl Eq for Amount {}

impl FromStr for Amount {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(decimals) || unsigned.ends_with('.') {
            return Err(MoneyError::NotAnAmount);
        }
        if whole.trim_start_matches('0').len() > Self::MAX_INTEGER_DIGITS {
            return Err(MoneyError::TooLarge);
        }
        // Zeros at the end say nothing; digits beyond the longest currency do, and are refused with the currency.
        let decimals = decimals.trim_end_matches('0');
        let kept = decimals.get(..Self::MAX_DECIMALS.min(decimals.len())).unwrap_or(decimals);
        let kept = if decimals.len() > kept.len() { format!("{}1", kept.get(..3).unwrap_or("")) } else { kept.into() };
        let sign = if text.starts_with('-') { "-" } else { "" };
        let digits = format!("{sign}{whole}{kept}").parse().map_err(|_| MoneyError::TooLarge)?;
        Ok(Self { digits, scale: u8::try_from(kept.len()).map_err(|_| MoneyError::NotAnAmount)? })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = usize::from(self.scale).saturating_add(1);
        let digits = format!("{:0width$}", self.digits.unsigned_abs());
        let (whole, decimals) = digits.split_at(digits.len().saturating_sub(usize::from(self.scale)));
        let sign = if self.digits < 0 { "-" } else { "" };
        let point = if self.scale == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{decimals}")
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

crate::written_as_text!(
    Amount,
    "Amount",
    "a decimal string such as \"12.34\"",
    json_schema!({ "type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]+)?$", "examples": ["12.34"] })
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_fits_its_currency_exactly_or_not_at_all() {
        let of = |text: &str, currency| text.parse::<Amount>().unwrap().positive(currency);
        assert_eq!(of("12.3", Currency::EUR), Ok(Money::new(1230, Currency::EUR)));
        assert_eq!(of("12.340", Currency::EUR), Ok(Money::new(1234, Currency::EUR)));
        assert_eq!(of("12.345", Currency::EUR), Err(MoneyError::TooManyDecimals(Currency::EUR)));
        assert_eq!(of("12.34000001", Currency::EUR), Err(MoneyError::TooManyDecimals(Currency::EUR)));
        assert_eq!(of("0.00000000000000000001", Currency::EUR), Err(MoneyError::TooManyDecimals(Currency::EUR)));
        assert_eq!(of("12.345", Currency::TND), Ok(Money::new(12_345, Currency::TND)));
        assert_eq!(of("12.5", Currency::JPY), Err(MoneyError::TooManyDecimals(Currency::JPY)));
        assert_eq!(of("0.00", Currency::EUR), Err(MoneyError::NotPositive));
        assert_eq!(of("-1", Currency::EUR), Err(MoneyError::NotPositive));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "+1", "1e3", "1,5", "١", "0x1", " 1", "1 ", "--1", "1.2.3", "NaN", "1_000"] {
            assert_eq!(text.parse::<Amount>(), Err(MoneyError::NotAnAmount), "{text:?}");
        }
        assert_eq!("1000000000000000000000000000000".parse::<Amount>(), Err(MoneyError::TooLarge));
        assert!(serde_json::from_str::<Amount>("12.5").unwrap_err().to_string().contains("expected a decimal string"));
    }

    #[test]
    fn sums_are_checked() {
        let euro = |minor| Money::new(minor, Currency::EUR);
        assert_eq!(euro(i64::MAX).plus(euro(1)), Err(MoneyError::Overflow));
        assert_eq!(euro(i64::MIN).negated(), Err(MoneyError::Overflow));
        assert_eq!(euro(1).minus(Money::new(1, Currency::USD)), Err(MoneyError::Mixed(Currency::EUR, Currency::USD)));
    }

    proptest! {
        #[test]
        fn money_survives_being_written_and_read(minor in -99_999_999_999_999_i64..99_999_999_999_999, which in 0..Currency::ALL.len()) {
            let currency = Currency::ALL[which];
            let money = Money::new(minor / 1000, currency);
            prop_assert_eq!(money.amount().to_string().parse::<Amount>().unwrap().of(currency), Ok(money));
        }
    }
}
