//! Backups by hand: runs that begin at somebody's word and go on without him, and a copy to take away.

use std::fs::File;
use std::sync::Arc;

use serde_json::json;

use super::{Turn, Wish, begin, list, make_in, runs, status, try_in};
use crate::app::App;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::backups::model::{
    Backup, BackupError, BackupKind, BackupName, BackupStatus, Cause, Run, RunKind,
};

/// Runs of a kind that are shown.
const RUNS: i64 = 20;

/// How backups stand, which there are on this machine, and how the last runs ended.
#[derive(Clone, Debug)]
pub struct Overview {
    pub status: BackupStatus,
    /// The newest first.
    pub kept: Vec<Backup>,
    /// Backups and drills, the last that ended first.
    pub runs: Vec<Run>,
    /// Of these, the last restore for a try that went well.
    pub last_verified: Option<Run>,
}

/// Reads some small files.
///
/// # Errors
/// When the folder or the database cannot be read.
pub async fn overview(app: &App) -> Result<Overview, BackupError> {
    let drills = runs(app, RunKind::Drill, RUNS)?;
    let last_verified = drills.iter().find(|run| run.is_good()).cloned();
    let mut all = runs(app, RunKind::Backup, RUNS)?;
    all.extend(drills);
    all.sort_by_key(|run| std::cmp::Reverse(run.ended_at));
    let kept = list(&app.backups, false).await?;
    Ok(Overview { status: status(app)?, kept, runs: all, last_verified })
}

/// Begins a backup, or a restore of the newest one for a try, and returns; how it ended is in the list of
/// runs and in the log.
///
/// # Errors
/// `Running` while another run is under way; what the database fails with. Nothing has begun then.
pub async fn start(app: &Arc<App>, by: Actor, kind: RunKind) -> Result<(), BackupError> {
    let turn = begin(app, kind)?;
    let action = match kind {
        RunKind::Backup => "backup.started",
        RunKind::Drill => "backup.drill_started",
    };
    note(app, by, action, "backups:all".to_owned(), 0).await?;
    let app = Arc::clone(app);
    tokio::spawn(async move { run(&app, turn, kind).await });
    Ok(())
}

/// Its outcome is stored and logged where it ends.
async fn run(app: &Arc<App>, turn: Arc<Turn>, kind: RunKind) {
    match kind {
        RunKind::Backup => {
            let wish = Wish { media: app.backups.with_media, upload: app.backups.bucket.is_some() };
            let _ = make_in(app, Ok(turn), Cause::Admin, wish).await;
        }
        RunKind::Drill => {
            let _ = try_in(app, Ok(turn), Cause::Admin).await;
        }
    }
}

/// A backup on this machine by its name. Names lead nowhere else: only what is listed is found.
///
/// # Errors
/// `NotFound`; when the folder cannot be read.
pub async fn find(app: &App, name: &str) -> Result<Backup, BackupError> {
    let all = list(&app.backups, false).await?;
    let found = all.into_iter().find(|backup| backup.name == name);
    found.ok_or_else(|| BackupError::NotFound(name.to_owned()))
}

/// The database of a backup, open to be sent away.
#[derive(Debug)]
pub struct Taken {
    /// What the file is called.
    pub file_name: String,
    pub file: File,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// Opens the database of a backup on this machine. Everything that the service knows is in it, so the
/// audit log keeps who took it, before he has a byte.
///
/// # Errors
/// `NotFound`; `File` when it cannot be read; what the database fails with.
pub async fn take(app: &App, by: Actor, name: &str) -> Result<Taken, BackupError> {
    let file_name = file_name(&find(app, name).await?);
    let path = app.backups.dir.join(&file_name);
    let opening = tokio::task::spawn_blocking(move || {
        let file = File::open(&path).map_err(BackupError::file(&path))?;
        let bytes = file.metadata().map_err(BackupError::file(&path))?.len();
        Ok::<_, BackupError>((file, bytes))
    });
    let (file, bytes) = opening.await.map_err(|err| BackupError::Thread(err.into()))??;
    note(app, by, "backup.downloaded", format!("backup:{name}"), bytes).await?;
    Ok(Taken { file_name, file, bytes })
}

/// The file that holds the database of a backup.
pub fn file_name(backup: &Backup) -> String {
    match (backup.kind, BackupName::parse(&backup.name)) {
        (BackupKind::Full, Some(name)) => name.database(),
        _ => backup.name.clone(),
    }
}

async fn note(
    app: &App,
    by: Actor,
    action: &'static str,
    object: String,
    bytes: u64,
) -> Result<(), BackupError> {
    let now = app.clock.now();
    let after = if bytes > 0 { json!({ "bytes": bytes }) } else { json!({}) };
    let entry = AuditEntry { actor: by, action, object, before: json!({}), after };
    app.db.write("backups.audit", move |tx| audit::service::record(tx, &entry, now)).await?;
    Ok(())
}
