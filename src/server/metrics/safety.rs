//! Backups, the drills that try them, and the certificate: what nobody misses until it is too late.

use std::sync::Arc;

use super::text::{Families, Label, number, one, signed};
use crate::app::App;
use crate::app::tls::{TlsSource, TlsStatus};
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::features::backups::{self, BackupStatus, Run};

/// Milliseconds as seconds.
const MILLIS: f64 = 1_000.0;

/// Reads some small files, off the threads that answer requests.
pub(super) async fn collect(families: &mut Families, app: &Arc<App>) {
    let looking = Arc::clone(app);
    let status = tokio::task::spawn_blocking(move || backups::service::status(&looking)).await;
    let status = match status {
        Ok(Ok(status)) => Some(status),
        Ok(Err(err)) => {
            tracing::warn!(problem = error_chain(&err), "metrics: how backups stand is not known");
            None
        }
        Err(_) => None,
    };
    kept(families, status.as_ref());
    runs(families, status.as_ref());
    certificate(families, &app.tls.status());
}

fn kept(families: &mut Families, status: Option<&BackupStatus>) {
    let good = status.and_then(|status| status.last_good.as_ref());
    families.gauge(
        "dream_backup_good_timestamp_seconds",
        "When the newest backup was taken that was checked and whose books balance, since 1970",
        good.map(|backup| seconds(backup.taken_at)),
    );
    let plain = good.and_then(|backup| backup.manifest.as_ref());
    families.gauges(
        "dream_backup_good_bytes",
        "Size of that backup as it lies there, and of the database in it",
        [
            good.map(|backup| (one("what", "file"), number(backup.bytes))),
            plain.map(|manifest| (one("what", "database"), number(manifest.plain.bytes))),
        ]
        .into_iter()
        .flatten(),
    );
    families.gauge(
        "dream_backups_kept",
        "Backups on this machine, copies from before migrations included",
        status.map(|status| number(status.kept as u64)),
    );
    families.gauge(
        "dream_backups_kept_bytes",
        "What they take",
        status.map(|status| number(status.kept_bytes)),
    );
}

fn runs(families: &mut Families, status: Option<&BackupStatus>) {
    let last: Vec<(&str, &Run)> = status
        .into_iter()
        .flat_map(|status| [("backup", &status.last_run), ("drill", &status.last_drill)])
        .filter_map(|(kind, run)| Some((kind, run.as_ref()?)))
        .collect();
    let rows = |read: fn(&Run) -> f64| -> Vec<(Vec<Label>, f64)> {
        last.iter().map(|(kind, run)| (one("kind", *kind), read(run))).collect()
    };
    families.gauges(
        "dream_backup_run_ok",
        "Whether the last backup, and the last restore for a try, went well: 1 or 0",
        rows(|run| f64::from(u8::from(run.is_good()))),
    );
    families.gauges(
        "dream_backup_run_seconds",
        "How long it took",
        rows(|run| signed(run.took_ms) / MILLIS),
    );
    families.gauges(
        "dream_backup_run_timestamp_seconds",
        "When it ended, since 1970",
        rows(|run| seconds(run.ended_at)),
    );
    let late = status.into_iter().flat_map(|status| {
        [("backup", status.is_late), ("drill", status.is_drill_late)]
            .map(|(kind, is_late)| (one("kind", kind), f64::from(u8::from(is_late))))
    });
    families.gauges(
        "dream_backup_late",
        "Whether a good backup, or a restore for a try, is missing by the schedule: 1 or 0",
        late,
    );
}

fn certificate(families: &mut Families, tls: &TlsStatus) {
    let is_on = tls.source != TlsSource::Off;
    families.gauge(
        "dream_tls_certificate_end_timestamp_seconds",
        "When the certificate ends that this process serves, since 1970",
        tls.not_after.filter(|_| is_on && !tls.is_placeholder).map(seconds),
    );
    families.gauge(
        "dream_tls_renewal_failed",
        "Whether the newest files or the newest order could not be used: 1 or 0",
        is_on.then(|| f64::from(u8::from(tls.last_error.is_some() || tls.is_placeholder))),
    );
}

fn seconds(at: UnixMillis) -> f64 {
    signed(at.0) / MILLIS
}
