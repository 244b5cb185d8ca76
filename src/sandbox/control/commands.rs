//! What the page's forms do.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Control;
use crate::sandbox::{Fault, Faults, Outcome, PayCall, WechatCall};

/// A fault for the next calls of one kind, or for all.
#[derive(Deserialize)]
struct SetFault {
    /// `wechat.login`, `image.submit`, …
    target: String,
    fault: Fault,
    /// 0 is always.
    times: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetLatency {
    target: String,
    latency_ms: u64,
}

#[derive(Deserialize)]
struct SetOutcome {
    outcome: Outcome,
    /// 0 is always.
    times: u32,
}

/// Absent members stay as they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetLimits {
    job_ms: Option<u64>,
    rate_per_minute: Option<u32>,
    concurrency: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndJob {
    job_id: String,
    outcome: Outcome,
}

#[derive(Deserialize)]
struct IssueCode {
    /// `login` or `phone`.
    kind: String,
    /// An openid or a phone number.
    subject: String,
}

/// Runs a command; an error is a text for the page.
pub(super) fn run(control: &Control, name: &str, body: &[u8]) -> Result<Value, String> {
    match name {
        "faults" => set_fault(control, &parse(body)?)?,
        "latency" => {
            let SetLatency { target, latency_ms } = parse(body)?;
            faults(control, &target)?.set_latency(Duration::from_millis(latency_ms));
        }
        "outcomes" => {
            let SetOutcome { outcome, times } = parse(body)?;
            match times {
                0 => control.image_api.outcomes().always(outcome),
                times => control.image_api.outcomes().next(outcome, times),
            }
        }
        "limits" => set_limits(control, &parse(body)?),
        "clear" => clear(control),
        "end-job" => {
            let EndJob { job_id, outcome } = parse(body)?;
            let ended = control.image_api.end_job(&job_id, &outcome);
            return Ok(json!({ "ended": ended }));
        }
        "codes" => return issue_code(control, &parse(body)?),
        _ => return super::pay::run(control, name, body),
    }
    Ok(json!({}))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|err| err.to_string())
}

/// The knobs by name; those of payment and of calls with an access token have theirs from there.
const TARGETS: [&str; 6] =
    ["wechat.login", "wechat.token", "wechat.phone", "image.submit", "image.poll", "image.file"];

/// The names of all knobs.
pub(super) fn targets() -> impl Iterator<Item = &'static str> {
    let pay = PayCall::ALL.into_iter().map(|(_, name)| name);
    let wechat = WechatCall::ALL.into_iter().map(|(.., name)| name);
    TARGETS.into_iter().chain(pay).chain(wechat)
}

pub(super) fn faults<'a>(control: &'a Control, target: &str) -> Result<&'a Faults, String> {
    let Control { wechat, image_api, wechat_pay, .. } = control;
    if let Some((call, _)) = PayCall::ALL.into_iter().find(|(_, name)| *name == target) {
        return Ok(wechat_pay.faults_of(call));
    }
    if let Some((call, ..)) = WechatCall::ALL.into_iter().find(|(.., name)| *name == target) {
        return Ok(wechat.faults_of(call));
    }
    match target {
        "wechat.login" => Ok(wechat.login_faults()),
        "wechat.token" => Ok(wechat.token_faults()),
        "wechat.phone" => Ok(wechat.phone_faults()),
        "image.submit" => Ok(image_api.submit_faults()),
        "image.poll" => Ok(image_api.poll_faults()),
        "image.file" => Ok(image_api.file_faults()),
        _ => {
            let names: Vec<&str> = targets().collect();
            Err(format!("target must be one of {}", names.join(", ")))
        }
    }
}

fn set_fault(control: &Control, command: &SetFault) -> Result<(), String> {
    let faults = faults(control, &command.target)?;
    match command.times {
        0 => faults.always(command.fault.clone()),
        times => faults.next(command.fault.clone(), times),
    }
    Ok(())
}

fn set_limits(control: &Control, limits: &SetLimits) {
    let api = &control.image_api;
    if let Some(job_ms) = limits.job_ms {
        api.set_latency(Duration::from_millis(job_ms));
    }
    if let Some(rate) = limits.rate_per_minute {
        api.set_rate_per_minute(rate);
    }
    if let Some(concurrency) = limits.concurrency {
        api.set_concurrency(concurrency);
    }
}

fn clear(control: &Control) {
    for target in targets() {
        if let Ok(faults) = faults(control, target) {
            faults.clear();
        }
    }
    control.image_api.outcomes().clear();
    super::pay::clear(control);
}

fn issue_code(control: &Control, command: &IssueCode) -> Result<Value, String> {
    let code = match command.kind.as_str() {
        "login" => control.wechat.login_code(&command.subject),
        "phone" => control.wechat.phone_code(&command.subject),
        _ => return Err("kind must be login or phone".to_owned()),
    };
    Ok(json!({ "code": code }))
}
