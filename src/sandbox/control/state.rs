//! What the page shows. Credentials that the journals hold are left out.

use serde_json::{Value, json};

use super::Control;
use crate::sandbox::{Faults, JobView, Journal, Recorded, WechatSim};

/// Requests and jobs shown.
const SHOWN: usize = 30;
/// Longest part of a body shown, in bytes.
const MAX_BODY: usize = 240;
/// Query parameters that are not shown.
const HIDDEN: [&str; 4] = ["secret", "access_token", "pay_sig", "signature"];

pub(super) fn view(control: &Control) -> Value {
    let Control { wechat, image_api, .. } = control;
    json!({
        "wechat": {
            "base": wechat.base(),
            "appid": WechatSim::APPID,
            "login": faults(wechat.login_faults()),
            "token": faults(wechat.token_faults()),
            "phone": faults(wechat.phone_faults()),
            "requests": requests(wechat.journal()),
        },
        "image": {
            "base": image_api.base(),
            "apiKey": image_api.api_key(),
            "jobMs": image_api.latency().as_millis(),
            "ratePerMinute": image_api.rate_per_minute(),
            "concurrency": image_api.concurrency(),
            "submit": faults(image_api.submit_faults()),
            "poll": faults(image_api.poll_faults()),
            "file": faults(image_api.file_faults()),
            "outcomes": image_api.outcomes().view(),
            "requests": requests(image_api.journal()),
            "jobs": image_api.jobs(SHOWN).iter().map(job).collect::<Vec<_>>(),
        },
    })
}

pub(super) fn faults(faults: &Faults) -> Value {
    json!({ "latencyMs": faults.latency().as_millis(), "plan": faults.view() })
}

pub(super) fn requests(journal: &Journal) -> Vec<Value> {
    journal.newest(SHOWN).iter().map(request).collect()
}

fn request(entry: &Recorded) -> Value {
    let body = &entry.body[..entry.body.len().min(MAX_BODY)];
    let is_secret = entry.path().ends_with("token");
    let body = if is_secret { "***".into() } else { String::from_utf8_lossy(body) };
    json!({
        "seq": entry.seq,
        "at": entry.at.rfc3339(),
        "method": entry.method.as_str(),
        "target": without_secrets(&entry.target),
        "status": entry.status,
        "body": body,
    })
}

fn without_secrets(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let shown: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if HIDDEN.contains(&name) => format!("{name}=***"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", shown.join("&"))
}

fn job(job: &JobView) -> Value {
    let pictures = job.result_urls.iter().filter_map(|url| url.rsplit('/').next());
    json!({
        "jobId": job.id,
        "status": job.status,
        "prompt": job.request.prompt.chars().take(120).collect::<String>(),
        "size": format!("{}×{}", job.request.width, job.request.height),
        "pictures": pictures.collect::<Vec<_>>(),
        "error": job.error.as_ref().map(|(code, _)| code),
        "createdAt": job.created_at.rfc3339(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_the_query_are_starred() {
        assert_eq!(
            without_secrets("/a?appid=x&secret=y&access_token=z&js_code=w"),
            "/a?appid=x&secret=***&access_token=***&js_code=w"
        );
        assert_eq!(without_secrets("/a"), "/a");
    }
}
