//! `openapi`: prints the API document.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use clap::{Args as _, Command, FromArgMatches as _};

use super::OpenapiArgs;
use crate::app::App;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::config::Config;
use crate::features;

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(args: &OpenapiArgs) -> Result<(), Box<dyn Error>> {
    // The document hangs on the handlers, and they on an App: a small one that is thrown away.
    let dir =
        std::env::temp_dir().join(format!("dream-bff-openapi-{}", Rng::system().token::<8>()));
    let document = document(&dir, args.admin);
    let cleaned = std::fs::remove_dir_all(&dir);
    println!("{}", document?);
    Ok(cleaned?)
}

fn document(dir: &Path, is_admin: bool) -> Result<String, Box<dyn Error>> {
    let command = Config::augment_args(Command::new("openapi").no_binary_name(true));
    let matches = command.try_get_matches_from([format!("--data-dir={}", dir.display())])?;
    let mut config = Config::from_arg_matches(&matches)?;
    // Whatever the environment says: this must not touch a real database.
    config.storage.database_url = None;
    let app: Arc<App> = App::open(&config, Clock::system(), Rng::system())?;
    let document =
        if is_admin { features::admin_api(&app).spec() } else { features::api(&app).spec() };
    app.db.close();
    Ok(document)
}
