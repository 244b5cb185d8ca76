//! What the settings are called and what they may be, for whoever shows them to be edited. The tests hold
//! this against the settings themselves: nothing is missing, and every range is the one that is checked.

mod notices;

use super::Section;
use super::limits::RATE_MAX;
use notices::{alerts, announcement, messages};

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number within these bounds, or nothing where that is allowed.
    Whole {
        min: i64,
        max: i64,
        is_optional: bool,
    },
    /// A list of whole numbers, each within these bounds.
    Wholes {
        min: i64,
        max: i64,
        most: usize,
    },
    YesOrNo,
    /// A text of so many characters, or nothing where that is allowed.
    Text {
        min: usize,
        max: usize,
        is_optional: bool,
    },
    /// A text of so many characters at most, or none; stored, and shown as `***`.
    Secret {
        max: usize,
    },
    /// A time, RFC 3339, or nothing.
    Time,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of `{name, value}`, so many at most.
    Pairs {
        most: usize,
    },
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its place in the section, such as `prices.draft.1K`.
    pub path: String,
    pub kind: FieldKind,
    /// What it is counted in, such as `points`; empty where that says nothing.
    pub unit: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
}

/// The largest number that a setting without a bound of its own takes.
const ANY: i64 = u32::MAX as i64;

const POINTS: i64 = 1_000_000;

/// The settings of a section, in the order in which they are shown.
pub fn describe(section: Section) -> Vec<Field> {
    match section {
        Section::Economy => economy(),
        Section::Entitlements => entitlements(),
        Section::Jobs => jobs(),
        Section::Label => label(),
        Section::Membership => membership(),
        Section::Payment => payment(),
        Section::Gallery => gallery(),
        Section::Moderation => moderation(),
        Section::Messages => messages(),
        Section::Announcement => announcement(),
        Section::Alerts => alerts(),
        Section::Limits => limits(),
    }
}

const fn whole(min: i64, max: i64) -> FieldKind {
    FieldKind::Whole { min, max, is_optional: false }
}

const fn maybe(min: i64, max: i64) -> FieldKind {
    FieldKind::Whole { min, max, is_optional: true }
}

fn field(
    path: impl Into<String>,
    kind: FieldKind,
    unit: &'static str,
    zh: &'static str,
    en: &'static str,
) -> Field {
    Field { path: path.into(), kind, unit, zh, en }
}

fn economy() -> Vec<Field> {
    let price = |mode: &str, size: &str, zh, en| {
        field(format!("prices.{mode}.{size}"), whole(0, POINTS), "points", zh, en)
    };
    vec![
        price("draft", "1K", "草稿 1K 单价", "Price of a draft, 1K"),
        price("draft", "2K", "草稿 2K 单价", "Price of a draft, 2K"),
        price("draft", "4K", "草稿 4K 单价", "Price of a draft, 4K"),
        price("final", "1K", "成品 1K 单价", "Price of a final picture, 1K"),
        price("final", "2K", "成品 2K 单价", "Price of a final picture, 2K"),
        price("final", "4K", "成品 4K 单价", "Price of a final picture, 4K"),
        field(
            "pointsPerYuan",
            whole(1, POINTS),
            "points",
            "自定义金额充值时每元兑换的积分",
            "Points for one yuan, when a free amount is bought",
        ),
        field(
            "signUpBonus",
            whole(0, POINTS),
            "points",
            "新用户奖励",
            "For a new user; 0 gives none",
        ),
        field(
            "checkIn",
            FieldKind::Wholes { min: 0, max: POINTS, most: 366 },
            "points",
            "连续签到第 1、2、… 天的积分，最后一项适用于之后各天",
            "For each day of a streak; the last holds for all later ones",
        ),
        field("invite.reward", whole(0, POINTS), "points", "邀请奖励", "For each user one brought"),
        field(
            "invite.on",
            FieldKind::Choice(&["first_job", "first_payment"]),
            "",
            "邀请奖励发放时机",
            "What the invited user must have done",
        ),
        field(
            "invite.cap",
            whole(0, ANY),
            "users",
            "每位用户最多奖励的邀请人数",
            "How many invited users one is rewarded for",
        ),
    ]
}

fn entitlements() -> Vec<Field> {
    let of = |level: &str| {
        let at = |name: &str| format!("{level}.{name}");
        [
            field(
                at("freePerDay"),
                maybe(0, ANY),
                "pictures",
                "每日免费张数（空为不限）",
                "Free pictures a day; empty: no limit",
            ),
            field(
                at("freePerMonth"),
                maybe(0, ANY),
                "pictures",
                "每月免费张数（空为不限）",
                "Free pictures a month; empty: no limit",
            ),
            field(
                at("fairUsePerDay"),
                maybe(0, ANY),
                "pictures",
                "每日总张数上限，积分也不能突破（空为不限）",
                "Pictures a day at all, points do not lift it; empty: no limit",
            ),
            field(
                at("maxResolution"),
                FieldKind::Choice(&["1K", "2K", "4K"]),
                "",
                "最高分辨率",
                "The largest resolution",
            ),
            field(at("concurrency"), whole(1, 1000), "jobs", "同时进行的任务数", "Jobs at once"),
            field(
                at("weight"),
                whole(1, 100),
                "",
                "排队权重",
                "Share of the workers when levels compete",
            ),
            field(
                at("historyDays"),
                maybe(1, 36_500),
                "days",
                "作品保存天数（空为永久）",
                "Days that results are kept; empty: for ever",
            ),
            field(
                at("pointsAllowed"),
                FieldKind::YesOrNo,
                "",
                "免费额度用完后可用积分",
                "Whether points may pay for more",
            ),
        ]
    };
    ["NORMAL", "VIP", "SVIP"].into_iter().flat_map(of).collect()
}

fn jobs() -> Vec<Field> {
    vec![
        field("deadlineS", whole(1, 86_400), "seconds", "任务最长时间", "A job fails after"),
        field(
            "lateGraceS",
            whole(0, 86_400),
            "seconds",
            "超时后仍接收结果的时间",
            "A late result is still delivered for",
        ),
        field("retry.maxAttempts", whole(1, 100), "", "最多尝试次数", "Tries in all"),
        field(
            "retry.firstDelayMs",
            whole(1, 2000),
            "milliseconds",
            "首次重试前等待",
            "Before the second try",
        ),
        field(
            "retry.maxDelayMs",
            whole(1000, 3_600_000),
            "milliseconds",
            "重试间隔上限（不小于首次等待）",
            "Between later tries at most; not less than the first delay",
        ),
    ]
}

fn label() -> Vec<Field> {
    let text = |max| FieldKind::Text { min: 1, max, is_optional: false };
    vec![
        field("visible", FieldKind::YesOrNo, "", "在图片角落显示标识", "A mark in the corner"),
        field("text", text(16), "", "标识文字", "What the mark says"),
        field("producer", text(64), "", "元数据中的制作者", "The producer in the metadata"),
    ]
}

fn membership() -> Vec<Field> {
    vec![
        field(
            "monthlyPoints.VIP",
            whole(0, POINTS),
            "points",
            "VIP 每月赠送积分",
            "A month of VIP",
        ),
        field(
            "monthlyPoints.SVIP",
            whole(0, POINTS),
            "points",
            "SVIP 每月赠送积分",
            "A month of SVIP",
        ),
        field(
            "reminderDays",
            whole(0, 30),
            "days",
            "到期前提醒天数（0 为不提醒）",
            "Days before the end a member is reminded; 0: not",
        ),
    ]
}

fn payment() -> Vec<Field> {
    let mut all = Vec::new();
    for (product, platform, zh, en) in [
        ("vip", "ios", "会员 · iOS 支付渠道", "Channel for memberships, iOS"),
        ("vip", "android", "会员 · Android 支付渠道", "Channel for memberships, Android"),
        ("vip", "other", "会员 · 其他平台支付渠道", "Channel for memberships, elsewhere"),
        ("points", "ios", "积分 · iOS 支付渠道", "Channel for points, iOS"),
        ("points", "android", "积分 · Android 支付渠道", "Channel for points, Android"),
        ("points", "other", "积分 · 其他平台支付渠道", "Channel for points, elsewhere"),
    ] {
        let rules = &["auto", "wechat", "virtual", "wechat_only", "virtual_only"];
        let path = format!("channels.{product}.{platform}");
        all.push(field(path, FieldKind::Choice(rules), "", zh, en));
    }
    all.extend([
        field("orderMinutes", whole(1, 120), "minutes", "订单支付时限", "An order expires after"),
        field(
            "maxPendingPerUser",
            whole(1, 1000),
            "orders",
            "每位用户待支付订单上限",
            "Orders of one user waiting at once",
        ),
        field(
            "askAfterS",
            FieldKind::Wholes { min: 1, max: 7200, most: 50 },
            "seconds",
            "支付开始后主动查询的时间点（递增）",
            "When WeChat is asked about a payment, ascending",
        ),
        field("askConcurrency", whole(1, 100), "", "同时查询数", "Questions to WeChat at once"),
        field(
            "syncEveryS",
            whole(0, 60),
            "seconds",
            "用户主动刷新的最短间隔",
            "Between two questions that a user asks for",
        ),
        field(
            "reportShipping",
            FieldKind::YesOrNo,
            "",
            "向微信上报发货",
            "Report to WeChat that goods were delivered",
        ),
        field(
            "refusedKeptPerHour",
            whole(0, 100_000),
            "",
            "每小时保留的被拒通知数",
            "Refused notifications kept an hour",
        ),
    ]);
    all
}

fn gallery() -> Vec<Field> {
    vec![
        field(
            "holdForReview",
            FieldKind::YesOrNo,
            "",
            "所有图片先审后发",
            "Every picture waits for a reviewer",
        ),
        field(
            "reportsToHide",
            whole(0, 1000),
            "reports",
            "被举报多少次后自动隐藏（0 为不自动）",
            "Reports that hide a picture; 0: none do",
        ),
    ]
}

fn moderation() -> Vec<Field> {
    vec![
        field(
            "checker",
            FieldKind::Choice(&["off", "words", "wechat"]),
            "",
            "内容安全检查方式",
            "Who looks at texts and pictures",
        ),
        field(
            "promptsWhenUnavailable",
            FieldKind::Choice(&["allow", "refuse"]),
            "",
            "微信不可用时的提示词处理",
            "Prompts while WeChat cannot be asked",
        ),
        field(
            "verdictMinutes",
            whole(1, 1440),
            "minutes",
            "等待图片检查结果的时间",
            "A verdict on a picture is waited for",
        ),
        field("pictureAttempts", whole(1, 10), "", "图片检查次数", "Questions about one picture"),
    ]
}

fn limits() -> Vec<Field> {
    let rate = |path, zh, en| field(path, maybe(0, i64::from(RATE_MAX)), "requests", zh, en);
    vec![
        rate(
            "perIp",
            "每个地址每分钟请求数（0 为不限，否则不少于 60；空为按环境变量）",
            "Requests a minute of one address; 0: no limit, else at least 60; empty: as the environment",
        ),
        rate(
            "perUser",
            "每位用户每分钟请求数（0 为不限；空为按环境变量）",
            "Requests a minute of one user; 0: no limit; empty: as the environment",
        ),
        rate(
            "loginPerIp",
            "每个地址每分钟登录次数，含后台（0 为不限；空为按环境变量）",
            "Log-ins a minute of one address, the admin page's too; 0: no limit; empty: as the environment",
        ),
        rate(
            "generatePerUser",
            "每位用户每分钟提交生图次数（0 为不限；空为按环境变量）",
            "Generations a minute of one user; 0: no limit; empty: as the environment",
        ),
        rate(
            "exportPerUser",
            "每位用户每分钟导出个人数据次数（0 为不限；空为按环境变量）",
            "Exports a minute of one user's data; 0: no limit; empty: as the environment",
        ),
    ]
}

#[cfg(test)]
mod tests;
