//! What lists and changes of all areas take and answer alike.

use jiff::civil::Date;
use poem_openapi::Object;

use crate::base::time::UnixMillis;
use crate::features::users::VipLevel;
use crate::http::{ApiError, PageQuery};

/// Milliseconds from midnight in Asia/Shanghai to midnight UTC.
const SHANGHAI_MS: i64 = 8 * 3_600_000;

/// The part of a list that is asked for, sorted by `N` integers.
///
/// # Errors
/// `INVALID_REQUEST` naming the parameter.
pub(super) fn part<const N: usize>(
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<PageQuery<N>, ApiError> {
    PageQuery::new(limit, cursor, None)
}

/// A time as a parameter: RFC 3339, or a day, which begins at midnight in Asia/Shanghai.
///
/// # Errors
/// `INVALID_REQUEST` naming the parameter.
pub(super) fn time(name: &str, value: Option<&str>) -> Result<Option<UnixMillis>, ApiError> {
    let Some(text) = value.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Some(UnixMillis(at.as_millisecond())));
    }
    match text.parse::<Date>() {
        Ok(day) => Ok(Some(start_of(day))),
        Err(_) => Err(ApiError::invalid_field(name)),
    }
}

/// A day as a parameter: `2026-01-29`.
///
/// # Errors
/// `INVALID_REQUEST` naming the parameter.
pub(super) fn day(name: &str, text: &str) -> Result<Date, ApiError> {
    text.parse().map_err(|_| ApiError::invalid_field(name))
}

/// A first and a last day, both counting, of so many at most.
///
/// # Errors
/// `INVALID_REQUEST` naming the parameter.
pub(super) fn days(from: &str, to: &str, most: i32) -> Result<(Date, Date), ApiError> {
    let (first, last) = (day("from", from)?, day("to", to)?);
    let days = first.until(last).map_or(-1, |span| span.get_days());
    if (0..most).contains(&days) { Ok((first, last)) } else { Err(ApiError::invalid_field("to")) }
}

/// Midnight in Asia/Shanghai.
pub(super) fn start_of(day: Date) -> UnixMillis {
    let utc = day.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |at| at.timestamp().as_millisecond());
    UnixMillis(utc.saturating_sub(SHANGHAI_MS))
}

/// A time as it is sent.
pub(super) fn shown(at: Option<UnixMillis>) -> Option<String> {
    at.map(UnixMillis::rfc3339)
}

/// A level as it is sent.
pub(super) fn level_name(level: VipLevel) -> &'static str {
    match level {
        VipLevel::Normal => "NORMAL",
        VipLevel::Vip => "VIP",
        VipLevel::Svip => "SVIP",
    }
}

/// A change that needs a reason, for the audit log.
#[derive(Debug, Object)]
pub(super) struct ReasonRequest {
    /// Why; 1–200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub(super) reason: String,
}

impl ReasonRequest {
    /// The reason, trimmed.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when it says nothing.
    pub(super) fn reason(&self) -> Result<String, ApiError> {
        said("reason", &self.reason)
    }
}

/// A text that must say something, trimmed.
///
/// # Errors
/// `INVALID_REQUEST` naming the field.
pub(super) fn said(name: &str, text: &str) -> Result<String, ApiError> {
    match text.trim() {
        "" => Err(ApiError::invalid_field(name)),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_the_beginning_of_a_day_in_shanghai() {
        let ms = |text| time("from", Some(text)).unwrap().map(|at| at.0);
        assert_eq!(ms("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(ms("1970-01-01T08:00:01+08:00"), Some(1000));
        assert_eq!(ms("1970-01-02"), Some(16 * 3_600_000));
        assert_eq!(ms(" "), None);
        assert!(time("from", Some("yesterday")).is_err());
    }
}
