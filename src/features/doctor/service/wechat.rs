//! What WeChat says: the time, whether it knows the mini-program, whether it knows the merchant.

use super::Patient;
use super::outside::{CERTIFICATE_WARN_DAYS, DAY_MS};
use crate::base::bilingual::Bilingual;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::clients::wechat_pay::PayErrorKind;
use crate::features::doctor::model::Finding;

/// WeChat Pay refuses what is signed five minutes off.
const SKEW_FAIL_MS: u64 = 240_000;

/// More than this and somebody should set up time synchronisation.
const SKEW_WARN_MS: u64 = 30_000;

/// The number of an order that nobody has.
const NO_ORDER: &str = "doctor00000000000000000000000000";

pub(super) async fn clock(patient: &Patient) -> Finding {
    const CHECK: &str = "clock";
    let base = &patient.app.facts.wechat_api_base;
    let seen = match patient.probe.get(&format!("{base}/")).await {
        Ok(seen) => seen,
        Err(err) => {
            let why = error_chain(&err);
            let text = Bilingual::new(
                format!("连不上微信 {base}：{why}"),
                format!("WeChat at {base} cannot be reached: {why}"),
            );
            let hint = Bilingual::new(
                "检查本机的网络、域名解析和防火墙",
                "check the network, DNS and firewall of this machine",
            );
            return Finding::fail(CHECK, text, hint);
        }
    };
    let Some(theirs) = seen.date else {
        return Finding::warn(
            CHECK,
            Bilingual::new("无法得知：微信没有给出时间", "not known: WeChat told no time"),
            Bilingual::new("稍后再检查", "run doctor again later"),
        );
    };
    let off = patient.app.clock.now().0.abs_diff(theirs.0);
    let within = off.div_ceil(1000);
    let text = Bilingual::new(
        format!("与微信的时间相差不到 {within} 秒"),
        format!("within {within} s of WeChat's"),
    );
    let hint = Bilingual::new(
        "开启时间同步：timedatectl set-ntp true（或 chronyd）",
        "synchronise it: timedatectl set-ntp true (or chronyd)",
    );
    if off > SKEW_FAIL_MS {
        let off = off / 1000;
        let text = Bilingual::new(
            format!("相差 {off} 秒：微信支付会拒绝这样的签名"),
            format!("{off} s off: WeChat Pay refuses what is signed so"),
        );
        return Finding::fail(CHECK, text, hint);
    }
    if off > SKEW_WARN_MS { Finding::warn(CHECK, text, hint) } else { Finding::pass(CHECK, text) }
}

pub(super) async fn wechat_account(patient: &Patient) -> Finding {
    const CHECK: &str = "wechat_account";
    match patient.app.wechat.check_account().await {
        Ok(()) => {
            let text =
                Bilingual::new("微信接受 AppID 和 AppSecret", "WeChat accepts app id and secret");
            Finding::pass(CHECK, text)
        }
        Err(err) if err.is_transient() => Finding::warn(
            CHECK,
            not_known(&error_chain(&err)),
            Bilingual::new(
                "过一分钟再检查；看看网络通不通",
                "run doctor again in a minute; check the network",
            ),
        ),
        Err(err) => {
            let hint = match err.code() {
                Some(40164 | 61004) => Bilingual::new(
                    "把服务器的公网地址加入小程序的 IP 白名单",
                    "put this server's address on the mini-program's IP white list",
                ),
                Some(40013) => Bilingual::new(
                    "改正 WECHAT_APPID：微信公众平台「开发设置」里的 AppID",
                    "correct WECHAT_APPID: Development settings, AppID",
                ),
                _ => Bilingual::new(
                    "改正 WECHAT_SECRET：找不到了就在微信公众平台的「开发设置」里重置",
                    "correct WECHAT_SECRET: reset it in Development settings if it is lost",
                ),
            };
            let why = error_chain(&err);
            Finding::fail(CHECK, Bilingual::new(format!("微信没有接受：{why}"), why), hint)
        }
    }
}

/// Whoever was asked did not answer the question.
fn not_known(why: &str) -> Bilingual {
    Bilingual::new(format!("无法得知：{why}"), format!("not known: {why}"))
}

pub(super) async fn wechat_pay(patient: &Patient) -> Finding {
    const CHECK: &str = "wechat_pay";
    let Some(pay) = &patient.app.wechat_pay else {
        return Finding::pass(CHECK, Bilingual::new("没有启用", "not configured"));
    };
    let mode = if patient.app.facts.has_pay_public_key {
        Bilingual::new("微信支付公钥", "public key")
    } else {
        // Only what they sign tells whether these are good; the call below makes it known.
        Bilingual::new("平台证书", "platform certificates")
    };
    match pay.query_order(NO_ORDER).await {
        Err(err) if err.kind() != PayErrorKind::OrderNotExist => {
            let text = error_chain(&err);
            match err.kind() {
                PayErrorKind::Unavailable | PayErrorKind::RateLimited => {
                    let hint = Bilingual::new(
                        "看看网络通不通，过一分钟再检查",
                        "check the network, and run doctor again in a minute",
                    );
                    Finding::warn(CHECK, not_known(&text), hint)
                }
                _ => Finding::fail(
                    CHECK,
                    Bilingual::new(format!("{}：{text}", mode.zh), format!("{}: {text}", mode.en)),
                    Bilingual::new(
                        "核对 WECHAT_PAY_MCHID、WECHAT_PAY_SERIAL_NO 和私钥是否配套，公钥及其 ID \
                         是否与商户平台上的一致",
                        "check WECHAT_PAY_MCHID, WECHAT_PAY_SERIAL_NO and the private key belong \
                         together, and the public key and its id are those of the merchant console",
                    ),
                ),
            }
        }
        // There is no such order, and a signature said so that we believe.
        _ => held_until(patient, pay.certificates_end(), &mode),
    }
}

fn held_until(patient: &Patient, end: Option<UnixMillis>, mode: &Bilingual) -> Finding {
    const CHECK: &str = "wechat_pay";
    let text = Bilingual::new(
        format!("商户私钥和{}都有效，双方的签名都通过", mode.zh),
        format!("merchant key and {} accepted, both ways", mode.en),
    );
    let Some(end) = end.filter(|_| !patient.app.facts.has_pay_public_key) else {
        return Finding::pass(CHECK, text);
    };
    let days = end.0.saturating_sub(patient.app.clock.now().0) / DAY_MS;
    let text = Bilingual::new(
        format!("{}；证书还有 {days} 天到期", text.zh),
        format!("{}; certificates hold {days} days", text.en),
    );
    if days < CERTIFICATE_WARN_DAYS {
        let hint = Bilingual::new(
            "微信支付会自行更换；建议在商户平台改用微信支付公钥",
            "WeChat Pay replaces them by itself; change to the public key in the merchant console",
        );
        return Finding::warn(CHECK, text, hint);
    }
    Finding::pass(CHECK, text)
}
