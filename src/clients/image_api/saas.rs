//! The dialect `image-saas`: what is sent, and how strictly the answers are read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{UpstreamError, text};
use super::request::{ImageRequest, JobProgress, ResultSource, Submitted};

/// Longest id of a job that is believed to be one.
const MAX_ID_BYTES: usize = 128;

/// What a job failed of when the image API does not say.
const DEFAULT_CODE: &str = "PROVIDER_ERROR";

/// The fields of `POST /v1/images/generate`, in our order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    prompt: &'a str,
    negative_prompt: Option<&'a str>,
    mode: &'a str,
    model: Option<&'a str>,
    resolution: &'a str,
    aspect_ratio: &'a str,
    sample_count: u32,
    input_image_url: Option<&'a str>,
    input_image: Option<&'a str>,
    template_title: Option<&'a str>,
    template_description: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobAnswer {
    job_id: Option<String>,
    status: Option<String>,
    result_urls: Option<Vec<String>>,
    #[serde(default)]
    error: Value,
}

/// The body of a submission. `model` is the one set for this upstream, and wins.
pub(super) fn body(request: &ImageRequest, model: Option<&str>) -> Vec<u8> {
    let named = Body {
        prompt: &request.prompt,
        negative_prompt: request.negative_prompt.as_deref(),
        mode: &request.mode,
        model: model.or(request.model.as_deref()),
        resolution: &request.resolution,
        aspect_ratio: &request.aspect_ratio,
        sample_count: request.sample_count,
        input_image_url: request.input_image_url.as_deref(),
        input_image: request.input_image.as_deref(),
        template_title: request.template_title.as_deref(),
        template_description: request.template_description.as_deref(),
    };
    merged(&request.params, serde_json::to_value(named).unwrap_or_default())
}

/// `named` and those `params` that it does not name. A named field that is null stays away, and keeps
/// a parameter of its name away too: what was checked is what is sent.
pub(super) fn merged(params: &Map<String, Value>, named: Value) -> Vec<u8> {
    let Value::Object(named) = named else { return Vec::new() };
    let others = params.iter().filter(|(name, _)| !named.contains_key(*name));
    let mut body: Map<String, Value> =
        others.map(|(name, value)| (name.clone(), value.clone())).collect();
    body.extend(named.into_iter().filter(|(_, value)| !value.is_null()));
    Value::Object(body).to_string().into_bytes()
}

/// Reads the answer of a submission.
pub(super) fn submitted(body: &[u8]) -> Result<Submitted, UpstreamError> {
    let answer: JobAnswer =
        serde_json::from_slice(body).map_err(|_| UpstreamError::garbled("it is no job"))?;
    let id = answer.job_id.filter(|id| is_job_id(id));
    let id = id.ok_or_else(|| UpstreamError::garbled("jobId is missing or odd"))?;
    Ok(Submitted::Job { id })
}

/// Reads the answer of `GET /v1/jobs/{id}`.
pub(super) fn progress(body: &[u8], id: &str) -> Result<JobProgress, UpstreamError> {
    let answer: JobAnswer =
        serde_json::from_slice(body).map_err(|_| UpstreamError::garbled("it is no job"))?;
    if answer.job_id.is_some_and(|other| other != id) {
        return Err(UpstreamError::garbled("it is another job"));
    }
    match answer.status.as_deref() {
        Some("QUEUED" | "PENDING" | "RUNNING" | "RETRYING") => Ok(JobProgress::Pending),
        Some("SUCCEEDED") => match links(answer.result_urls.unwrap_or_default()) {
            Some(results) => Ok(JobProgress::Succeeded(results)),
            None => Err(UpstreamError::garbled("a job has succeeded without links to pictures")),
        },
        Some("FAILED") => {
            let said = |name: &str| answer.error[name].as_str().map(text);
            let code = said("code").filter(|code| !code.is_empty());
            let message = said("message").or_else(|| answer.error.as_str().map(text));
            Ok(JobProgress::Failed {
                code: code.unwrap_or_else(|| DEFAULT_CODE.to_owned()),
                message: message.unwrap_or_default(),
            })
        }
        Some("CANCELED" | "CANCELLED") => Ok(JobProgress::Canceled),
        _ => Err(UpstreamError::garbled("the status of a job is missing or unknown")),
    }
}

/// `None` unless there are some and all are web addresses.
fn links(urls: Vec<String>) -> Option<Vec<ResultSource>> {
    let is_good = !urls.is_empty() && urls.iter().all(|url| is_link(url));
    is_good.then(|| urls.into_iter().map(ResultSource::Url).collect())
}

/// Whether this may be a link to a picture.
pub(super) fn is_link(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// One segment of a path and nothing else. Dots alone would climb.
pub(super) fn is_job_id(id: &str) -> bool {
    let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
    is_plain && id.len() <= MAX_ID_BYTES && id.bytes().any(|b| b != b'.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::request::tests::plain;
    use super::*;

    fn sent(request: &ImageRequest, model: Option<&str>) -> Value {
        serde_json::from_slice(&body(request, model)).unwrap()
    }

    #[test]
    fn absent_fields_stay_away() {
        assert_eq!(
            sent(&plain(), None),
            json!({ "prompt": "水墨画", "mode": "final", "resolution": "2K",
                    "aspectRatio": "16:9", "sampleCount": 2 })
        );
    }

    #[test]
    fn params_go_along_and_never_override() {
        let mut request = plain();
        request.params = serde_json::from_value(json!({
            "steps": 30, "prompt": "else", "sampleCount": 10, "inputImageUrl": "http://10.0.0.1/",
        }))
        .unwrap();
        let sent = sent(&request, None);
        assert_eq!(sent["steps"], 30);
        assert_eq!(sent["prompt"], "水墨画");
        assert_eq!(sent["sampleCount"], 2);
        assert_eq!(sent.get("inputImageUrl"), None, "it has not been checked");
    }

    #[test]
    fn the_model_of_the_upstream_wins() {
        let request = ImageRequest { model: Some("asked".to_owned()), ..plain() };
        assert_eq!(sent(&request, None)["model"], "asked");
        assert_eq!(sent(&request, Some("set"))["model"], "set");
    }

    #[test]
    fn a_submission_gives_an_id() {
        let good = submitted(br#"{"jobId":"job_1","status":"QUEUED","more":[]}"#).unwrap();
        assert_eq!(good, Submitted::Job { id: "job_1".to_owned() });
        for bad in [
            r#"{"jobId":"../../admin","status":"QUEUED"}"#,
            r#"{"jobId":"a/b"}"#,
            r#"{"jobId":".."}"#,
            r#"{"jobId":""}"#,
            r#"{"jobId":7}"#,
            r#"{"status":"QUEUED"}"#,
            r#"{"jobId":"job_1""#,
            "[]",
            "<html>",
            "",
        ] {
            assert!(submitted(bad.as_bytes()).unwrap_err().is_retryable(), "{bad}");
        }
    }

    #[test]
    fn every_state_of_a_job_is_understood() {
        let read = |body: Value| progress(body.to_string().as_bytes(), "job_1");
        for status in ["QUEUED", "RUNNING", "RETRYING"] {
            let body = json!({ "jobId": "job_1", "status": status, "error": null });
            assert_eq!(read(body).unwrap(), JobProgress::Pending);
        }
        let done =
            json!({ "jobId": "job_1", "status": "SUCCEEDED", "resultUrls": ["https://x/1"] });
        let link = ResultSource::Url("https://x/1".to_owned());
        assert_eq!(read(done).unwrap(), JobProgress::Succeeded(vec![link]));
        assert_eq!(read(json!({ "status": "CANCELED" })).unwrap(), JobProgress::Canceled);

        let failed = |code: &str, message: &str| JobProgress::Failed {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        let error = json!({ "code": "CONTENT", "message": "no" });
        assert_eq!(
            read(json!({ "status": "FAILED", "error": error })).unwrap(),
            failed("CONTENT", "no")
        );
        assert_eq!(read(json!({ "status": "FAILED" })).unwrap(), failed(DEFAULT_CODE, ""));
        assert_eq!(
            read(json!({ "status": "FAILED", "error": "no" })).unwrap(),
            failed(DEFAULT_CODE, "no")
        );
    }

    #[test]
    fn what_is_no_job_is_not_taken_for_one() {
        for bad in [
            json!({ "jobId": "job_2", "status": "RUNNING" }),
            json!({ "jobId": "job_1", "status": "SUCCEEDED" }),
            json!({ "jobId": "job_1", "status": "SUCCEEDED", "resultUrls": [] }),
            json!({ "jobId": "job_1", "status": "SUCCEEDED", "resultUrls": ["file:///etc/passwd"] }),
            json!({ "jobId": "job_1", "status": "SUCCEEDED", "resultUrls": "https://x/1" }),
            json!({ "jobId": "job_1", "status": "DONE" }),
            json!({ "jobId": "job_1" }),
            json!([]),
        ] {
            assert!(progress(bad.to_string().as_bytes(), "job_1").is_err(), "{bad}");
        }
    }
}
