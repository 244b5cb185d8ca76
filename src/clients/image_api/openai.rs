//! The dialect `openai-images`: one call that answers with the pictures.
//!
//! `POST /v1/images/generations` of OpenAI's API reference, "Create image", as the many image APIs
//! that speak it understand it. What OpenAI's own models (`gpt-image-…`) do otherwise is done for
//! them: they know three sizes, and refuse `response_format` because they always answer base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::UpstreamError;
use super::request::{ImageRequest, ResultSource, Submitted};
use super::saas::{is_link, merged};

/// Sides are multiples of it, which diffusion models want.
const GRID: u32 = 16;

/// OpenAI's own models.
const OWN_MODELS: &str = "gpt-image";

#[derive(Serialize)]
struct Body<'a> {
    model: Option<&'a str>,
    prompt: &'a str,
    negative_prompt: Option<&'a str>,
    n: u32,
    size: String,
    /// Links keep answers small; base64 is understood as well, for image APIs that know no links.
    response_format: Option<&'static str>,
    /// Understood by image APIs that can start from a picture: its address or a data URI.
    image: Option<&'a str>,
    /// Always absent: the answer must be one JSON object.
    stream: Option<bool>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Vec<Picture<'a>>,
}

#[derive(Deserialize)]
struct Picture<'a> {
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    b64_json: Option<Cow<'a, str>>,
}

/// The body of a call. `model` is the one set for this upstream, and wins.
pub(super) fn body(request: &ImageRequest, model: Option<&str>) -> Vec<u8> {
    let model = model.or(request.model.as_deref());
    let is_own = model.is_some_and(|model| model.starts_with(OWN_MODELS));
    let named = Body {
        model,
        prompt: &request.prompt,
        negative_prompt: request.negative_prompt.as_deref(),
        n: request.sample_count,
        size: if is_own { own_size(request).to_owned() } else { size(request) },
        response_format: (!is_own).then_some("url"),
        image: request.input_image.as_deref().or(request.input_image_url.as_deref()),
        stream: None,
    };
    merged(&request.params, serde_json::to_value(named).unwrap_or_default())
}

/// Width and height of an aspect ratio; a square for `Auto` and for what is none.
fn ratio(request: &ImageRequest) -> (u32, u32) {
    let parts = request.aspect_ratio.split_once(':');
    let parsed = parts.and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parsed.filter(|(w, h)| (1..=100).contains(w) && (1..=100).contains(h)).unwrap_or((1, 1))
}

/// `1024x576`: the longer side is the resolution.
fn size(request: &ImageRequest) -> String {
    let (wide, high) = ratio(request);
    let long = match request.resolution.as_str() {
        "4K" => 4096,
        "2K" => 2048,
        _ => 1024,
    };
    let side = |part: u32| {
        let exact = long * part / wide.max(high);
        ((exact + GRID / 2) / GRID * GRID).max(GRID)
    };
    format!("{}x{}", side(wide), side(high))
}

/// The nearest of the sizes of OpenAI's own models.
fn own_size(request: &ImageRequest) -> &'static str {
    match ratio(request) {
        _ if request.aspect_ratio == "Auto" => "auto",
        (wide, high) if wide > high => "1536x1024",
        (wide, high) if wide < high => "1024x1536",
        _ => "1024x1024",
    }
}

/// Reads the answer. Takes long for base64: some 100 ms for ten large pictures.
pub(super) fn done(body: &[u8]) -> Result<Submitted, UpstreamError> {
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| UpstreamError::garbled("it has no pictures"))?;
    let sources: Option<Vec<ResultSource>> = answer.data.iter().map(source).collect();
    match sources {
        Some(sources) if !sources.is_empty() => Ok(Submitted::Done(sources)),
        _ => Err(UpstreamError::garbled("a picture is neither a link nor base64")),
    }
}

fn source(picture: &Picture<'_>) -> Option<ResultSource> {
    if let Some(text) = picture.b64_json.as_deref().filter(|text| !text.is_empty()) {
        return STANDARD.decode(text).ok().map(ResultSource::Bytes);
    }
    let url = picture.url.as_deref().filter(|url| is_link(url))?;
    Some(ResultSource::Url(url.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::request::tests::plain;
    use super::*;

    fn sent(request: &ImageRequest, model: Option<&str>) -> Value {
        serde_json::from_slice(&body(request, model)).unwrap()
    }

    #[test]
    fn the_body_is_openais() {
        assert_eq!(
            sent(&plain(), Some("m")),
            json!({ "model": "m", "prompt": "水墨画", "n": 2, "size": "2048x1152",
                    "response_format": "url" })
        );
        let own = sent(&plain(), Some("gpt-image-1"));
        assert_eq!(own["size"], "1536x1024");
        assert_eq!(own.get("response_format"), None);
    }

    #[test]
    fn sizes_follow_resolution_and_aspect_ratio() {
        let size = |resolution: &str, aspect: &str| {
            size(&ImageRequest {
                resolution: resolution.to_owned(),
                aspect_ratio: aspect.to_owned(),
                ..plain()
            })
        };
        assert_eq!(size("1K", "Auto"), "1024x1024");
        assert_eq!(size("1K", "21:9"), "1024x432");
        assert_eq!(size("4K", "9:16"), "2304x4096");
        assert_eq!(size("2K", "3:2"), "2048x1360");
        assert_eq!(size("2K", "0:0"), "2048x2048");
    }

    #[test]
    fn params_never_override_nor_stream() {
        let mut request = plain();
        request.params =
            serde_json::from_value(json!({ "n": 10, "stream": true, "size": "1x1", "seed": 3 }))
                .unwrap();
        let sent = sent(&request, None);
        assert_eq!((&sent["n"], &sent["seed"]), (&json!(2), &json!(3)));
        assert_eq!((&sent["size"], sent.get("stream")), (&json!("2048x1152"), None));
    }

    #[test]
    fn links_and_base64_are_understood() {
        let good = json!({ "created": 1, "data": [
            { "url": "https://x/1" }, { "b64_json": "iVBOR\u{77}==", "url": null },
        ]});
        let Submitted::Done(sources) = done(good.to_string().as_bytes()).unwrap() else {
            panic!("it is done")
        };
        assert_eq!(sources[0], ResultSource::Url("https://x/1".to_owned()));
        assert_eq!(sources[1], ResultSource::Bytes(b"\x89PNG".to_vec()));
    }

    #[test]
    fn garbage_is_no_picture() {
        for bad in [
            json!({ "data": [] }),
            json!({ "data": [{}] }),
            json!({ "data": [{ "b64_json": "%%%" }] }),
            json!({ "data": [{ "url": "ftp://x/1" }] }),
            json!({ "data": [{ "url": "https://x/1" }, {}] }),
            json!({ "data": { "url": "https://x/1" } }),
            json!({}),
            json!("x"),
        ] {
            assert!(done(bad.to_string().as_bytes()).is_err(), "{bad}");
        }
        assert!(done(b"<html>").is_err());
    }
}
