//! The database, its log, its counters and its backups.

use std::time::Duration;

use super::Patient;
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
    let text = format!("not known: {problem}");
    Some(Finding::warn(check, text, "see what is said about the database"))
}

pub(super) async fn database(patient: &Patient) -> Finding {
    const CHECK: &str = "database";
    if let Some(problem) = &patient.app.facts.database_problem {
        let hint = "start `dream-bff serve` once, or `dream-bff migrate`; check DATA_DIR";
        return Finding::fail(CHECK, problem.clone(), hint);
    }
    let size = patient.app.db.files().database / MIB;
    let limit = patient.patience().saturating_sub(MARGIN);
    let full = patient.extent == Extent::Full;
    match patient.app.db.check_integrity(full, limit).await {
        Integrity::Whole => {
            let how = if full { "every index included" } else { "a quick check" };
            Finding::pass(CHECK, format!("{size} MiB, whole ({how})"))
        }
        Integrity::NotFinished => Finding::warn(
            CHECK,
            format!("{size} MiB, not looked over to the end"),
            "run `dream-bff doctor --full` at a quiet time",
        ),
        Integrity::Broken(lines) => Finding::fail(
            CHECK,
            format!("is damaged: {}", lines.join("; ")),
            "stop the server, keep a copy of the file, restore the last good backup; look at the disk",
        ),
        Integrity::Unreadable(problem) => Finding::fail(
            CHECK,
            format!("cannot be read: {problem}"),
            "look at the disk, and at the owner and mode of the file",
        ),
    }
}

pub(super) fn wal(patient: &Patient) -> Finding {
    if let Some(finding) = unusable(patient, "wal") {
        return finding;
    }
    let bytes = patient.app.db.files().log;
    let text = format!("the log has {} MiB", bytes / MIB);
    if bytes > LOG_HIGH {
        return Finding::warn(
            "wal",
            text,
            "something reads for very long (a copy, a shell on the file): end it, and the log shrinks",
        );
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
            Finding::pass(CHECK, "every counter is what the rows come to")
        }
        Ok(found) => Finding::warn(
            CHECK,
            format!("{} counters are not what the rows come to", found.len()),
            "numbers on the admin page are off, no money is; they are counted anew by a repair",
        ),
        Err(err) => Finding::fail(CHECK, err.to_string(), "see the log of the server"),
    }
}

/// The last good backup, the last run and the last drill, as the server itself sees them.
pub(super) async fn backups(patient: &Patient) -> Finding {
    const CHECK: &str = "backups";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    let hint = "see docs/backup.md; without a good backup a broken disk is the end";
    let status = match backups::service::status(&patient.app) {
        Ok(status) => status,
        Err(err) => return Finding::fail(CHECK, error_chain(&err), hint),
    };
    let age_hours =
        |at: UnixMillis| patient.app.clock.now().0.saturating_sub(at.0).max(0) / HOUR_MS;
    let problem = |run: &Option<Run>| run.as_ref().and_then(|run| run.problem.clone());
    if let Some(why) = problem(&status.last_drill) {
        return Finding::fail(CHECK, format!("the last drill came to nothing: {why}"), hint);
    }
    let Some(last) = &status.last_good else {
        let why = problem(&status.last_run).map(|why| format!(": {why}")).unwrap_or_default();
        return Finding::warn(CHECK, format!("there is no good one{why}"), hint);
    };
    let text = format!("the last good one is {} hours old", age_hours(last.taken_at));
    if status.every_hours == 0 {
        return Finding::warn(CHECK, format!("{text}, and none is made by itself"), hint);
    }
    if status.is_late {
        let why = problem(&status.last_run).map(|why| format!("; the last try: {why}"));
        return Finding::warn(CHECK, format!("{text}{}", why.unwrap_or_default()), hint);
    }
    match &status.last_drill {
        _ if status.is_drill_late => Finding::warn(
            CHECK,
            format!("{text}, and none was tried out for long"),
            "run a drill: see docs/backup.md",
        ),
        Some(drill) => {
            let days = age_hours(drill.ended_at) / 24;
            Finding::pass(CHECK, format!("{text}; a drill went well {days} days ago"))
        }
        None => Finding::pass(CHECK, text),
    }
}
