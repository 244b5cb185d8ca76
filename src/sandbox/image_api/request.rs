//! What a picture is asked for with, read and checked the way the Image SaaS API does.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Most pictures of one job.
pub(super) const MAX_SAMPLES: u32 = 10;
/// Longest prompt in characters.
const MAX_PROMPT: usize = 4000;

const ASPECTS: [(&str, u32, u32); 11] = [
    ("Auto", 1, 1),
    ("1:1", 1, 1),
    ("9:16", 9, 16),
    ("16:9", 16, 9),
    ("3:4", 3, 4),
    ("4:3", 4, 3),
    ("3:2", 3, 2),
    ("2:3", 2, 3),
    ("5:4", 5, 4),
    ("4:5", 4, 5),
    ("21:9", 21, 9),
];

/// A checked request for pictures.
#[derive(Clone, Debug)]
pub struct PictureRequest {
    /// Trimmed.
    pub prompt: String,
    /// `draft` or `final`.
    pub mode: String,
    /// As asked for.
    pub model: Option<String>,
    /// `1K`, `2K`, `4K`; or the `size` of the other dialect.
    pub resolution: String,
    /// `Auto`, `16:9`, …
    pub aspect_ratio: String,
    /// Number of pictures.
    pub samples: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Of the negative prompt and the input image, so that they change the picture.
    pub(super) salt: [u8; 32],
}

/// Reads the body of `POST /v1/images/generate`; an error is the text for `INVALID_REQUEST`.
pub(super) fn parse(body: &Value) -> Result<PictureRequest, String> {
    let prompt = prompt(body)?;
    let mode = text(body, "mode", "final")?;
    if !["draft", "final"].contains(&mode.as_str()) {
        return Err("mode must be draft or final".to_owned());
    }
    let resolution = text(body, "resolution", "1K")?;
    let side = match resolution.as_str() {
        "1K" => 1024,
        "2K" => 2048,
        "4K" => 4096,
        _ => return Err("resolution must be 1K, 2K or 4K".to_owned()),
    };
    let aspect_ratio = text(body, "aspectRatio", "Auto")?;
    let (_, wide, high) = ASPECTS
        .into_iter()
        .find(|(name, _, _)| *name == aspect_ratio)
        .ok_or("aspectRatio must be Auto, 1:1, 9:16, 16:9, 3:4, 4:3, 3:2, 2:3, 5:4, 4:5 or 21:9")?;
    let long = wide.max(high);
    let samples = samples(body, "sampleCount")?;
    let negative = text(body, "negativePrompt", "")?;
    let url = text(body, "inputImageUrl", "")?;
    let image = text(body, "inputImage", "")?;
    Ok(PictureRequest {
        prompt,
        mode,
        model: body["model"].as_str().map(str::to_owned),
        resolution,
        aspect_ratio,
        samples,
        width: side * wide / long,
        height: side * high / long,
        salt: Sha256::digest(format!("{negative}\0{url}\0{image}")).into(),
    })
}

/// Reads the body of `POST /v1/images/generations`.
pub(super) fn parse_openai(body: &Value) -> Result<PictureRequest, String> {
    let prompt = prompt(body)?;
    let samples = samples(body, "n")?;
    let size = text(body, "size", "auto")?;
    let (width, height) = if size == "auto" {
        (1024, 1024)
    } else {
        size.split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
            .filter(|(width, height)| (64..=4096).contains(width) && (64..=4096).contains(height))
            .ok_or("size must be auto or like 1024x1024")?
    };
    Ok(PictureRequest {
        prompt,
        mode: "final".to_owned(),
        model: body["model"].as_str().map(str::to_owned),
        resolution: size,
        aspect_ratio: "Auto".to_owned(),
        samples,
        width,
        height,
        salt: [0; 32],
    })
}

fn prompt(body: &Value) -> Result<String, String> {
    let prompt = body["prompt"].as_str().ok_or("prompt is required")?.trim();
    match prompt.chars().count() {
        0 => Err("prompt is required".to_owned()),
        1..=MAX_PROMPT => Ok(prompt.to_owned()),
        _ => Err(format!("prompt must not exceed {MAX_PROMPT} characters")),
    }
}

fn text(body: &Value, name: &str, default: &str) -> Result<String, String> {
    match &body[name] {
        Value::Null => Ok(default.to_owned()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("{name} must be a string")),
    }
}

fn samples(body: &Value, name: &str) -> Result<u32, String> {
    if body[name].is_null() {
        return Ok(1);
    }
    let count = body[name].as_u64().and_then(|count| u32::try_from(count).ok());
    count
        .filter(|count| (1..=MAX_SAMPLES).contains(count))
        .ok_or_else(|| format!("{name} must be a number from 1 to {MAX_SAMPLES}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_long_side_is_the_resolution() {
        let size = |resolution: &str, aspect: &str| {
            let body = json!({ "prompt": "a", "resolution": resolution, "aspectRatio": aspect });
            parse(&body).map(|request| (request.width, request.height))
        };
        assert_eq!(size("1K", "Auto"), Ok((1024, 1024)));
        assert_eq!(size("2K", "16:9"), Ok((2048, 1152)));
        assert_eq!(size("4K", "9:16"), Ok((2304, 4096)));
        assert!(size("8K", "1:1").is_err());
        assert!(size("1K", "7:5").is_err());
    }

    #[test]
    fn what_is_refused_names_the_field() {
        for (body, field) in [
            (json!({}), "prompt"),
            (json!({ "prompt": "  " }), "prompt"),
            (json!({ "prompt": 7 }), "prompt"),
            (json!({ "prompt": "字".repeat(4001) }), "prompt"),
            (json!({ "prompt": "a", "mode": "best" }), "mode"),
            (json!({ "prompt": "a", "sampleCount": 11 }), "sampleCount"),
            (json!({ "prompt": "a", "sampleCount": "2" }), "sampleCount"),
            (json!({ "prompt": "a", "resolution": 1 }), "resolution"),
        ] {
            assert!(parse(&body).unwrap_err().contains(field), "{body}");
        }
        assert!(parse(&json!({ "prompt": "字".repeat(4000), "unknown": [] })).is_ok());
    }

    #[test]
    fn openai_sizes() {
        let size = |size: &str| {
            parse_openai(&json!({ "prompt": "a", "size": size }))
                .map(|request| (request.width, request.height))
        };
        assert_eq!(size("1536x1024"), Ok((1536, 1024)));
        assert_eq!(size("auto"), Ok((1024, 1024)));
        assert!(size("99999x1").is_err());
        assert!(size("big").is_err());
    }
}
