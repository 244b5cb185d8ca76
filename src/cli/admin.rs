//! `admin`: makes administrators, lists them, and lets in who cannot log in any more. Works beside a
//! running server, where it holds at once.

use std::error::Error;
use std::io::{self, BufRead as _};

use clap::{Subcommand, ValueEnum};

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::config::StorageConfig;
use crate::db::{Db, DbSettings};
use crate::features::admin::Role;
use crate::features::admin::service::accounts::Offline;

/// Longest password that is read, in bytes.
const MAX_INPUT: u64 = 4096;

#[derive(clap::Args, Debug)]
pub(super) struct AdminArgs {
    #[command(subcommand)]
    action: Action,
}

/// Where the administrators are, and how new passwords are kept.
#[derive(clap::Args, Debug)]
struct Common {
    #[command(flatten)]
    storage: StorageConfig,
    /// Rounds of PBKDF2-HMAC-SHA256 over a password (600000–20000000).
    #[arg(long, env = "ADMIN_PASSWORD_ROUNDS", default_value_t = 600_000, value_parser = clap::value_parser!(u32).range(600_000..=20_000_000))]
    admin_password_rounds: u32,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make an administrator; asks for his password.
    Add {
        /// 2 to 32 letters, digits, `.`, `_` or `-`.
        #[arg(long)]
        name: String,
        /// What he may do.
        #[arg(long, value_enum, default_value = "owner")]
        role: RoleArg,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Give an administrator another password, log him out everywhere and let him in again, also when he
    /// was locked out or disabled.
    ResetPassword {
        #[arg(long)]
        name: String,
        /// Take his second factor away too.
        #[arg(long)]
        remove_second_factor: bool,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        common: Box<Common>,
    },
    /// List the administrators.
    List {
        #[command(flatten)]
        common: Box<Common>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    /// Sees everything but secrets.
    Viewer,
    /// And decides what is shown.
    Content,
    /// And runs the business.
    Operator,
    /// And everything else.
    Owner,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Content => Self::Content,
            RoleArg::Operator => Self::Operator,
            RoleArg::Owner => Self::Owner,
        }
    }
}

pub(super) fn run(args: AdminArgs) -> Result<(), Box<dyn Error>> {
    let (clock, rng) = (Clock::system(), Rng::system());
    // Before the database is opened: a password that is not there must not leave a file behind.
    let (action, common) = Prepared::of(args.action)?;
    let storage = &common.storage;
    let settings = DbSettings::new(storage.database_path(), storage.backups_dir());
    let db = Db::open(settings, &clock)?;
    let rounds = common.admin_password_rounds;
    let done = action.run(&Offline { db: &db, rng: &rng, now: clock.now(), rounds });
    db.close();
    done
}

/// An action with everything that a person types.
enum Prepared {
    Add { name: String, role: Role, password: Secret<String> },
    ResetPassword { name: String, remove_second_factor: bool, password: Secret<String> },
    List,
}

impl Prepared {
    fn of(action: Action) -> io::Result<(Self, Box<Common>)> {
        Ok(match action {
            Action::Add { name, role, password_stdin, common } => {
                let password = password(password_stdin)?;
                (Self::Add { name, role: role.into(), password }, common)
            }
            Action::ResetPassword { name, remove_second_factor, password_stdin, common } => {
                let password = password(password_stdin)?;
                (Self::ResetPassword { name, remove_second_factor, password }, common)
            }
            Action::List { common } => (Self::List, common),
        })
    }

    #[expect(clippy::print_stdout, reason = "this is the output")]
    fn run(self, admins: &Offline<'_>) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Add { name, role, password } => {
                admins.add(&name, role, &password)?;
                println!("{name} is {} now", role.key().to_lowercase());
            }
            Self::ResetPassword { name, remove_second_factor, password } => {
                admins.reset_password(&name, &password, remove_second_factor)?;
                println!("{name} has another password and is logged out everywhere");
            }
            Self::List => {
                for admin in admins.list()? {
                    let state = match (admin.disabled_at, admin.last_login_at) {
                        (Some(at), _) => format!("disabled since {}", at.rfc3339()),
                        (None, Some(at)) => format!("last log-in {}", at.rfc3339()),
                        (None, None) => "never logged in".to_owned(),
                    };
                    let second = if admin.has_totp { "second factor" } else { "password only" };
                    let role = admin.role.key().to_lowercase();
                    println!("{}\t{role}\t{second}\t{state}", admin.username);
                }
            }
        }
        Ok(())
    }
}

/// Typed twice without being shown, or one line of standard input.
fn password(from_stdin: bool) -> io::Result<Secret<String>> {
    if from_stdin {
        let mut line = String::new();
        io::Read::take(io::stdin().lock(), MAX_INPUT).read_line(&mut line)?;
        return Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()));
    }
    let first = rpassword::prompt_password("Password (12 characters at least): ")?;
    let again = rpassword::prompt_password("Once more: ")?;
    if first == again {
        Ok(Secret::new(first))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the two passwords differ"))
    }
}

/// Said once, to whoever starts the first server: where the first owner is made.
pub(super) fn setup_notice(public_url: &str, token: &Secret<String>) -> String {
    let token = token.expose();
    format!(
        "\n   There is no administrator yet. Open this link within 24 hours to become the owner:\n\n   \
         {public_url}/admin/#/setup?token={token}\n\n   \
         (A restart prints a new one. Or: dream-bff admin add --name NAME)\n"
    )
}
