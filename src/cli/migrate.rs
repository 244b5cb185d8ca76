//! `migrate`: brings the database up to date.

use std::error::Error;

use super::{MigrateArgs, rehearse};
use crate::base::clock::Clock;
use crate::db::{DbSettings, migrate, migration_status};

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(args: &MigrateArgs) -> Result<(), Box<dyn Error>> {
    if args.rehearse {
        return rehearse::run(&args.storage, args.ignore_books);
    }
    let path = args.storage.database_path();
    if args.dry_run {
        let status = migration_status(&path)?;
        println!(
            "{}: schema {}, this program has {}",
            path.display(),
            status.current,
            status.latest
        );
        for name in &status.pending {
            println!("would apply {name}");
        }
        return Ok(());
    }
    let settings = DbSettings::new(path.clone(), args.storage.backups_dir());
    let report = migrate(&settings, &Clock::system())?;
    if report.from == report.to {
        println!("{}: schema {}, nothing to do", path.display(), report.to);
    } else {
        println!("{}: schema {} -> {}", path.display(), report.from, report.to);
    }
    if let Some(snapshot) = &report.snapshot {
        println!("the database as it was before: {}", snapshot.display());
    }
    Ok(())
}
