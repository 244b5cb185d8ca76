//! The `generation_attempts` table.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::generations::model::{Attempt, JobId, Phase};

/// Attempts of one job that are kept, the last ones.
const KEPT: i64 = 20;

/// So many characters of a prompt in what an image API says are a quotation of it. A shorter prompt than
/// [`QUOTED_LEAST`] says nothing about anybody, and would be found in any text.
const QUOTED: i64 = 16;
const QUOTED_LEAST: i64 = 4;

/// Notes how an attempt ended; told again, as when its pictures come late, the last word counts. Of a job
/// that is gone nothing is noted. What quotes the prompt is cut there.
pub(in crate::features::generations) fn note(
    tx: &Tx<'_>,
    job: &JobId,
    attempt: &Attempt,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO generation_attempts
           (job_id, number, upstream, phase, started_at, took_ms, error_code, http_status,
            upstream_job_id, upstream_request_id, message)
         SELECT job_id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                CASE WHEN length(prompt) >= ?13 AND instr(?11, substr(prompt, 1, ?12)) > 0
                     THEN substr(?11, 1, instr(?11, substr(prompt, 1, ?12)) - 1) || '…'
                     ELSE ?11 END
           FROM generations WHERE job_id = ?1
         ON CONFLICT (job_id, number) DO UPDATE SET
           upstream = excluded.upstream, phase = excluded.phase,
           started_at = excluded.started_at, took_ms = excluded.took_ms,
           error_code = excluded.error_code, http_status = excluded.http_status,
           upstream_job_id = excluded.upstream_job_id,
           upstream_request_id = excluded.upstream_request_id, message = excluded.message",
        params![
            job.as_str(),
            attempt.number,
            attempt.upstream,
            attempt.phase.as_str(),
            attempt.started_at,
            attempt.took_ms,
            attempt.error_code,
            attempt.http_status,
            attempt.upstream_job_id,
            attempt.upstream_request_id,
            attempt.message,
            QUOTED,
            QUOTED_LEAST
        ],
    )?;
    if attempt.number > KEPT {
        tx.execute(
            "DELETE FROM generation_attempts WHERE job_id = ?1 AND number <= ?2",
            params![job.as_str(), attempt.number.saturating_sub(KEPT)],
        )?;
    }
    Ok(())
}

/// The attempts of a job, in their order.
pub(in crate::features::generations) fn of(
    tx: &Tx<'_>,
    job: &JobId,
) -> Result<Vec<Attempt>, DbError> {
    tx.query_all(
        "SELECT number, upstream, phase, started_at, took_ms, error_code, http_status,
                upstream_job_id, upstream_request_id, message
           FROM generation_attempts WHERE job_id = ?1 ORDER BY number",
        params![job.as_str()],
        |row| {
            let (phase, started_at): (String, UnixMillis) = (row.get(2)?, row.get(3)?);
            Ok(Attempt {
                number: row.get(0)?,
                upstream: row.get(1)?,
                phase: Phase::from_stored(&phase),
                started_at,
                took_ms: row.get(4)?,
                error_code: row.get(5)?,
                http_status: row.get(6)?,
                upstream_job_id: row.get(7)?,
                upstream_request_id: row.get(8)?,
                message: row.get(9)?,
            })
        },
    )
}

/// With the job.
pub(in crate::features::generations) fn remove(tx: &Tx<'_>, job: &JobId) -> Result<(), DbError> {
    tx.execute("DELETE FROM generation_attempts WHERE job_id = ?1", params![job.as_str()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::db::{Db, DbSettings};

    #[tokio::test]
    async fn the_last_attempts_are_kept_and_of_a_job_that_is_gone_none() {
        let dir = tempfile::tempdir().unwrap();
        let settings = DbSettings::new(dir.path().join("dream.db"), dir.path().join("backups"));
        let db = Db::open(settings, &Clock::system()).unwrap();
        let kept = db.write("test", |tx| {
            tx.execute(
                "INSERT INTO users (id, openid, created_at, updated_at) VALUES (1, 'a', 1, 1)",
                [],
            )?;
            tx.execute(
                "INSERT INTO generations
                   (job_id, user_id, prompt, mode, resolution, aspect_ratio, sample_count,
                    quota_day, quota_used, points_charged, deadline_at, created_at, updated_at)
                 VALUES (?1, 1, 'a fox in the snow', 'draft', '1K', '1:1', 1, '2026-01-29', 0, 0,
                         1, 1, 1)",
                params!["0".repeat(32)],
            )?;
            let there = JobId::from_stored("0".repeat(32));
            let gone = JobId::from_stored("1".repeat(32));
            for number in 1..=25 {
                let attempt = Attempt {
                    number,
                    upstream: "main".to_owned(),
                    phase: Phase::Submit,
                    started_at: UnixMillis(number),
                    took_ms: 1,
                    error_code: Some("PROVIDER_ERROR".to_owned()),
                    http_status: Some(502),
                    upstream_job_id: None,
                    upstream_request_id: None,
                    message: Some("said: a fox in the sno".to_owned()),
                };
                note(tx, &there, &attempt)?;
                note(tx, &gone, &attempt)?;
                // Told again, the last word counts.
                note(tx, &there, &Attempt { took_ms: 2, ..attempt })?;
            }
            assert_eq!(of(tx, &gone)?, []);
            of(tx, &there)
        });
        let kept: Vec<Attempt> = kept.await.unwrap();
        let numbers: Vec<_> = kept.iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, (6..=25).collect::<Vec<_>>());
        assert!(kept.iter().all(|attempt| attempt.took_ms == 2));
        assert_eq!(kept[0].message.as_deref(), Some("said: …"), "a quotation that was cut too");
    }
}
