//! `seed`: fills a fresh database with demo data.

use std::error::Error;

use super::{SeedArgs, seed};
use crate::base::clock::Clock;
use crate::db::{Db, DbSettings};

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(args: &SeedArgs) -> Result<(), Box<dyn Error>> {
    let settings = DbSettings::new(args.storage.database_path(), args.storage.backups_dir());
    let db = Db::open(settings, &Clock::system())?;
    let media_base = format!("{}/media", args.public_url.as_str());
    let report = seed::run(&db, &args.options, &media_base);
    db.close();
    println!("{}", report?);
    Ok(())
}
