//! What each rule looks at: the same sources as metrics and doctor.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::app::App;
use crate::base::bilingual::Bilingual;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::clients::image_api::BreakerState;
use crate::features::alerts::model::{Rule, Seen};
use crate::features::backups;
use crate::features::doctor::{Level, service::look_at};
use crate::features::settings::Alerts;
use crate::features::vitals::{self, Check, Vitals};

const MINUTE_MS: i64 = 60_000;

/// A notification that is processed takes milliseconds.
const STUCK_MS: i64 = 2 * MINUTE_MS;

/// Over how long requests are counted.
const WINDOW_MS: i64 = 5 * MINUTE_MS;

/// The certificate is looked at once in so long: it takes a connection.
const CERTIFICATE_EVERY_MS: i64 = 60 * MINUTE_MS;

/// A write that takes longer than this is stuck.
const WRITE_PATIENCE: Duration = Duration::from_secs(15);

/// What earlier looks have left.
#[derive(Default)]
pub(super) struct Samples {
    /// When this process first looked.
    first_at: Option<UnixMillis>,
    /// Requests and failures at a time, within the window.
    requests: VecDeque<(UnixMillis, u64, u64)>,
    certificate_at: Option<UnixMillis>,
}

/// How long a problem must last before it is told, in milliseconds.
pub(super) fn patience_ms(rule: Rule, wanted: &Alerts) -> i64 {
    match rule {
        Rule::BreakerOpen => i64::from(wanted.breaker_minutes).saturating_mul(MINUTE_MS),
        Rule::PaidNotCredited
        | Rule::BooksDiffer
        | Rule::BackupFailed
        | Rule::Disk
        | Rule::Certificate
        | Rule::ErrorRate
        | Rule::WriterStuck => 0,
    }
}

/// Looks at all rules.
pub(super) async fn look(
    app: &Arc<App>,
    wanted: &Alerts,
    samples: &Mutex<Samples>,
) -> Vec<(Rule, Seen)> {
    let now = app.clock.now();
    let vitals = vitals::service::vitals(app).await.ok();
    let of_vitals = |read: fn(&Vitals) -> Seen| vitals.as_deref().map_or(Seen::Unknown, read);
    let certificate = match is_certificate_due(samples, app, now) {
        true => by_doctor(app, "certificate").await,
        false => Seen::Unknown,
    };
    let is_young = is_young(samples, now);
    // What is counted since the start is no good news before it was counted for a while: after a restart
    // it would end what goes on.
    let counted = |seen| if is_young && seen == Seen::Well { Seen::Unknown } else { seen };
    vec![
        (Rule::PaidNotCredited, of_vitals(paid_not_credited)),
        (Rule::BooksDiffer, of_vitals(books)),
        (Rule::BreakerOpen, counted(breaker(app))),
        (Rule::BackupFailed, backups(app, is_young).await),
        (Rule::Disk, by_doctor(app, "disk").await),
        (Rule::Certificate, certificate),
        (Rule::ErrorRate, counted(error_rate(app, wanted, samples, now))),
        (Rule::WriterStuck, writer(app).await),
    ]
}

/// The last backup or drill came to nothing, or the schedule is not kept. That there is none is a problem
/// only where one should be: not before the first one of a new server is due, and not where none is
/// wanted. Doctor warns of it all the same.
async fn backups(app: &Arc<App>, is_young: bool) -> Seen {
    let status = match backups::service::status(app) {
        Ok(status) => status,
        Err(err) => {
            let why = error_chain(&err);
            return problem(format!("无法得知备份的状态：{why}"), why);
        }
    };
    if let Some(why) = status.last_run.as_ref().and_then(|run| run.problem.as_deref()) {
        return problem(
            format!("上次备份失败：{why}"),
            format!("the last one came to nothing: {why}"),
        );
    }
    let has_failed = status.last_drill.as_ref().is_some_and(|drill| !drill.is_good());
    let is_late = status.is_late && (status.last_good.is_some() || !is_young);
    if has_failed || is_late { by_doctor(app, "backups").await } else { Seen::Well }
}

/// What doctor calls a warning is a problem here: there is time to mend it.
async fn by_doctor(app: &Arc<App>, check: &str) -> Seen {
    match look_at(app, check).await {
        None => Seen::Unknown,
        Some(finding) if finding.level == Level::Pass => Seen::Well,
        Some(finding) => match (finding.message, finding.hint) {
            (text, Some(hint)) => {
                problem(format!("{}（{}）", text.zh, hint.zh), format!("{} ({})", text.en, hint.en))
            }
            (text, None) => Seen::Problem(text),
        },
    }
}

fn problem(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Seen {
    Seen::Problem(Bilingual::new(zh, en))
}

/// Whether this process has looked for less than the window.
fn is_young(samples: &Mutex<Samples>, now: UnixMillis) -> bool {
    let first_at = *samples.lock().first_at.get_or_insert(now);
    now.0.saturating_sub(first_at.0) < WINDOW_MS
}

fn is_certificate_due(samples: &Mutex<Samples>, app: &App, now: UnixMillis) -> bool {
    let mut samples = samples.lock();
    let is_due = app.facts.public_url.starts_with("https://")
        && samples.certificate_at.is_none_or(|at| now.0 - at.0 >= CERTIFICATE_EVERY_MS);
    if is_due {
        samples.certificate_at = Some(now);
    }
    is_due
}

fn paid_not_credited(vitals: &Vitals) -> Seen {
    let missing = vitals.not_credited();
    if missing > 0 {
        return problem(
            format!("微信账单里有 {missing} 笔付款没有到账"),
            format!("{missing} payments of WeChat's bills are not credited"),
        );
    }
    let open = vitals.events_open;
    let Some(since) = open.since else { return Seen::Well };
    let (count, waited) = (open.count, vitals.at.0.saturating_sub(since.0));
    if waited <= STUCK_MS {
        return Seen::Well;
    }
    let seconds = waited / 1000;
    problem(
        format!("{count} 条支付通知没有处理，最早的等了 {seconds} 秒"),
        format!("{count} notifications of payments are not processed, the oldest for {seconds} s"),
    )
}

fn books(vitals: &Vitals) -> Seen {
    let wrong = |check: Option<Check>| check.map_or(0, |check| check.wrong);
    match (wrong(vitals.points_check), wrong(vitals.money_check)) {
        (0, 0) => Seen::Well,
        (points, money) => problem(
            format!("{points} 位用户的积分、{money} 笔付款或退款对不上"),
            format!("the points of {points} users and {money} payments or refunds do not add up"),
        ),
    }
}

fn breaker(app: &App) -> Seen {
    let states = app.upstreams.states();
    let broken: Vec<_> = states
        .iter()
        .filter(|state| state.breaker != BreakerState::Closed)
        .map(|state| state.name.as_str())
        .collect();
    if broken.is_empty() {
        return Seen::Well;
    }
    let names = broken.join(", ");
    problem(
        format!("生图服务一直失败，已暂停使用：{names}"),
        format!("image APIs fail and are left alone: {names}"),
    )
}

async fn writer(app: &App) -> Seen {
    match tokio::time::timeout(WRITE_PATIENCE, app.db.check_writable()).await {
        Ok(Ok(())) => Seen::Well,
        Ok(Err(err)) => {
            problem(format!("无法写入：{err}"), format!("nothing can be written: {err}"))
        }
        Err(_) => problem("有一次写入一直没有结束", "a write does not end"),
    }
}

fn error_rate(app: &App, wanted: &Alerts, samples: &Mutex<Samples>, now: UnixMillis) -> Seen {
    let (all, errors) = app.traffic.answers_and_errors();
    let mut samples = samples.lock();
    let requests = &mut samples.requests;
    // The newest that is older than the window is where counting begins.
    while requests.get(1).is_some_and(|(at, ..)| now.0.saturating_sub(at.0) >= WINDOW_MS) {
        requests.pop_front();
    }
    requests.push_back((now, all, errors));
    let Some((_, all_then, errors_then)) = requests.front().copied() else { return Seen::Unknown };
    let (all, errors) = (all.saturating_sub(all_then), errors.saturating_sub(errors_then));
    let is_much = errors >= u64::from(wanted.error_min)
        && errors.saturating_mul(100) > all.saturating_mul(u64::from(wanted.error_percent));
    match is_much {
        false => Seen::Well,
        true => problem(
            format!("五分钟内 {all} 个请求失败了 {errors} 个"),
            format!("{errors} of {all} requests failed within five minutes"),
        ),
    }
}
