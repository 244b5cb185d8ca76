//! The settings of what people are told: subscribe messages, the announcement, alerts to the operator.

use super::{Field, FieldKind, field, whole};
use crate::features::settings::model::alerts::{SECRET_MAX, URL_MAX};

pub(super) fn messages() -> Vec<Field> {
    let text = FieldKind::Text { min: 0, max: 200, is_optional: false };
    let pairs = FieldKind::Pairs { most: 10 };
    vec![
        field(
            "imageReady.templateId",
            text,
            "",
            "“图片已生成”模板 ID（空为关闭）",
            "Template of “picture ready”; empty: off",
        ),
        field("imageReady.page", text, "", "“图片已生成”打开的页面", "Page that it opens"),
        field(
            "imageReady.fields",
            pairs,
            "",
            "“图片已生成”字段，可用 {prompt} {count} {time} {jobId}",
            "Its fields; {prompt} {count} {time} {jobId} are filled in",
        ),
        field(
            "membershipEnds.templateId",
            text,
            "",
            "“会员到期”模板 ID（空为关闭）",
            "Template of “membership ends”; empty: off",
        ),
        field("membershipEnds.page", text, "", "“会员到期”打开的页面", "Page that it opens"),
        field(
            "membershipEnds.fields",
            pairs,
            "",
            "“会员到期”字段，可用 {level} {time}",
            "Its fields; {level} {time} are filled in",
        ),
        field(
            "state",
            FieldKind::Choice(&["developer", "trial", "formal"]),
            "",
            "打开的小程序版本",
            "The version of the mini-program that opens",
        ),
        field("queueMax", whole(1, 100_000), "messages", "待发消息上限", "Messages waiting"),
        field(
            "keepS",
            whole(60, 86_400),
            "seconds",
            "发不出的消息保留时间",
            "A message is worth sending for",
        ),
    ]
}

pub(super) fn announcement() -> Vec<Field> {
    let text = |max| FieldKind::Text { min: 0, max, is_optional: false };
    vec![
        field("isOn", FieldKind::YesOrNo, "", "显示公告", "Whether it is shown"),
        field("title", text(40), "", "标题", "Title"),
        field("text", text(1000), "", "内容", "Text"),
        field("level", FieldKind::Choice(&["info", "warning"]), "", "样式", "How it is shown"),
        field("page", text(200), "", "点击打开的页面（空为无）", "Page that it opens; empty: none"),
        field("startsAt", FieldKind::Time, "", "开始时间（空为立即）", "From; empty: at once"),
        field("endsAt", FieldKind::Time, "", "结束时间（空为不限）", "Until; empty: for good"),
    ]
}

pub(super) fn alerts() -> Vec<Field> {
    let mut all = vec![
        field(
            "wecom.enabled",
            FieldKind::YesOrNo,
            "",
            "企业微信群机器人 · 启用",
            "WeCom robot: on",
        ),
        field(
            "wecom.url",
            FieldKind::Secret { max: URL_MAX },
            "",
            "企业微信群机器人 · 地址",
            "WeCom robot: address",
        ),
        field(
            "wecom.secret",
            FieldKind::Secret { max: SECRET_MAX },
            "",
            "企业微信群机器人 · 签名密钥",
            "WeCom robot: signing secret",
        ),
        field("feishu.enabled", FieldKind::YesOrNo, "", "飞书群机器人 · 启用", "Feishu robot: on"),
        field(
            "feishu.url",
            FieldKind::Secret { max: URL_MAX },
            "",
            "飞书群机器人 · 地址",
            "Feishu robot: address",
        ),
        field(
            "feishu.secret",
            FieldKind::Secret { max: SECRET_MAX },
            "",
            "飞书群机器人 · 签名密钥",
            "Feishu robot: signing secret",
        ),
        field(
            "webhook.enabled",
            FieldKind::YesOrNo,
            "",
            "通用 Webhook · 启用",
            "Webhook (JSON): on",
        ),
        field(
            "webhook.url",
            FieldKind::Secret { max: URL_MAX },
            "",
            "通用 Webhook · 地址",
            "Webhook (JSON): address",
        ),
        field(
            "webhook.secret",
            FieldKind::Secret { max: SECRET_MAX },
            "",
            "通用 Webhook · 签名密钥",
            "Webhook (JSON): signing secret",
        ),
    ];
    all.extend([
        field("language", FieldKind::Choice(&["zh", "en"]), "", "消息语言", "Language of messages"),
        field(
            "breakerMinutes",
            whole(1, 1440),
            "minutes",
            "图像接口熔断多久后告警",
            "An image API is left alone for so long",
        ),
        field(
            "errorPercent",
            whole(1, 100),
            "percent",
            "五分钟内服务器错误占比达到多少告警",
            "Share of requests that fail with 5xx within five minutes",
        ),
        field(
            "errorMin",
            whole(1, 100_000),
            "requests",
            "错误数少于此值不告警",
            "Fewer failures than this are no alert",
        ),
        field("repeatHours", whole(1, 168), "hours", "持续问题的重复提醒间隔", "Told again after"),
        field("maxPerHour", whole(1, 1000), "messages", "每小时告警上限", "Messages in an hour"),
    ]);
    all
}
