//! `statistics`: checks the counters of the statistics against the rows that they count, and counts anew.

use std::error::Error;

use tokio::runtime::Builder;

use super::existing;
use crate::base::clock::Clock;
use crate::config::StorageConfig;
use crate::db::{DatabaseLock, Db};
use crate::features::stats::StatsDifference;
use crate::features::stats::service::{compare, rebuild};

#[derive(clap::Args, Debug)]
pub(super) struct StatisticsArgs {
    /// Count anew from the rows; the server must be stopped.
    #[arg(long)]
    recount: bool,
    #[command(flatten)]
    storage: StorageConfig,
}

/// Counters are wrong. Which ones was printed.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} counters are not what the rows come to; stop the server and run `dream-bff statistics --recount`"
)]
struct Wrong(usize);

pub(super) fn run(args: &StatisticsArgs) -> Result<(), Box<dyn Error>> {
    let db = existing::open(&args.storage, &Clock::system())?;
    // Counting anew holds up all other writes, and what a server has in memory would be counted twice.
    let _lock = match args.recount {
        true => Some(DatabaseLock::take(&args.storage.database_path())?),
        false => None,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(examine(&db, args.recount));
    db.close();
    done
}

async fn examine(db: &Db, recount: bool) -> Result<(), Box<dyn Error>> {
    let mut found = compare(db).await?;
    print(&found);
    if recount && !found.is_empty() {
        rebuild(db).await?;
        let before = found.len();
        found = compare(db).await?;
        print(&found);
        say(&format!("{before} counters were wrong and are counted anew"));
    }
    if !found.is_empty() {
        return Err(Wrong(found.len()).into());
    }
    say("every counter is what the rows come to");
    Ok(())
}

fn print(found: &[StatsDifference]) {
    for difference in found {
        say(&difference.to_string());
    }
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn say(line: &str) {
    println!("{line}");
}
