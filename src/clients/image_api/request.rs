//! What jobs and image APIs say to each other, free of any dialect.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The language of an image API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Jobs that are submitted and asked about until they end.
    ImageSaas,
    /// One call that answers with the pictures, 10–120 s later.
    OpenaiImages,
}

impl Dialect {
    /// As settings name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageSaas => "image-saas",
            Self::OpenaiImages => "openai-images",
        }
    }
}

/// What a generation asks of an image API. Stored as JSON with the job: fields may be added, never
/// renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRequest {
    pub prompt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// `draft` or `final`.
    pub mode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `1K`, `2K` or `4K`: the longer side.
    pub resolution: String,
    /// `Auto`, `16:9`, …
    pub aspect_ratio: String,
    /// Pictures, 1–10.
    pub sample_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_image_url: Option<String>,
    /// A data URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_description: Option<String>,
    /// Whatever else the user wants to tell the image API. Never overrides a field of its own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

/// What an image API made of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// It has taken the job and is to be asked about it with [`Lease::poll`](super::Lease::poll).
    Job {
        /// 1–128 characters that may stand in a path as they are.
        id: String,
    },
    /// It has made the pictures already.
    Done(Vec<ResultSource>),
}

/// Where a picture is.
#[derive(Clone, PartialEq, Eq)]
pub enum ResultSource {
    /// A link, http or https. Not to be trusted: see the address rule of the media feature.
    Url(String),
    /// The picture itself, not yet checked to be one.
    Bytes(Vec<u8>),
}

impl std::fmt::Debug for ResultSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Links are signed by many image APIs: whoever has one has the picture.
            Self::Url(_) => f.write_str("Url(…)"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

/// How far a job is at the image API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JobProgress {
    /// Waiting or being drawn.
    Pending,
    /// Done; at least one picture.
    Succeeded(Vec<ResultSource>),
    /// It will never be done.
    Failed {
        /// The image API's own, such as `PROVIDER_ERROR`.
        code: String,
        /// For people, as the image API says it.
        message: String,
    },
    /// Taken back.
    Canceled,
    /// The image API has never heard of it, or has forgotten it.
    Unknown,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two wide pictures and nothing special.
    pub(in super::super) fn plain() -> ImageRequest {
        ImageRequest {
            prompt: "水墨画".to_owned(),
            negative_prompt: None,
            mode: "final".to_owned(),
            model: None,
            resolution: "2K".to_owned(),
            aspect_ratio: "16:9".to_owned(),
            sample_count: 2,
            input_image_url: None,
            input_image: None,
            template_title: None,
            template_description: None,
            params: Map::new(),
        }
    }

    #[test]
    fn a_stored_request_comes_back_and_an_older_one_is_still_read() {
        let stored = serde_json::to_string(&plain()).unwrap();
        assert_eq!(serde_json::from_str::<ImageRequest>(&stored).unwrap(), plain());
        let old = r#"{"prompt":"a","mode":"draft","resolution":"1K","aspectRatio":"Auto",
                      "sampleCount":1}"#;
        assert!(serde_json::from_str::<ImageRequest>(old).is_ok());
    }

    #[test]
    fn printing_shows_no_link_and_no_picture() {
        let sources =
            [ResultSource::Url("https://x/?sig=1".to_owned()), ResultSource::Bytes(vec![1])];
        assert_eq!(format!("{sources:?}"), "[Url(…), Bytes(1)]");
    }
}
