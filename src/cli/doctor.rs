//! `doctor`: looks at everything that a server depends on, and says how to mend what is not well.

use std::error::Error;
use std::process::ExitCode;

use tokio::runtime::Builder;

use super::DoctorArgs;
use crate::app::App;
use crate::base::bilingual::Language;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::features::doctor::service::examine;
use crate::features::doctor::{Extent, Level, Report};

/// Something is worth a look.
const EXIT_WARN: u8 = 1;

/// Something does not work.
const EXIT_FAIL: u8 = 2;

/// Examines, prints, and says with the exit status how it stands: 0 all is well, 1 something is worth a
/// look, 2 something does not work or doctor itself could not.
pub(super) fn run(args: &DoctorArgs) -> ExitCode {
    match report(args).and_then(|report| print(args, &report).map(|()| report)) {
        Ok(report) => match report.level {
            Level::Pass => ExitCode::SUCCESS,
            Level::Warn => ExitCode::from(EXIT_WARN),
            Level::Fail => ExitCode::from(EXIT_FAIL),
        },
        Err(err) => {
            super::complain(&*err);
            ExitCode::from(EXIT_FAIL)
        }
    }
}

fn report(args: &DoctorArgs) -> Result<Report, Box<dyn Error>> {
    // What must lie somewhere lies here for the moment; the data folder is left as it is.
    let name = format!("dream-bff-doctor-{}", Rng::system().token::<8>());
    let scratch = std::env::temp_dir().join(name);
    let examined = examined(args, &scratch);
    // Nothing of worth is in it, and it may never have been made.
    let _ = std::fs::remove_dir_all(&scratch);
    examined
}

fn examined(args: &DoctorArgs, scratch: &std::path::Path) -> Result<Report, Box<dyn Error>> {
    let extent = if args.full { Extent::Full } else { Extent::Quick };
    let (clock, rng) = (Clock::system(), Rng::system());
    let app = App::open_to_look(&args.config, scratch.to_owned(), clock, rng)?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(examine(&app, extent));
    // A check that was given up may still hold a thread.
    runtime.shutdown_background();
    Ok(report)
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print(args: &DoctorArgs, report: &Report) -> Result<(), Box<dyn Error>> {
    let of_terminal = || Language::of_terminal(|name| std::env::var(name).ok());
    let language = args.lang.unwrap_or_else(of_terminal);
    let told = report.told(language);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    for finding in &told.findings {
        println!("{finding}");
    }
    let [pass, warn, fail] =
        [Level::Pass, Level::Warn, Level::Fail].map(|level| report.count(level));
    match language {
        Language::Zh => println!("\n{pass} 项正常，{warn} 项注意，{fail} 项失败"),
        Language::En => println!("\n{pass} pass, {warn} warn, {fail} fail"),
    }
    Ok(())
}
