//! `/backups`: how they stand, making one, trying one, taking one away.

use std::sync::Arc;

use poem::Body;
use poem::http::header;
use poem_openapi::param::Path;
use poem_openapi::payload::{Attachment, AttachmentType, Json, Response};
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::{Owner, OwnerSteppedUp, Viewer};
use super::list::shown;
use crate::app::App;
use crate::features::backups::service::by_hand::{self as service, Overview};
use crate::features::backups::{Backup, BackupError, BackupKind, Run, RunKind, UnderWay};
use crate::http::{ApiError, ErrorCode, MessageResponse, file_body};

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "camelCase")]
enum BackupRunKind {
    /// Makes a backup.
    Backup,
    /// Restores one beside the database for a try.
    Drill,
}

impl From<RunKind> for BackupRunKind {
    fn from(kind: RunKind) -> Self {
        match kind {
            RunKind::Backup => Self::Backup,
            RunKind::Drill => Self::Drill,
        }
    }
}

/// What sort of copy a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "camelCase")]
enum BackupItemKind {
    /// Compressed and checked.
    Full,
    /// The bare database from before a migration.
    PreMigration,
}

impl From<BackupKind> for BackupItemKind {
    fn from(kind: BackupKind) -> Self {
        match kind {
            BackupKind::Full => Self::Full,
            BackupKind::PreMigration => Self::PreMigration,
        }
    }
}

/// A run that has not ended.
#[derive(Debug, Object)]
struct BackupUnderWay {
    kind: BackupRunKind,
    since: String,
}

impl From<UnderWay> for BackupUnderWay {
    fn from(run: UnderWay) -> Self {
        Self { kind: run.kind.into(), since: run.since.rfc3339() }
    }
}

/// A backup on this machine. Sizes in bytes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BackupItem {
    name: String,
    kind: BackupItemKind,
    taken_at: String,
    bytes: u64,
    /// Of the database in it; null for a copy from before a migration.
    database_bytes: Option<u64>,
    /// Whether it was checked when it was made, and its books balanced.
    is_good: bool,
    /// What it holds; null for a copy from before a migration.
    users: Option<i64>,
    paid_orders: Option<i64>,
}

impl From<Backup> for BackupItem {
    fn from(backup: Backup) -> Self {
        let manifest = backup.manifest.as_ref();
        Self {
            is_good: backup.is_good(),
            kind: backup.kind.into(),
            taken_at: backup.taken_at.rfc3339(),
            bytes: backup.bytes,
            database_bytes: manifest.map(|manifest| manifest.plain.bytes),
            users: manifest.map(|manifest| manifest.books.users),
            paid_orders: manifest.map(|manifest| manifest.books.paid_orders),
            name: backup.name,
        }
    }
}

/// A run that has ended. Sizes in bytes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BackupRun {
    kind: BackupRunKind,
    /// `schedule`, `admin` or `command`.
    cause: String,
    /// The backup that was made or tried; null when it came to none.
    name: Option<String>,
    started_at: String,
    ended_at: String,
    took_ms: i64,
    bytes: i64,
    /// Whether it went to the bucket too; null when it was not to.
    is_uploaded: Option<bool>,
    /// What went wrong; null when all went well.
    problem: Option<String>,
}

impl From<Run> for BackupRun {
    fn from(run: Run) -> Self {
        Self {
            kind: run.kind.into(),
            cause: run.cause.as_str().to_owned(),
            name: run.name,
            started_at: run.started_at.rfc3339(),
            ended_at: run.ended_at.rfc3339(),
            took_ms: run.took_ms,
            bytes: run.bytes,
            is_uploaded: run.is_uploaded,
            problem: run.problem,
        }
    }
}

/// How backups stand. Sizes in bytes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Backups {
    /// Hours between two; 0 when none is made by itself.
    every_hours: u32,
    /// Null when none is made by itself.
    next_due: Option<String>,
    /// Null when nothing is under way.
    under_way: Option<BackupUnderWay>,
    /// When the newest one was taken that was checked and whose books balance.
    last_good_at: Option<String>,
    /// Whether that is longer ago than it should be.
    is_late: bool,
    /// When a restore for a try last went well, and which backup it was.
    last_verified_at: Option<String>,
    last_verified_name: Option<String>,
    /// Whether one should have been since.
    is_drill_late: bool,
    /// Whether copies go to a bucket too.
    has_bucket: bool,
    kept_bytes: u64,
    /// What may still be written where they lie; null when it cannot be said.
    free_bytes: Option<u64>,
    /// On this machine, the newest first.
    items: Vec<BackupItem>,
    /// The last runs of each kind, the last that ended first.
    runs: Vec<BackupRun>,
}

impl From<Overview> for Backups {
    fn from(overview: Overview) -> Self {
        let Overview { status, kept, runs, last_verified } = overview;
        Self {
            every_hours: status.every_hours,
            next_due: shown(status.next_due),
            under_way: status.under_way.map(BackupUnderWay::from),
            last_good_at: shown(status.last_good.map(|backup| backup.taken_at)),
            is_late: status.is_late,
            last_verified_at: shown(last_verified.as_ref().map(|run| run.ended_at)),
            last_verified_name: last_verified.and_then(|run| run.name),
            is_drill_late: status.is_drill_late,
            has_bucket: status.has_bucket,
            kept_bytes: status.kept_bytes,
            free_bytes: status.free_bytes,
            items: kept.into_iter().map(BackupItem::from).collect(),
            runs: runs.into_iter().map(BackupRun::from).collect(),
        }
    }
}

/// A file to be taken away, and what it is recognised by.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BackupFile {
    /// What the file will be called.
    file_name: String,
    taken_at: String,
    /// Of the file, in bytes.
    bytes: u64,
    /// SHA-256 of the file in hexadecimal; null for a copy from before a migration.
    sha256: Option<String>,
}

impl From<Backup> for BackupFile {
    fn from(backup: Backup) -> Self {
        let database = backup.manifest.as_ref().map(|manifest| &manifest.database);
        Self {
            file_name: service::file_name(&backup),
            taken_at: backup.taken_at.rfc3339(),
            bytes: database.map_or(backup.bytes, |file| file.bytes),
            sha256: database.map(|file| file.sha256.clone()),
        }
    }
}

/// Backups.
pub(super) struct BackupsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/backups", tag = "AdminTag::System")]
impl BackupsApi {
    /// How backups stand
    ///
    /// With those on this machine and how the last runs ended.
    #[oai(path = "/", method = "get", operation_id = "getBackups")]
    async fn overview(&self, _admin: Viewer) -> Result<Json<Backups>, ApiError> {
        Ok(Json(service::overview(&self.app).await?.into()))
    }

    /// Make a backup now
    ///
    /// It begins at once and goes on by itself; how it ended is among the runs. Errors: `INVALID_STATE`
    /// while another run is under way.
    #[oai(path = "/run", method = "post", operation_id = "makeBackup")]
    async fn make(&self, admin: Owner) -> Result<Json<MessageResponse>, ApiError> {
        service::start(&self.app, admin.actor(), RunKind::Backup).await?;
        Ok(Json(MessageResponse::new("备份已开始")))
    }

    /// Try a restore now
    ///
    /// Restores the newest backup beside the database and checks it; nothing in use is touched. It goes on
    /// by itself, and how it ended is among the runs. Errors: `INVALID_STATE` while another run is under
    /// way.
    #[oai(path = "/drill", method = "post", operation_id = "tryRestore")]
    async fn try_restore(&self, admin: Owner) -> Result<Json<MessageResponse>, ApiError> {
        service::start(&self.app, admin.actor(), RunKind::Drill).await?;
        Ok(Json(MessageResponse::new("恢复演练已开始")))
    }

    /// What a download of a backup would be
    ///
    /// Asks for the same as the download, so that a link to it works at once. Errors: `NOT_FOUND`.
    #[oai(path = "/:name", method = "get", operation_id = "getBackup")]
    async fn get(
        &self,
        _admin: OwnerSteppedUp,
        name: Path<String>,
    ) -> Result<Json<BackupFile>, ApiError> {
        Ok(Json(service::find(&self.app, &name.0).await?.into()))
    }

    /// Download a backup
    ///
    /// The database of one on this machine, as it lies there: everything that the service knows is in it.
    /// Errors: `NOT_FOUND`.
    #[oai(path = "/:name/download", method = "get", operation_id = "downloadBackup")]
    async fn download(
        &self,
        admin: OwnerSteppedUp,
        name: Path<String>,
    ) -> Result<Response<Attachment<Body>>, ApiError> {
        let taken = service::take(&self.app, admin.actor(), &name.0).await?;
        let body = file_body(taken.file, 0, taken.bytes);
        let attachment = Attachment::new(body)
            .attachment_type(AttachmentType::Attachment)
            .filename(taken.file_name);
        Ok(Response::new(attachment).header(header::CONTENT_LENGTH, taken.bytes))
    }
}

impl From<BackupError> for ApiError {
    fn from(err: BackupError) -> Self {
        let answer = match &err {
            BackupError::Running(_) => Self::new(ErrorCode::InvalidState).message(
                "已有备份或恢复正在进行，请等它结束",
                "A backup or restore is under way; wait for its end",
            ),
            BackupError::NotFound(_) => Self::new(ErrorCode::NotFound),
            BackupError::Read(db) => Self::new(db.into()),
            BackupError::NoSpace { .. }
            | BackupError::InUse(_)
            | BackupError::NoDatabase(_)
            | BackupError::Snapshot(_)
            | BackupError::File { .. }
            | BackupError::Copy { .. }
            | BackupError::Open(_)
            | BackupError::Different { .. }
            | BackupError::NotABackup(_)
            | BackupError::Truncated(_)
            | BackupError::Bucket(_)
            | BackupError::NoBucket
            | BackupError::Unbalanced { .. }
            | BackupError::Thread(_) => Self::new(ErrorCode::InternalError),
        };
        answer.caused_by(err)
    }
}
