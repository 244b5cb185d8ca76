//! The synchronous dialect: `POST /v1/images/generations` answers with the pictures themselves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::http::StatusCode;
use serde_json::{Value, json};

use super::jobs::{NewJob, Status};
use super::{ImageApiSim, files, request};
use crate::sandbox::listener::{Call, Reply};

impl ImageApiSim {
    /// Waits for the pictures and answers links or base64.
    pub(super) async fn generations(&self, call: &Call, tenant: String) -> Reply {
        let Some(body) = call.json() else {
            return error(StatusCode::BAD_REQUEST, "the body is not a JSON object");
        };
        let request = match request::parse_openai(&body) {
            Ok(request) => request,
            Err(text) => return error(StatusCode::BAD_REQUEST, &text),
        };
        let inline = match body["response_format"].as_str() {
            None | Some("url") => false,
            Some("b64_json") => true,
            Some(_) => {
                return error(StatusCode::BAD_REQUEST, "response_format must be url or b64_json");
            }
        };
        let new = NewJob { tenant, idempotency_key: None, request };
        let Ok(job) = self.submit(new) else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
        };
        let Some(job) = self.jobs.ended(&job.id).await else {
            return error(StatusCode::INTERNAL_SERVER_ERROR, "the job is gone");
        };
        if job.status != Status::Succeeded {
            let text = job.error.map_or_else(|| "canceled".to_owned(), |(_, message)| message);
            return error(StatusCode::INTERNAL_SERVER_ERROR, &text);
        }
        let mut data: Vec<Value> = Vec::new();
        if inline {
            for index in 0..job.request.samples {
                match self.picture(&files::name(&job.id, index)).await {
                    Some(png) => data.push(json!({ "b64_json": STANDARD.encode(png) })),
                    None => return error(StatusCode::INTERNAL_SERVER_ERROR, "no picture"),
                }
            }
        } else {
            data.extend(job.result_urls.iter().map(|url| json!({ "url": url })));
        }
        let created = job.updated_at.seconds();
        Reply::json(StatusCode::OK, &json!({ "created": created, "data": data }))
    }
}

/// An error as this dialect writes it.
pub(super) fn error(status: StatusCode, message: &str) -> Reply {
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", "invalid_api_key"),
        429 => ("requests", "rate_limit_exceeded"),
        400..=499 => ("invalid_request_error", "invalid_request"),
        _ => ("server_error", "server_error"),
    };
    let body =
        json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
    super::routes::with_retry_after(Reply::json(status, &body))
}
