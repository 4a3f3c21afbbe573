//! Quantities: `500m`, `1.5Gi`, `1e3`. Read exactly, written canonically.
//!
//! Source of the grammar and of the canonical form: `k8s.io/apimachinery/pkg/api/resource` (quantity.go). A value
//! is kept in billionths, the finest step Kubernetes has; finer ones are rounded away from zero, and magnitudes
//! above 2^63-1 units are capped, as upstream does.

use serde_json::Value;
use std::fmt;

/// One unit in billionths.
const UNIT: i128 = 1_000_000_000;
/// The largest magnitude: 2^63-1 units.
const MOST: i128 = (i64::MAX as i128) * UNIT;

/// An amount of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    /// In billionths of the unit.
    nano: i128,
    /// Which family of suffixes it was written with, and is written with.
    form: Form,
}

/// The family of suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `Ki`, `Mi`, ...: powers of 1024.
    Binary,
    /// `m`, `k`, `M`, ...: powers of 1000.
    Decimal,
    /// `e3`: powers of ten.
    Exponent,
}

/// The text is not a quantity. Displays as upstream's message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAQuantity;

impl fmt::Display for NotAQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    }
}

impl Quantity {
    /// Reads a quantity as JSON has it: text, or a bare number.
    ///
    /// # Errors
    /// If it is neither.
    pub fn of(value: &Value) -> Result<Quantity, NotAQuantity> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(number) => number.to_string().parse(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(NotAQuantity),
        }
    }

    /// In billionths of the unit, exactly.
    #[must_use]
    pub const fn nano(self) -> i128 {
        self.nano
    }

    /// In millionths of the unit, rounded away from zero.
    #[must_use]
    pub const fn micro(self) -> i128 {
        away(self.nano, 1_000)
    }

    /// In thousandths of the unit, rounded away from zero: CPU.
    #[must_use]
    pub const fn milli(self) -> i128 {
        away(self.nano, 1_000_000)
    }

    /// In units, rounded away from zero: bytes.
    #[must_use]
    pub const fn units(self) -> i128 {
        away(self.nano, UNIT)
    }
}

/// Divides, rounding away from zero.
const fn away(nano: i128, by: i128) -> i128 {
    let whole = nano / by;
    if nano % by == 0 {
        whole
    } else if nano < 0 {
        whole - 1
    } else {
        whole + 1
    }
}

impl std::str::FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Quantity, NotAQuantity> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or("")),
            Some(b'+') => (false, text.get(1..).unwrap_or("")),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(NotAQuantity);
        }
        let (form, scale) = scale(suffix).ok_or(NotAQuantity)?;
        let nano = scaled(whole, fraction, scale).min(MOST);
        Ok(Quantity { nano: if negative { -nano } else { nano }, form })
    }
}

/// What a suffix does to the number, in billionths: move the decimal point, then multiply.
#[derive(Clone, Copy)]
struct Scale {
    /// Places the point moves to the right.
    places: i64,
    /// Then times this.
    factor: i128,
}

fn scale(suffix: &str) -> Option<(Form, Scale)> {
    let decimal = |power: i64| Some((Form::Decimal, Scale { places: power + 9, factor: 1 }));
    let binary = |power: u32| Some((Form::Binary, Scale { places: 0, factor: 1024_i128.pow(power) * UNIT }));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let digits = suffix.strip_prefix(['e', 'E'])?;
            let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
            if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let power: i64 = digits.parse().ok()?;
            Some((Form::Exponent, Scale { places: power.saturating_add(9), factor: 1 }))
        }
    }
}

/// `whole.fraction` scaled to billionths, rounded up; `i128::MAX` if it does not fit.
fn scaled(whole: &str, fraction: &str, Scale { places, factor }: Scale) -> i128 {
    // Wider than any i128, so that a point moved further than this only ever means "nothing" or "too much".
    const WIDEST: i64 = 64;
    let digits: Vec<i128> = whole.bytes().chain(fraction.bytes()).map(|b| i128::from(b.wrapping_sub(b'0'))).collect();
    if digits.iter().all(|d| *d == 0) {
        return 0;
    }
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(places);
    let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    if point > count.saturating_add(WIDEST) {
        return i128::MAX;
    }
    if point < -WIDEST {
        return 1;
    }
    let before = usize::try_from(point).unwrap_or(0);
    let leading_zeros = usize::try_from(-point).unwrap_or(0);
    let appended_zeros = before.saturating_sub(digits.len());
    let units = digits
        .iter()
        .copied()
        .take(before)
        .chain(std::iter::repeat_n(0, appended_zeros))
        .fold(0_i128, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
    // From the last digit to the first, dropping remainders: floor((a + floor(y)) / 10) = floor((a + y) / 10), and a
    // remainder dropped anywhere means that the whole is not exact.
    let (below, inexact) = digits.iter().copied().skip(before).rev().chain(std::iter::repeat_n(0, leading_zeros)).fold(
        (0_i128, false),
        |(sum, inexact), digit| {
            let next = digit * factor + sum;
            (next / 10, inexact || next % 10 != 0)
        },
    );
    units.saturating_mul(factor).saturating_add(below).saturating_add(i128::from(inexact))
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let whole = self.nano % UNIT == 0;
        match self.form {
            Form::Binary if whole && (self.nano / UNIT).abs() >= 1024 => write_binary(f, self.nano / UNIT),
            Form::Binary | Form::Decimal => write_decimal(f, self.nano, decimal_suffix),
            Form::Exponent => write_decimal(f, self.nano, exponent_suffix),
        }
    }
}

fn write_binary(f: &mut fmt::Formatter<'_>, mut units: i128) -> fmt::Result {
    let mut power = 0_usize;
    while units % 1024 == 0 && power < 6 {
        units /= 1024;
        power += 1;
    }
    let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(power).copied().unwrap_or("");
    write!(f, "{units}{suffix}")
}

fn write_decimal(f: &mut fmt::Formatter<'_>, mut mantissa: i128, suffix: fn(i32) -> String) -> fmt::Result {
    let mut power = -9;
    while mantissa % 1000 == 0 && power < 18 {
        mantissa /= 1000;
        power += 3;
    }
    write!(f, "{mantissa}{}", suffix(power))
}

fn decimal_suffix(power: i32) -> String {
    match power {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
    .to_owned()
}

fn exponent_suffix(power: i32) -> String {
    if power == 0 { String::new() } else { format!("e{power}") }
}

#[cfg(test)]
mod tests;
