//! Instants as the API writes them: RFC 3339, UTC, whole seconds (STA-16).

pub use firstlight_pod::Now;
use jiff::Timestamp;

/// The last instant RFC 3339 can name, 9999-12-31T23:59:59Z, in milliseconds; later ones are written as this one.
const LAST_MS: u64 = 253_402_300_799_000;

/// `2026-11-20T11:02:03Z`; fractions of a second are dropped.
#[must_use]
pub fn write(at: Now) -> String {
    let ms = i64::try_from(at.0.min(LAST_MS)).unwrap_or(0);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads what [`write()`] wrote, and any other RFC 3339 time (`MicroTime` has fractions, clients may use offsets).
/// `None` if it is not one; times before 1970 are 1970.
#[must_use]
pub fn read(text: &str) -> Option<Now> {
    let at: Timestamp = text.parse().ok()?;
    Some(Now(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}
