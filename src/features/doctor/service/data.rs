//! The database, its log, its counters and its backups.

use std::error::Error;
use std::time::Duration;

use super::Patient;
use crate::base::bilingual::Bilingual;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::db::Integrity;
use crate::features::backups::{self, Run};
use crate::features::doctor::model::{Extent, Finding};
use crate::features::stats;

const MIB: u64 = 1024 * 1024;

/// The log is emptied at 16 MiB and cut back to 64; beyond that somebody reads for very long.
const LOG_HIGH: u64 = 128 * MIB;

/// How much of the patience the check itself may use, so that it is stopped and not left behind.
const MARGIN: Duration = Duration::from_secs(2);

const HOUR_MS: i64 = 3_600_000;

/// The database is not one that can be looked at.
pub(super) fn unusable(patient: &Patient, check: &'static str) -> Option<Finding> {
    let problem = patient.app.facts.database_problem.as_ref()?;
    Some(Finding::warn(
        check,
        Bilingual::new(format!("无法得知：{}", problem.zh), format!("not known: {}", problem.en)),
        Bilingual::new("先处理数据库那一项", "see what is said about the database"),
    ))
}

/// The database was asked and has failed.
pub(super) fn failed(check: &'static str, err: &dyn Error) -> Finding {
    Finding::fail(
        check,
        Bilingual::new(format!("无法检查：{err}"), format!("it cannot be looked at: {err}")),
        see_the_log(),
    )
}

/// Where there is more to read than fits here.
pub(super) fn see_the_log() -> Bilingual {
    Bilingual::new("查看服务的日志", "see the log of the server")
}

pub(super) async fn database(patient: &Patient) -> Finding {
    const CHECK: &str = "database";
    if let Some(problem) = &patient.app.facts.database_problem {
        let hint = Bilingual::new(
            "先运行一次 `dream-bff serve` 或 `dream-bff migrate`；检查 DATA_DIR",
            "start `dream-bff serve` once, or `dream-bff migrate`; check DATA_DIR",
        );
        return Finding::fail(CHECK, problem.clone(), hint);
    }
    let size = patient.app.db.files().database / MIB;
    let limit = patient.patience().saturating_sub(MARGIN);
    let full = patient.extent == Extent::Full;
    match patient.app.db.check_integrity(full, limit).await {
        Integrity::Whole => {
            let how = if full {
                Bilingual::new("连同全部索引", "every index included")
            } else {
                Bilingual::new("快速检查", "a quick check")
            };
            let text = Bilingual::new(
                format!("{size} MiB，完好（{}）", how.zh),
                format!("{size} MiB, whole ({})", how.en),
            );
            Finding::pass(CHECK, text)
        }
        Integrity::NotFinished => Finding::warn(
            CHECK,
            Bilingual::new(
                format!("{size} MiB，没有查完"),
                format!("{size} MiB, not looked over to the end"),
            ),
            Bilingual::new(
                "在空闲的时候运行 `dream-bff doctor --full`",
                "run `dream-bff doctor --full` at a quiet time",
            ),
        ),
        Integrity::Broken(lines) => {
            let lines = lines.join("; ");
            Finding::fail(
                CHECK,
                Bilingual::new(format!("已经损坏：{lines}"), format!("is damaged: {lines}")),
                Bilingual::new(
                    "停止服务，把这个文件留一份，从最近的好备份恢复；并检查磁盘",
                    "stop the server, keep a copy of the file, restore the last good backup; look at \
                     the disk",
                ),
            )
        }
        Integrity::Unreadable(problem) => Finding::fail(
            CHECK,
            Bilingual::new(format!("读不了：{problem}"), format!("cannot be read: {problem}")),
            Bilingual::new(
                "检查磁盘，以及文件的所有者和权限",
                "look at the disk, and at the owner and mode of the file",
            ),
        ),
    }
}

pub(super) fn wal(patient: &Patient) -> Finding {
    if let Some(finding) = unusable(patient, "wal") {
        return finding;
    }
    let bytes = patient.app.db.files().log;
    let size = bytes / MIB;
    let text = Bilingual::new(format!("写前日志有 {size} MiB"), format!("the log has {size} MiB"));
    if bytes > LOG_HIGH {
        let hint = Bilingual::new(
            "有程序一直在读数据库（在复制，或开着命令行）：结束它，日志就会变小",
            "something reads for very long (a copy, a shell on the file): end it, and the log shrinks",
        );
        return Finding::warn("wal", text, hint);
    }
    Finding::pass("wal", text)
}

pub(super) async fn statistics(patient: &Patient) -> Finding {
    const CHECK: &str = "statistics";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    match stats::service::compare(&patient.app.db).await {
        Ok(found) if found.is_empty() => {
            let text = Bilingual::new("计数都与数据相符", "every counter is what the rows come to");
            Finding::pass(CHECK, text)
        }
        Ok(found) => Finding::warn(
            CHECK,
            Bilingual::new(
                format!("{} 个计数与数据不符", found.len()),
                format!("{} counters are not what the rows come to", found.len()),
            ),
            Bilingual::new(
                "只是管理后台上的数字不准，钱没有错；停下服务后运行 `dream-bff statistics --recount` \
                 重新统计",
                "numbers on the admin page are off, no money is; stop the server and run \
                 `dream-bff statistics --recount`",
            ),
        ),
        Err(err) => failed(CHECK, &err),
    }
}

/// The last good backup, the last run and the last drill, as the server itself sees them.
pub(super) async fn backups(patient: &Patient) -> Finding {
    const CHECK: &str = "backups";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    let hint = Bilingual::new(
        "在管理后台的「运行状态 → 备份」里现在备份一次，再看失败的原因（docs/backup.md）；没有好的备份，\
         磁盘一坏，数据就全没了",
        "make one on the admin page, System → Backups, and see why the last failed (docs/backup.md); \
         without a good one a broken disk is the end",
    );
    let status = match backups::service::status(&patient.app) {
        Ok(status) => status,
        Err(err) => {
            let why = error_chain(&err);
            let text = Bilingual::new(
                format!("无法检查：{why}"),
                format!("it cannot be looked at: {why}"),
            );
            return Finding::fail(CHECK, text, hint);
        }
    };
    let age_hours =
        |at: UnixMillis| patient.app.clock.now().0.saturating_sub(at.0).max(0) / HOUR_MS;
    let problem = |run: &Option<Run>| run.as_ref().and_then(|run| run.problem.clone());
    if let Some(why) = problem(&status.last_drill) {
        let text = Bilingual::new(
            format!("上次恢复演练失败：{why}"),
            format!("the last drill came to nothing: {why}"),
        );
        return Finding::fail(CHECK, text, hint);
    }
    let Some(last) = &status.last_good else {
        let why = problem(&status.last_run);
        let text = match why {
            Some(why) => Bilingual::new(
                format!("没有好的备份：{why}"),
                format!("there is no good one: {why}"),
            ),
            None => Bilingual::new("没有好的备份", "there is no good one"),
        };
        return Finding::warn(CHECK, text, hint);
    };
    let hours = age_hours(last.taken_at);
    let text = Bilingual::new(
        format!("最近的好备份是 {hours} 小时前的"),
        format!("the last good one is {hours} hours old"),
    );
    if status.every_hours == 0 {
        let text = Bilingual::new(
            format!("{}，而且没有开自动备份", text.zh),
            format!("{}, and none is made by itself", text.en),
        );
        return Finding::warn(CHECK, text, hint);
    }
    if status.is_late {
        let text = match problem(&status.last_run) {
            Some(why) => Bilingual::new(
                format!("{}；上次尝试：{why}", text.zh),
                format!("{}; the last try: {why}", text.en),
            ),
            None => text,
        };
        return Finding::warn(CHECK, text, hint);
    }
    match &status.last_drill {
        _ if status.is_drill_late => Finding::warn(
            CHECK,
            Bilingual::new(
                format!("{}，但很久没有演练过恢复", text.zh),
                format!("{}, and none was tried out for long", text.en),
            ),
            Bilingual::new("做一次恢复演练：见 docs/backup.md", "run a drill: see docs/backup.md"),
        ),
        Some(drill) => {
            let days = age_hours(drill.ended_at) / 24;
            let text = Bilingual::new(
                format!("{}；{days} 天前的恢复演练正常", text.zh),
                format!("{}; a drill went well {days} days ago", text.en),
            );
            Finding::pass(CHECK, text)
        }
        None => Finding::pass(CHECK, text),
    }
}
