//! What lies beyond this process: the running server, WeChat, the way back to us, image APIs, storage.

use std::io::ErrorKind;

use serde_json::Value;
use tokio::task::spawn_blocking;
use url::Url;

use super::Patient;
use crate::base::error_chain::error_chain;
use crate::clients::object_storage::{ObjectKey, ObjectKind};
use crate::clients::own_server::OwnServerError;
use crate::clients::probe::certificate_end;
use crate::clients::wechat_pay::PayErrorKind;
use crate::features::doctor::model::Finding;

/// WeChat Pay refuses what is signed five minutes off.
const SKEW_FAIL_MS: u64 = 240_000;

/// More than this and somebody should set up time synchronisation.
const SKEW_WARN_MS: u64 = 30_000;

const DAY_MS: i64 = 86_400_000;

/// A certificate that is renewed by itself never comes so near to its end.
const CERTIFICATE_WARN_DAYS: i64 = 14;

const CERTIFICATE_FAIL_DAYS: i64 = 3;

/// The number of an order that nobody has.
const NO_ORDER: &str = "doctor00000000000000000000000000";

pub(super) async fn server(patient: &Patient) -> Finding {
    const CHECK: &str = "server";
    let own = patient.app.facts.own_server.clone();
    let address = own.address();
    let asked = spawn_blocking(move || own.readiness()).await;
    let Ok(asked) = asked else {
        return Finding::warn(CHECK, "it could not be asked", "run doctor again");
    };
    match asked {
        Ok(_) => Finding::pass(CHECK, "ready: it can write, and its periodic tasks come round"),
        Err(OwnServerError::NoAnswer { source, .. })
            if source.kind() == ErrorKind::ConnectionRefused =>
        {
            Finding::warn(
                CHECK,
                format!("nobody listens on {address}"),
                "start it: systemctl start dream-bff; if it is running, doctor needs its settings",
            )
        }
        Err(OwnServerError::NotReady { report }) => {
            let checks: Value = serde_json::from_str(&report).unwrap_or_default();
            Finding::fail(
                CHECK,
                format!("answers 503 {}", checks["checks"]),
                "see the log; `jobs: stuck` and `database: not writable` need a restart once the cause is gone",
            )
        }
        Err(err) => Finding::warn(CHECK, error_chain(&err), "see the log of the server"),
    }
}

pub(super) async fn clock(patient: &Patient) -> Finding {
    const CHECK: &str = "clock";
    let base = &patient.app.facts.wechat_api_base;
    let seen = match patient.probe.get(&format!("{base}/")).await {
        Ok(seen) => seen,
        Err(err) => {
            let hint = "check the network, DNS and firewall of this machine";
            let text = format!("WeChat at {base} cannot be reached: {}", error_chain(&err));
            return Finding::fail(CHECK, text, hint);
        }
    };
    let Some(theirs) = seen.date else {
        return Finding::warn(CHECK, "not known: WeChat told no time", "run doctor again later");
    };
    let off = patient.app.clock.now().0.abs_diff(theirs.0);
    let text = format!("within {} s of WeChat's", off.div_ceil(1000));
    let hint = "synchronise it: timedatectl set-ntp true (or chronyd)";
    if off > SKEW_FAIL_MS {
        let text = format!("{} s off: WeChat Pay refuses what is signed so", off / 1000);
        return Finding::fail(CHECK, text, hint);
    }
    if off > SKEW_WARN_MS { Finding::warn(CHECK, text, hint) } else { Finding::pass(CHECK, text) }
}

pub(super) async fn wechat_account(patient: &Patient) -> Finding {
    const CHECK: &str = "wechat_account";
    match patient.app.wechat.check_account().await {
        Ok(()) => Finding::pass(CHECK, "WeChat accepts app id and secret"),
        Err(err) if err.is_transient() => Finding::warn(
            CHECK,
            format!("not known: {}", error_chain(&err)),
            "run doctor again in a minute; check the network",
        ),
        Err(err) => {
            let hint = match err.code() {
                Some(40164 | 61004) => {
                    "put this server's address on the mini-program's IP white list"
                }
                Some(40013) => "correct WECHAT_APPID: Development settings, AppID",
                _ => "correct WECHAT_SECRET: reset it in Development settings if it is lost",
            };
            Finding::fail(CHECK, error_chain(&err), hint)
        }
    }
}

pub(super) async fn wechat_pay(patient: &Patient) -> Finding {
    const CHECK: &str = "wechat_pay";
    let Some(pay) = &patient.app.wechat_pay else {
        return Finding::pass(CHECK, "not configured");
    };
    let mode = if patient.app.facts.has_pay_public_key {
        "public key".to_owned()
    } else {
        // Only what they sign tells whether these are good; the call below makes it known.
        "platform certificates".to_owned()
    };
    match pay.query_order(NO_ORDER).await {
        Err(err) if err.kind() != PayErrorKind::OrderNotExist => {
            let text = error_chain(&err);
            match err.kind() {
                PayErrorKind::Unavailable | PayErrorKind::RateLimited => {
                    let hint = "check the network, and run doctor again in a minute";
                    Finding::warn(CHECK, format!("not known: {text}"), hint)
                }
                _ => Finding::fail(
                    CHECK,
                    format!("{mode}: {text}"),
                    "check WECHAT_PAY_MCHID, WECHAT_PAY_SERIAL_NO and the private key belong together, \
                     and the public key and its id are those of the merchant console",
                ),
            }
        }
        // There is no such order, and a signature said so that we believe.
        _ => held_until(patient, pay.certificates_end(), &mode),
    }
}

fn held_until(
    patient: &Patient,
    end: Option<crate::base::time::UnixMillis>,
    mode: &str,
) -> Finding {
    const CHECK: &str = "wechat_pay";
    let text = format!("merchant key and {mode} accepted, both ways");
    let Some(end) = end.filter(|_| !patient.app.facts.has_pay_public_key) else {
        return Finding::pass(CHECK, text);
    };
    let days = end.0.saturating_sub(patient.app.clock.now().0) / DAY_MS;
    let text = format!("{text}; certificates hold {days} days");
    if days < CERTIFICATE_WARN_DAYS {
        let hint =
            "WeChat Pay replaces them by itself; change to the public key in the merchant console";
        return Finding::warn(CHECK, text, hint);
    }
    Finding::pass(CHECK, text)
}

pub(super) async fn public_url(patient: &Patient) -> Finding {
    const CHECK: &str = "public_url";
    let url = &patient.app.facts.public_url;
    match patient.probe.get(&format!("{url}/healthz")).await {
        Ok(seen) if seen.status.is_success() && seen.body.starts_with(br#"{"status":"#) => {
            Finding::pass(CHECK, format!("{url} leads here"))
        }
        Ok(seen) => Finding::fail(
            CHECK,
            format!("{url} leads to something else, which answers {}", seen.status.as_u16()),
            "check DNS and the proxy in front; PUBLIC_URL must be this server",
        ),
        Err(err) => Finding::fail(
            CHECK,
            format!("{url} cannot be reached from here: {}", error_chain(&err)),
            "check that the server runs, DNS, the firewall, the proxy in front and its certificate",
        ),
    }
}

pub(super) async fn callback_url(patient: &Patient) -> Finding {
    const CHECK: &str = "callback_url";
    let app = &patient.app;
    if app.wechat_pay.is_none() {
        return Finding::pass(CHECK, "not needed: WeChat Pay is not configured");
    }
    let url = format!("{}/v1/payments/wechat/notify", app.facts.public_url);
    let hint =
        "let the proxy in front pass /v1/payments/ on as it is: no redirect, no login, no cache";
    match patient.probe.get(&url).await {
        // It takes POST only, and says so in our own words.
        Ok(seen) if seen.status.as_u16() == 405 && is_ours(&seen.body) => {
            Finding::pass(CHECK, format!("{url} leads here"))
        }
        Ok(seen) => Finding::fail(
            CHECK,
            format!("{url} answers {}, and not in our words", seen.status.as_u16()),
            hint,
        ),
        Err(err) => {
            Finding::fail(CHECK, format!("{url} cannot be reached: {}", error_chain(&err)), hint)
        }
    }
}

fn is_ours(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["error"] == "METHOD_NOT_ALLOWED" && body["requestId"].is_string()
}

pub(super) async fn certificate(patient: &Patient) -> Finding {
    const CHECK: &str = "certificate";
    let url = &patient.app.facts.public_url;
    let Some(url) = Url::parse(url).ok().filter(|url| url.scheme() == "https") else {
        let hint = "WeChat needs https: see docs/operations.md";
        return Finding::warn(CHECK, format!("{url} has none"), hint);
    };
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
    let end = match certificate_end(host, port.unwrap_or(443)).await {
        Ok(end) => end,
        Err(err) => {
            let text = format!("{host}: {}", error_chain(&err));
            return Finding::fail(CHECK, text, "check DNS, port 443 and what listens there");
        }
    };
    let days = end.0.saturating_sub(patient.app.clock.now().0).div_euclid(DAY_MS);
    let text = if days < 0 {
        format!("{host}: ended {} days ago", -days)
    } else {
        format!("{host}: holds {days} days")
    };
    let hint = "renew it, and see why that did not happen by itself";
    if days < CERTIFICATE_FAIL_DAYS {
        Finding::fail(CHECK, text, hint)
    } else if days < CERTIFICATE_WARN_DAYS {
        Finding::warn(CHECK, text, hint)
    } else {
        Finding::pass(CHECK, text)
    }
}

pub(super) async fn image_apis(patient: &Patient) -> Finding {
    const CHECK: &str = "image_apis";
    let all = patient.app.upstreams.probe_all().await;
    let bad: Vec<_> = all
        .iter()
        .filter_map(|(name, asked)| Some((name, asked.as_ref().err()?)))
        .map(|(name, err)| (format!("{name}: {}", error_chain(err)), err.is_refused_key()))
        .collect();
    if bad.is_empty() {
        return Finding::pass(CHECK, format!("{} reached, key accepted", all.len()));
    }
    let hint = if bad.iter().any(|(_, is_key)| *is_key) {
        "correct IMAGE_API_KEY, or the key in IMAGE_UPSTREAMS_PATH"
    } else {
        "check IMAGE_API_BASE and whether the image API works"
    };
    let told: Vec<_> = bad.iter().map(|(text, _)| text.as_str()).collect();
    let text = told.join("; ");
    if bad.len() < all.len() {
        return Finding::warn(CHECK, text, hint);
    }
    Finding::fail(CHECK, text, hint)
}

pub(super) async fn object_storage(patient: &Patient) -> Finding {
    const CHECK: &str = "object_storage";
    let storage = &patient.app.media.storage;
    if storage.calls().is_none() {
        return Finding::pass(CHECK, "pictures lie on this machine");
    }
    // Nobody ever stored this.
    let key = ObjectKey::of(b"a key that doctor asks for", ObjectKind::Png);
    match storage.get(&key).await {
        Ok(_) => Finding::pass(CHECK, "the bucket is reached, the key accepted"),
        Err(err) => Finding::fail(
            CHECK,
            error_chain(&err),
            "check S3_ENDPOINT, S3_BUCKET and the keys; the key must be allowed to read and write",
        ),
    }
}
