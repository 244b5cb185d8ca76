//! Points in time as they are stored and sent.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::{self, TimeZone};
use jiff::{Span, Timestamp};

/// Milliseconds since 1970-01-01T00:00:00Z: how every time is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// `seconds` later; saturates at the ends of `i64`.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// `millis` later; saturates at the ends of `i64`.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Whole seconds since 1970, as tokens carry them.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// RFC 3339 in UTC with milliseconds, as the API answers it: `2026-01-29T12:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        self.to_string()
    }

    /// The same of Asia/Shanghai, as WeChat writes it: `2026-01-29T20:00:00.000+08:00`.
    pub fn rfc3339_shanghai(self) -> String {
        let there = self.timestamp().to_zoned(TimeZone::fixed(tz::offset(8)));
        there.strftime("%Y-%m-%dT%H:%M:%S.%3f+08:00").to_string()
    }

    /// The calendar day in Asia/Shanghai (UTC+8, no daylight saving), which quotas and check-ins go by.
    pub fn shanghai_date(self) -> Date {
        self.timestamp().to_zoned(TimeZone::fixed(tz::offset(8))).date()
    }

    /// `months` calendar months later in Asia/Shanghai, at the same time of day; in a month that has no
    /// such day, on its last one. Saturates at the end of the calendar.
    pub fn plus_shanghai_months(self, months: i64) -> Self {
        let here = self.timestamp().to_zoned(TimeZone::fixed(tz::offset(8)));
        let span = Span::new().try_months(months);
        let later = span.and_then(|span| here.checked_add(span)).map(|zoned| zoned.timestamp());
        Self(later.unwrap_or(Timestamp::MAX).as_millisecond())
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_format_has_milliseconds_and_a_z() {
        assert_eq!(UnixMillis(1_769_688_000_000).rfc3339(), "2026-01-29T12:00:00.000Z");
        assert_eq!(UnixMillis(1_769_688_000_007).rfc3339(), "2026-01-29T12:00:00.007Z");
        let there = UnixMillis(1_769_688_000_007).rfc3339_shanghai();
        assert_eq!(there, "2026-01-29T20:00:00.007+08:00");
    }

    #[test]
    fn a_month_later_is_the_same_day_or_the_last() {
        // 2026-01-31T00:30 in Shanghai, when it is the 30th in UTC.
        let start = UnixMillis(1_769_790_600_000);
        let days = [1, 2, 12, 25].map(|months| start.plus_shanghai_months(months).to_string());
        let at = |day| format!("{day}T16:30:00.000Z");
        assert_eq!(days, ["2026-02-27", "2026-03-30", "2027-01-30", "2028-02-28"].map(at));
        assert!(start.plus_shanghai_months(i64::MAX) > start);
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai() {
        let before = UnixMillis(1_769_702_399_999);
        assert_eq!(before.shanghai_date().to_string(), "2026-01-29");
        assert_eq!(before.plus_millis(1).shanghai_date().to_string(), "2026-01-30");
    }
}
