//! What is wrong with this process, its machine, its backups and its certificate.

use crate::app::App;
use crate::app::tls::TlsSource;
use crate::base::error_chain::error_chain;
use crate::base::machine::free_bytes;
use crate::base::time::UnixMillis;
use crate::clients::image_api::BreakerState;
use crate::features::admin::model::home::{Need, NeedKind};
use crate::features::admin::service::tasks;
use crate::features::alerts::{self, Rule};
use crate::features::backups;

/// A certificate is renewed a month before its end, so there is still time to see why it was not.
const CERTIFICATE_MS: i64 = 14 * 86_400_000;

/// All of it, the most urgent first. Reads some small files.
pub(super) fn needs(app: &App) -> Vec<Need> {
    let upstreams = app.upstreams.states();
    let down = upstreams.iter().filter(|state| state.breaker != BreakerState::Closed).count();
    let is_low = free_bytes(&app.scratch_dir).is_some_and(|free| free < app.min_free_bytes);
    let mut found = vec![
        some(NeedKind::UpstreamDown, down),
        some(NeedKind::TaskFailing, tasks::failing(app)),
        some(NeedKind::DiskLow, usize::from(is_low)),
        certificate(app),
    ];
    found.extend(of_backups(app));
    found.into_iter().flatten().collect()
}

fn some(kind: NeedKind, count: usize) -> Option<Need> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    (count > 0).then_some(Need { kind, count, since: None })
}

fn one(kind: NeedKind, since: Option<UnixMillis>) -> Option<Need> {
    Some(Need { kind, count: 1, since })
}

fn of_backups(app: &App) -> Vec<Option<Need>> {
    let status = match backups::service::status(app) {
        Ok(status) => status,
        Err(err) => {
            let problem = error_chain(&err);
            tracing::warn!(problem, "how backups stand cannot be said");
            return vec![one(NeedKind::BackupFailed, None)];
        }
    };
    let failed = |run: &Option<backups::Run>, kind| {
        let run = run.as_ref().filter(|run| !run.is_good())?;
        one(kind, Some(run.ended_at))
    };
    let backup_failed = failed(&status.last_run, NeedKind::BackupFailed);
    let drill_failed = failed(&status.last_drill, NeedKind::DrillFailed);
    let good = status.last_good.as_ref().map(|backup| backup.taken_at);
    // On a new server the first one comes within minutes; that it does not is said as a failure.
    let is_late = status.is_late && good.is_some() && backup_failed.is_none();
    let late = is_late.then(|| one(NeedKind::BackupLate, good)).flatten();
    // Where there is nothing to try, that is what is wrong.
    let is_drill_late = status.is_drill_late && good.is_some() && drill_failed.is_none();
    let tried = status.last_drill.as_ref().map(|run| run.ended_at);
    let drill_late = is_drill_late.then(|| one(NeedKind::DrillLate, tried)).flatten();
    vec![backup_failed, late, drill_failed, drill_late]
}

/// Of this process, or, where a proxy has it, what the alerts last saw of it.
fn certificate(app: &App) -> Option<Need> {
    let tls = app.tls.status();
    if tls.source == TlsSource::Off {
        let states = alerts::service::states(app);
        let since = states.iter().find(|state| state.rule == Rule::Certificate)?.since?;
        return one(NeedKind::CertificateEnds, Some(since));
    }
    let is_ending = tls.not_after.is_none_or(|end| end.0 - app.clock.now().0 < CERTIFICATE_MS);
    (tls.is_placeholder || is_ending).then(|| one(NeedKind::CertificateEnds, None)).flatten()
}
