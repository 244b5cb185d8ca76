//! What the body of a call asks for, as far as it is priced.

use serde::Deserialize;

use crate::features::generations::Pictures;
use crate::features::proxy::model::ProxyError;
use crate::features::settings::{Mode, Resolution};

/// The most pictures that a price is made for. The image API's own limit is its own affair.
const COUNT_MAX: u32 = 1000;

/// The members that a price depends on. Each may be there once: of two, the image API might take the
/// other one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Priced {
    mode: Option<String>,
    resolution: Option<String>,
    sample_count: Option<u32>,
    /// What the dialect `openai-images` calls the count.
    n: Option<u32>,
}

/// Reads the body of a generation: `mode` (`final` when absent), `resolution` (`1K`), and the larger of
/// `sampleCount` and `n` (1). A text that we do not know costs what the dearest does.
///
/// # Errors
/// `Invalid`, naming the member whose price cannot be told: of another type, out of range, or there
/// twice.
pub(in crate::features::proxy) fn wanted(body: &[u8]) -> Result<Pictures, ProxyError> {
    let priced: Priced = serde_json::from_slice(body).map_err(|_| blame(body))?;
    let mode = match priced.mode.as_deref() {
        Some("draft") => Mode::Draft,
        Some(_) | None => Mode::Final,
    };
    let resolution = match priced.resolution.as_deref().map(str::trim) {
        None => Resolution::K1,
        Some(name) if name.eq_ignore_ascii_case("1K") => Resolution::K1,
        Some(name) if name.eq_ignore_ascii_case("2K") => Resolution::K2,
        Some(_) => Resolution::K4,
    };
    let count = priced.sample_count.max(priced.n).unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        let is_n = priced.n == Some(count);
        return Err(ProxyError::Invalid(if is_n { "n" } else { "sampleCount" }));
    }
    Ok(Pictures { mode, resolution, count })
}

/// The first member that is wrong by itself; `body` when each one is right and one of them is double.
fn blame(body: &[u8]) -> ProxyError {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let is_text = |name: &str| json[name].is_null() || json[name].is_string();
    let is_count =
        |name: &str| json[name].is_null() || json[name].as_u64().is_some_and(|n| n < 1 << 32);
    let wrong = match () {
        () if !is_text("mode") => "mode",
        () if !is_text("resolution") => "resolution",
        () if !is_count("sampleCount") => "sampleCount",
        () if !is_count("n") => "n",
        () => "body",
    };
    ProxyError::Invalid(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(Mode, Resolution, u32), &'static str> {
        match wanted(body.as_bytes()) {
            Ok(Pictures { mode, resolution, count }) => Ok((mode, resolution, count)),
            Err(ProxyError::Invalid(field)) => Err(field),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_not_said_is_one_final_picture_of_1k() {
        let usual = Ok((Mode::Final, Resolution::K1, 1));
        assert_eq!(read("{}"), usual);
        assert_eq!(read(r#"{"mode":null,"resolution":null,"sampleCount":null,"n":null}"#), usual);
        assert_eq!(read(r#"{"prompt":"a","size":"1024x1024","x":[1,{"n":7}]}"#), usual);
    }

    #[test]
    fn what_is_said_is_priced() {
        let body = r#"{"mode":"draft","resolution":"2K","sampleCount":4}"#;
        assert_eq!(read(body), Ok((Mode::Draft, Resolution::K2, 4)));
        assert_eq!(read(r#"{"n":3}"#), Ok((Mode::Final, Resolution::K1, 3)));
        assert_eq!(read(r#"{"n":3,"sampleCount":1}"#), Ok((Mode::Final, Resolution::K1, 3)));
        assert_eq!(read(r#"{"n":1,"sampleCount":2}"#), Ok((Mode::Final, Resolution::K1, 2)));
    }

    #[test]
    fn what_is_not_known_costs_what_the_dearest_does() {
        assert_eq!(read(r#"{"mode":"DRAFT"}"#), Ok((Mode::Final, Resolution::K1, 1)));
        assert_eq!(read(r#"{"resolution":"8K"}"#), Ok((Mode::Final, Resolution::K4, 1)));
        assert_eq!(read(r#"{"resolution":" 4k"}"#), Ok((Mode::Final, Resolution::K4, 1)));
        assert_eq!(read(r#"{"resolution":"2k"}"#), Ok((Mode::Final, Resolution::K2, 1)));
    }

    #[test]
    fn what_cannot_be_priced_is_named() {
        for (body, field) in [
            (r#"{"mode":1}"#, "mode"),
            (r#"{"resolution":4096}"#, "resolution"),
            (r#"{"sampleCount":"10"}"#, "sampleCount"),
            (r#"{"sampleCount":1.5}"#, "sampleCount"),
            (r#"{"sampleCount":-1}"#, "sampleCount"),
            (r#"{"sampleCount":0}"#, "sampleCount"),
            (r#"{"sampleCount":1001}"#, "sampleCount"),
            (r#"{"n":0}"#, "n"),
            (r#"{"n":99999999999}"#, "n"),
            (r#"{"n":true}"#, "n"),
            (r#"{"n":10,"n":1}"#, "body"),
            (r#"{"mode":"final","mode":"draft"}"#, "body"),
        ] {
            assert_eq!(read(body), Err(field), "{body}");
        }
    }
}
