//! The command line: one file per sub-command.

mod admin;
mod backup;
mod books;
mod doctor;
mod existing;
mod health;
mod log_signal;
mod logging;
mod migrate;
mod openapi;
mod rehearse;
mod restore;
mod sandbox_mode;
mod seed_command;
mod serve;
mod statistics;

pub mod seed;

use std::error::Error;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::base::bilingual::Language;
use crate::base::error_chain::error_chain;
use crate::config::parse::{ignore_empty_variables, load_dotenv, one_line};
use crate::config::{Config, ConfigError, MediaConfig, StorageConfig, credentials};

/// A setting stopped the start.
const EXIT_CONFIG: u8 = 2;

/// The backend of a WeChat mini-program for AI images: one binary on one small server.
///
/// Try it without any account: `dream-bff serve --sandbox`. Every setting is a flag, an environment
/// variable and a line of `.env`; `dream-bff serve --help` lists them all.
#[derive(Parser, Debug)]
#[command(name = "dream-bff", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server.
    Serve(Box<ServeArgs>),
    /// Fill a fresh database with demo data; run it before `serve`, with the same settings.
    Seed(Box<SeedArgs>),
    /// Print the API document (OpenAPI, JSON).
    Openapi(OpenapiArgs),
    /// Make, list and let in again administrators of the admin page.
    Admin(admin::AdminArgs),
    /// Bring the database up to date and say what was done; `serve` does the same by itself.
    Migrate(MigrateArgs),
    /// Check every user's balance of points against his ledger; exit status 1 when one differs.
    Books(BooksArgs),
    /// Check the counters of the statistics against what they count; exit status 1 when one differs.
    Statistics(statistics::StatisticsArgs),
    /// Make a backup now, checked; works beside a running server.
    Backup(Box<backup::BackupArgs>),
    /// Say which backups there are.
    Backups(Box<backup::BackupsArgs>),
    /// Put a backup in the place of the database; the server must be stopped.
    Restore(Box<restore::RestoreArgs>),
    /// Check everything the server depends on and say how to mend what is not well; exit status 0: all
    /// is well, 1: something is worth a look, 2: something does not work.
    Doctor(Box<DoctorArgs>),
    /// Ask the running server whether it is ready; exit status 1 when it is not, or does not answer.
    Health(Box<HealthArgs>),
    /// Print the versions of the program and of its parts.
    Version,
}

#[derive(clap::Args, Debug)]
struct ServeArgs {
    /// Run with simulators of WeChat and the image API and a database of its own: no account needed.
    #[arg(long)]
    sandbox: bool,
    #[command(flatten)]
    config: Config,
}

#[derive(clap::Args, Debug)]
struct HealthArgs {
    /// The settings with which the server runs: they say where it listens.
    #[command(flatten)]
    config: Config,
}

#[derive(clap::Args, Debug)]
struct SeedArgs {
    #[command(flatten)]
    options: seed::SeedOptions,
    /// Address under which clients reach the server; pictures are linked below it.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:3000")]
    public_url: crate::config::values::PublicUrl,
    #[command(flatten)]
    storage: StorageConfig,
    #[command(flatten)]
    media: MediaConfig,
}

#[derive(clap::Args, Debug)]
struct OpenapiArgs {
    /// The document of the admin page instead of the mini-program's.
    #[arg(long)]
    admin: bool,
}

#[derive(clap::Args, Debug)]
struct MigrateArgs {
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Try it on a copy, while the server runs: migrate the copy, check its books, remove it.
    #[arg(long, conflicts_with = "dry_run")]
    rehearse: bool,
    /// With --rehearse: books that do not balance are told, and no failure.
    #[arg(long, requires = "rehearse")]
    ignore_books: bool,
    #[command(flatten)]
    storage: StorageConfig,
}

#[derive(clap::Args, Debug)]
struct BooksArgs {
    #[command(flatten)]
    storage: StorageConfig,
}

#[derive(clap::Args, Debug)]
struct DoctorArgs {
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
    /// Look at everything to the end, however long it takes: the whole database, all books.
    #[arg(long)]
    full: bool,
    /// The language of the findings; without it that of LC_ALL, LC_MESSAGES or LANG: Chinese where that
    /// begins with zh, else English.
    #[arg(long)]
    lang: Option<Language>,
    #[command(flatten)]
    config: Config,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let done = match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Seed(args) => seed_command::run(&args),
        Command::Openapi(args) => openapi::run(&args),
        Command::Admin(args) => admin::run(args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Books(args) => books::run(&args),
        Command::Statistics(args) => statistics::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Backups(args) => backup::list(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Doctor(args) => return doctor::run(&args),
        Command::Health(args) => health::run(&args.config),
        Command::Version => version(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            complain(&*err);
            let is_config = err.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if is_config { EXIT_CONFIG } else { 1 })
        }
    }
}

fn parse() -> Result<Cli, ExitCode> {
    let refuse = |err: &ConfigError| {
        complain(err);
        ExitCode::from(EXIT_CONFIG)
    };
    load_dotenv().map_err(|err| refuse(&err))?;
    let command = credentials::fill(Cli::command()).map_err(|err| refuse(&err))?;
    let command = ignore_empty_variables(command);
    let matches =
        command.clone().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    matches.map_err(|err| match one_line(&command, &err) {
        Some(bad) => refuse(&bad),
        // Help and version come this way too, with exit code 0.
        None => err.exit(),
    })
}

/// One line on standard error, with the whole chain of causes.
#[expect(clippy::print_stderr, reason = "the command line talks to a person")]
fn complain(err: &(dyn Error + 'static)) {
    eprintln!("dream-bff: {}", error_chain(err));
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn version() -> Result<(), Box<dyn Error>> {
    println!("dream-bff {}", env!("CARGO_PKG_VERSION"));
    println!("database schema {}", crate::db::schema_version());
    println!("SQLite {}", crate::db::sqlite_version());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn refused(args: &[&str]) -> String {
        let command = Cli::command();
        let err = command.clone().try_get_matches_from(args).unwrap_err();
        one_line(&command, &err).map(|err| err.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_bad_value_is_one_line_with_variable_problem_and_example() {
        let line = refused(&["dream-bff", "serve", "--image-api-timeout", "0"]);
        assert!(line.starts_with("IMAGE_API_TIMEOUT has a bad value: \"0\" "), "{line}");
        assert!(line.contains("1..=600"), "{line}");
        assert!(line.ends_with("example: IMAGE_API_TIMEOUT=120"), "{line}");
        assert!(!line.contains('\n'), "{line}");

        let line = refused(&["dream-bff", "serve", "--log-format", "xml"]);
        assert_eq!(
            line,
            "LOG_FORMAT has a bad value: \"xml\" is none of pretty, json; example: LOG_FORMAT=pretty"
        );

        let line =
            refused(&["dream-bff", "serve", "--wechat-api-base", "http://api.weixin.qq.com"]);
        assert!(line.contains("plain http is allowed on this machine only"), "{line}");
    }
}
