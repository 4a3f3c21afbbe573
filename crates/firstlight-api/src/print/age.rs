//! How long ago, as kubectl says it: two units at most, coarser with age (`k8s.io/apimachinery/pkg/util/duration`).

use crate::time;
use firstlight_pod::Now;

/// `3m5s`, or `<unknown>` if the timestamp is missing.
#[must_use]
pub fn ago(timestamp: &str, now: Now) -> String {
    match time::read(timestamp) {
        Some(then) => human(signed_seconds(then, now)),
        None => "<unknown>".to_owned(),
    }
}

fn signed_seconds(then: Now, now: Now) -> i64 {
    let ms = i128::from(now.0) - i128::from(then.0);
    i64::try_from(ms / 1000).unwrap_or(i64::MAX)
}

/// A length of seconds for people. Clocks may disagree by a second; more than that into the future is invalid.
#[must_use]
pub fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_unit: char, small: i64, small_unit: char| match small {
        0 => format!("{big}{big_unit}"),
        small => format!("{big}{big_unit}{small}{small_unit}"),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, 'm', seconds % MINUTE, 's'),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, 'h', seconds % HOUR / MINUTE, 'm'),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, 'd', seconds % DAY / HOUR, 'h'),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, 'y', seconds % YEAR / DAY, 'd'),
        252_288_000.. => format!("{}y", seconds / YEAR),
    }
}
