//! Times as WeChat writes and reads them: in Beijing, eight hours ahead of UTC.

use jiff::civil::Date;
use jiff::tz::{self, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::base::time::UnixMillis;

fn zoned(at: UnixMillis) -> Zoned {
    let timestamp = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(TimeZone::fixed(tz::offset(8)))
}

/// `2025-10-09T17:23:20+08:00`.
pub(super) fn rfc3339(at: UnixMillis) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `2025-10-09 17:23:20`, as bills write it.
pub(super) fn plain(at: UnixMillis) -> String {
    zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `20251009172320`.
pub(super) fn digits(at: UnixMillis) -> String {
    zoned(at).strftime("%Y%m%d%H%M%S").to_string()
}

/// `20251009`.
pub(super) fn day(at: UnixMillis) -> String {
    zoned(at).strftime("%Y%m%d").to_string()
}

/// The calendar day.
pub(super) fn date(at: UnixMillis) -> Date {
    zoned(at).date()
}

/// The hour of the day.
pub(super) fn hour(at: UnixMillis) -> i8 {
    zoned(at).hour()
}

/// A time with `T` and an offset. `None` is malformed.
pub(super) fn parse(text: &str) -> Option<UnixMillis> {
    let is_shaped = text.len() >= 20 && text.as_bytes()[10] == b'T' && !text.contains('[');
    let timestamp = text.parse::<Timestamp>().ok().filter(|_| is_shaped)?;
    Some(UnixMillis(timestamp.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_beijing_s_and_come_back() {
        let at = UnixMillis(1_760_000_000_000);
        assert_eq!(rfc3339(at), "2025-10-09T16:53:20+08:00");
        assert_eq!(plain(at), "2025-10-09 16:53:20");
        assert_eq!((digits(at), day(at)), ("20251009165320".into(), "20251009".into()));
        assert_eq!((date(at).to_string(), hour(at)), ("2025-10-09".into(), 16));
        assert_eq!(parse("2025-10-09T16:53:20+08:00"), Some(at));
        assert_eq!(parse("2025-10-09T08:53:20Z"), Some(at));
        for wrong in ["", "2025-10-09", "2025-10-09 16:53:20+08:00", "2025-10-09T16:53:20"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
