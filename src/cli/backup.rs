//! `backup` makes one now; `backups list` says which there are.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::sandbox_mode;
use crate::app::backup::{BackupPlace, Keep};
use crate::base::clock::{Clock, Stopwatch};
use crate::base::low_priority;
use crate::config::{BackupConfig, MediaConfig, StorageConfig};
use crate::db::{Db, DbSettings, copy_schema, schema_version};
use crate::features::backups::service::{self, Made, Wish};
use crate::features::backups::{Backup, BackupKind, Cause};

const MIB: f64 = 1024.0 * 1024.0;

#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// Put it into this folder instead of the usual one; nothing in there is ever removed.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Keep the pictures of STORAGE=local too.
    #[arg(long)]
    media: bool,
    /// Upload it to BACKUP_S3_BUCKET too.
    #[arg(long)]
    upload: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Args, Debug)]
pub(super) struct BackupsArgs {
    #[command(subcommand)]
    command: BackupsCommand,
}

#[derive(Subcommand, Debug)]
enum BackupsCommand {
    /// List the backups and the copies from before migrations, newest first.
    List(ListArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Ask the bucket too.
    #[arg(long)]
    remote: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Which database, and where its backups are.
#[derive(Args, Debug)]
pub(super) struct PlaceArgs {
    /// It is the database of `serve --sandbox`.
    #[arg(long)]
    sandbox: bool,
    #[command(flatten)]
    storage: StorageConfig,
    #[command(flatten)]
    media: MediaConfig,
    #[command(flatten)]
    backup: BackupConfig,
}

impl PlaceArgs {
    /// # Errors
    /// When the settings of the bucket are not complete.
    pub(super) fn place(&self, clock: &Clock) -> Result<BackupPlace, Box<dyn Error>> {
        let mut storage = self.storage.clone();
        if self.sandbox {
            storage.database_url = Some(sandbox_mode::database(&storage));
        }
        Ok(BackupPlace::new(&storage, &self.media, &self.backup, clock)?)
    }
}

pub(super) fn run(args: &BackupArgs) -> Result<(), Box<dyn Error>> {
    let clock = Clock::system();
    let mut place = args.place.place(&clock)?;
    if let Some(output) = &args.output {
        place.dir = output.clone();
        place.keep = Keep { count: u32::MAX, days: u32::MAX };
        place.keep_migrations = u32::MAX;
    }
    // A server on this machine comes first here too.
    low_priority::give_way();
    let wish = Wish { media: args.media || place.with_media, upload: args.upload };
    let (started_at, since) = (clock.now(), Stopwatch::start());
    let made = service::in_runtime(service::make(&place, &clock, wish));
    if args.output.is_none() {
        let run = service::run_of(Cause::Command, started_at, clock.now(), &since, &made);
        record(&place, &clock, run);
    }
    let made = made?;
    print(&place, &made);
    match made.problem {
        Some(problem) => Err(problem.into()),
        None => Ok(()),
    }
}

/// Lets the server know, where its database is one that this program may write to.
#[expect(clippy::print_stderr, reason = "the command line talks to a person")]
fn record(place: &BackupPlace, clock: &Clock, run: crate::features::backups::Run) {
    if copy_schema(&place.database).ok() != Some(schema_version()) {
        return;
    }
    let stored = Db::open(DbSettings::new(&place.database, &place.dir), clock).map(|db| {
        let stored = service::record_blocking(&db, run);
        db.close();
        stored
    });
    if !matches!(stored, Ok(Ok(()))) {
        eprintln!("dream-bff: the database could not be told of this run");
    }
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print(place: &BackupPlace, made: &Made) {
    let manifest = &made.manifest;
    println!("{}", place.dir.join(format!("{}.db.zst", manifest.name)).display());
    println!(
        "  {:.1} MiB of {:.1} MiB, schema {}, {:.1} s ({:.1} s of copying)",
        to_mib(manifest.bytes()),
        to_mib(manifest.plain.bytes),
        manifest.schema,
        made.took_ms / 1000.0,
        made.copy_ms / 1000.0,
    );
    println!(
        "  checked: restored, whole, the books of {} users and {} paid orders added up",
        manifest.books.users, manifest.books.paid_orders
    );
    let kept = if manifest.media.is_kept { "kept too" } else { "listed" };
    println!(
        "  {} pictures of {:.1} MiB {kept}",
        manifest.media.files,
        to_mib(manifest.media.bytes)
    );
    if made.is_uploaded == Some(true) {
        println!("  uploaded");
    }
    for name in &made.removed {
        println!("  removed {name}");
    }
}

pub(super) fn list(args: &BackupsArgs) -> Result<(), Box<dyn Error>> {
    let BackupsCommand::List(args) = &args.command;
    let place = args.place.place(&Clock::system())?;
    let all = service::in_runtime(service::list(&place, args.remote))?;
    if args.json {
        print_json(&all)
    } else {
        print_table(&place, &all);
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print_json(all: &[Backup]) -> Result<(), Box<dyn Error>> {
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "kind": kind(one),
                "takenAt": one.taken_at.rfc3339(),
                "bytes": one.bytes,
                "isGood": one.is_good(),
                "isLocal": one.is_local,
                "isRemote": one.is_remote,
                "manifest": one.manifest,
            })
        })
        .collect();
    println!("{}", serde_json::to_string_pretty(&rows)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print_table(place: &BackupPlace, all: &[Backup]) {
    if all.is_empty() {
        println!("no backups in {}", place.dir.display());
    }
    for one in all {
        let state = match (one.is_good(), one.kind) {
            (true, _) => "good",
            (false, BackupKind::Full) => "books do not balance",
            (false, BackupKind::PreMigration) => "from before a migration",
        };
        let places = match (one.is_local, one.is_remote) {
            (true, true) => "here and in the bucket",
            (false, true) => "in the bucket",
            _ => "here",
        };
        println!(
            "{}  {}  {:>9.1} MiB  {state}, {places}",
            one.taken_at.rfc3339_shanghai(),
            one.name,
            to_mib(one.bytes),
        );
    }
}

fn kind(one: &Backup) -> &'static str {
    match one.kind {
        BackupKind::Full => "full",
        BackupKind::PreMigration => "pre-migration",
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
pub(super) fn to_mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}
