//! `seed`: fills a fresh database with demo data.

use std::error::Error;

use super::{SeedArgs, seed};
use crate::app::media;
use crate::base::clock::Clock;
use crate::db::{Db, DbSettings};

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(args: &SeedArgs) -> Result<(), Box<dyn Error>> {
    let settings = DbSettings::new(args.storage.database_path(), args.storage.backups_dir());
    let clock = Clock::system();
    let db = Db::open(settings, &clock)?;
    let storage = media::open_storage(&args.storage, &args.media, &clock)?;
    let base_url = media::base_url(&args.media, args.public_url.as_str());
    let media = seed::MediaPlace { storage: &*storage, base_url: &base_url };
    let report = seed::run(&db, &args.options, media);
    db.close();
    println!("{}", report?);
    Ok(())
}
