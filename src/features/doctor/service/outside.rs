//! What lies beyond this process: the running server, the way back to us, image APIs, storage.

use std::io::ErrorKind;

use serde_json::Value;
use tokio::task::spawn_blocking;
use url::Url;

use super::Patient;
use super::data::see_the_log;
use crate::base::bilingual::Bilingual;
use crate::base::error_chain::error_chain;
use crate::clients::object_storage::{ObjectKey, ObjectKind};
use crate::clients::own_server::OwnServerError;
use crate::clients::probe::certificate_end;
use crate::features::doctor::model::Finding;

pub(super) const DAY_MS: i64 = 86_400_000;

/// A certificate that is renewed by itself never comes so near to its end.
pub(super) const CERTIFICATE_WARN_DAYS: i64 = 14;

const CERTIFICATE_FAIL_DAYS: i64 = 3;

pub(super) async fn server(patient: &Patient) -> Finding {
    const CHECK: &str = "server";
    let own = patient.app.facts.own_server.clone();
    let address = own.address();
    let asked = spawn_blocking(move || own.readiness()).await;
    let Ok(asked) = asked else {
        return Finding::warn(
            CHECK,
            Bilingual::new("没有问到服务", "it could not be asked"),
            Bilingual::new("再检查一次", "run doctor again"),
        );
    };
    match asked {
        Ok(_) => {
            let text = Bilingual::new(
                "就绪：能写入，定时任务都在运转",
                "ready: it can write, and its periodic tasks come round",
            );
            Finding::pass(CHECK, text)
        }
        Err(OwnServerError::NoAnswer { source, .. })
            if source.kind() == ErrorKind::ConnectionRefused =>
        {
            Finding::warn(
                CHECK,
                Bilingual::new(
                    format!("{address} 上没有服务"),
                    format!("nobody listens on {address}"),
                ),
                Bilingual::new(
                    "启动它：systemctl start dream-bff；如果它在运行，doctor 要用和它一样的配置",
                    "start it: systemctl start dream-bff; if it is running, doctor needs its settings",
                ),
            )
        }
        Err(OwnServerError::NotReady { report }) => {
            let checks: Value = serde_json::from_str(&report).unwrap_or_default();
            let checks = &checks["checks"];
            Finding::fail(
                CHECK,
                Bilingual::new(format!("返回 503 {checks}"), format!("answers 503 {checks}")),
                Bilingual::new(
                    "看日志；`jobs: stuck` 和 `database: not writable` 在原因消除后还要重启",
                    "see the log; `jobs: stuck` and `database: not writable` need a restart once the \
                     cause is gone",
                ),
            )
        }
        Err(err) => {
            let why = error_chain(&err);
            let text = Bilingual::new(format!("没有问到服务：{why}"), why);
            Finding::warn(CHECK, text, see_the_log())
        }
    }
}

pub(super) async fn public_url(patient: &Patient) -> Finding {
    const CHECK: &str = "public_url";
    let url = &patient.app.facts.public_url;
    match patient.probe.get(&format!("{url}/healthz")).await {
        Ok(seen) if seen.status.is_success() && seen.body.starts_with(br#"{"status":"#) => {
            Finding::pass(CHECK, leads_here(url))
        }
        Ok(seen) => {
            let status = seen.status.as_u16();
            Finding::fail(
                CHECK,
                Bilingual::new(
                    format!("{url} 指向了别处，对方返回 {status}"),
                    format!("{url} leads to something else, which answers {status}"),
                ),
                Bilingual::new(
                    "检查域名解析和前面的反向代理；PUBLIC_URL 必须是本服务的地址",
                    "check DNS and the proxy in front; PUBLIC_URL must be this server",
                ),
            )
        }
        Err(err) => {
            let why = error_chain(&err);
            Finding::fail(
                CHECK,
                Bilingual::new(
                    format!("从这里连不上 {url}：{why}"),
                    format!("{url} cannot be reached from here: {why}"),
                ),
                Bilingual::new(
                    "检查服务是否在运行、域名解析、防火墙、前面的反向代理和它的证书",
                    "check that the server runs, DNS, the firewall, the proxy in front and its \
                     certificate",
                ),
            )
        }
    }
}

fn leads_here(url: &str) -> Bilingual {
    Bilingual::new(format!("{url} 指向本服务"), format!("{url} leads here"))
}

pub(super) async fn callback_url(patient: &Patient) -> Finding {
    const CHECK: &str = "callback_url";
    let app = &patient.app;
    if app.wechat_pay.is_none() {
        let text =
            Bilingual::new("不需要：没有启用微信支付", "not needed: WeChat Pay is not configured");
        return Finding::pass(CHECK, text);
    }
    let url = format!("{}/v1/payments/wechat/notify", app.facts.public_url);
    let hint = Bilingual::new(
        "让前面的反向代理原样转发 /v1/payments/：不跳转、不要登录、不缓存",
        "let the proxy in front pass /v1/payments/ on as it is: no redirect, no login, no cache",
    );
    match patient.probe.get(&url).await {
        // It takes POST only, and says so in our own words.
        Ok(seen) if seen.status.as_u16() == 405 && is_ours(&seen.body) => {
            Finding::pass(CHECK, leads_here(&url))
        }
        Ok(seen) => {
            let status = seen.status.as_u16();
            let text = Bilingual::new(
                format!("{url} 返回 {status}，但不是本服务的响应"),
                format!("{url} answers {status}, and not in our words"),
            );
            Finding::fail(CHECK, text, hint)
        }
        Err(err) => {
            let why = error_chain(&err);
            let text = Bilingual::new(
                format!("连不上 {url}：{why}"),
                format!("{url} cannot be reached: {why}"),
            );
            Finding::fail(CHECK, text, hint)
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
        return Finding::warn(
            CHECK,
            Bilingual::new(format!("{url} 没有证书"), format!("{url} has none")),
            Bilingual::new(
                "微信要求使用 https：见 docs/tls.md",
                "WeChat needs https: see docs/tls.md",
            ),
        );
    };
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
    let end = match certificate_end(host, port.unwrap_or(443)).await {
        Ok(end) => end,
        Err(err) => {
            let why = error_chain(&err);
            return Finding::fail(
                CHECK,
                Bilingual::new(format!("{host} 的证书读不到：{why}"), format!("{host}: {why}")),
                Bilingual::new(
                    "检查域名解析、443 端口，以及是谁在那里监听",
                    "check DNS, port 443 and what listens there",
                ),
            );
        }
    };
    let days = end.0.saturating_sub(patient.app.clock.now().0).div_euclid(DAY_MS);
    let text = if days < 0 {
        let ago = -days;
        Bilingual::new(
            format!("{host} 的证书 {ago} 天前已经到期"),
            format!("{host}: ended {ago} days ago"),
        )
    } else {
        Bilingual::new(
            format!("{host} 的证书还有 {days} 天到期"),
            format!("{host}: holds {days} days"),
        )
    };
    let hint = Bilingual::new(
        "尽快续期，并查明为什么没有自动续期",
        "renew it, and see why that did not happen by itself",
    );
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
        let count = all.len();
        let text = Bilingual::new(
            format!("{count} 个都能连上，密钥有效"),
            format!("{count} reached, key accepted"),
        );
        return Finding::pass(CHECK, text);
    }
    let hint = if bad.iter().any(|(_, is_key)| *is_key) {
        Bilingual::new(
            "改正 IMAGE_API_KEY，或 IMAGE_UPSTREAMS_PATH 里的密钥",
            "correct IMAGE_API_KEY, or the key in IMAGE_UPSTREAMS_PATH",
        )
    } else {
        Bilingual::new(
            "检查 IMAGE_API_BASE，以及生图服务是否正常",
            "check IMAGE_API_BASE and whether the image API works",
        )
    };
    let told: Vec<_> = bad.iter().map(|(text, _)| text.as_str()).collect();
    let told = told.join("; ");
    let text = Bilingual::new(format!("不可用：{told}"), told);
    if bad.len() < all.len() {
        return Finding::warn(CHECK, text, hint);
    }
    Finding::fail(CHECK, text, hint)
}

pub(super) async fn object_storage(patient: &Patient) -> Finding {
    const CHECK: &str = "object_storage";
    let storage = &patient.app.media.storage;
    if storage.calls().is_none() {
        let text = Bilingual::new("图片存在本机", "pictures lie on this machine");
        return Finding::pass(CHECK, text);
    }
    // Nobody ever stored this.
    let key = ObjectKey::of(b"a key that doctor asks for", ObjectKind::Png);
    match storage.get(&key).await {
        Ok(_) => {
            let text =
                Bilingual::new("能连上存储桶，密钥有效", "the bucket is reached, the key accepted");
            Finding::pass(CHECK, text)
        }
        Err(err) => {
            let why = error_chain(&err);
            Finding::fail(
                CHECK,
                Bilingual::new(format!("存储桶不可用：{why}"), why),
                Bilingual::new(
                    "核对 S3_ENDPOINT、S3_BUCKET 和密钥；密钥要有读写权限",
                    "check S3_ENDPOINT, S3_BUCKET and the keys; the key must be allowed to read and \
                     write",
                ),
            )
        }
    }
}
