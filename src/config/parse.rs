//! From command line, environment and `.env` to the settings, and from clap's errors to one line.

use std::fmt;
use std::path::Path;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

/// A setting that stops the start: one line with the variable, what is wrong and an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    problem: String,
    example: String,
}

impl ConfigError {
    /// `variable` is needed and not set.
    pub fn missing(variable: &str, example: &str) -> Self {
        Self::wrong(variable, "is not set", example)
    }

    /// `variable` has a value that cannot be used. The problem must not repeat a secret.
    pub fn wrong(variable: &str, problem: &str, example: &str) -> Self {
        Self {
            variable: variable.to_owned(),
            problem: problem.to_owned(),
            example: example.to_owned(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; example: {}", self.variable, self.problem, self.example)
    }
}

impl std::error::Error for ConfigError {}

/// Reads `.env` of the working folder into the environment, behind what is set already. Must run
/// before other threads exist.
///
/// # Errors
/// When the file exists and cannot be read or understood.
pub fn load_dotenv() -> Result<(), ConfigError> {
    let path = Path::new(".env");
    match dotenvy::from_path(path) {
        Ok(()) => Ok(()),
        Err(err) if err.not_found() => Ok(()),
        // The error's text may repeat the line, and with it a secret.
        Err(dotenvy::Error::LineParse(_, at)) => Err(ConfigError::wrong(
            ".env",
            &format!("has a line that cannot be read, near its character {at}"),
            "NAME=value",
        )),
        Err(_) => Err(ConfigError::wrong(".env", "cannot be read", "chmod 600 .env")),
    }
}

/// Treats variables that are set to nothing as not set, as people who write `NAME=` mean it.
pub fn ignore_empty_variables(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        if is_empty_in_environment(&arg) { arg.env(Resettable::Reset) } else { arg }
    });
    command.mut_subcommands(ignore_empty_variables)
}

fn is_empty_in_environment(arg: &Arg) -> bool {
    arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty())
}

/// The one line for a bad value, or `None` for what is not about a value (help, unknown flags).
pub fn one_line(command: &Command, err: &clap::Error) -> Option<ConfigError> {
    if !matches!(err.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return None;
    }
    let ContextValue::String(shown) = err.get(ContextKind::InvalidArg)? else { return None };
    let flag = shown.trim_start_matches('-').split([' ', '=']).next()?;
    let arg = find(command, flag)?;
    let variable = arg.get_env()?.to_string_lossy().into_owned();
    let value = match err.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) if !arg.is_hide_env_values_set() => format!("{value:?} "),
        _ => String::new(),
    };
    let why = match (std::error::Error::source(err), err.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(valid))) => format!("is none of {}", valid.join(", ")),
        (None, _) => "cannot be used".to_owned(),
    };
    let example = format!("{variable}={}", example(arg));
    Some(ConfigError { problem: format!("has a bad value: {value}{why}"), variable, example })
}

/// What a good value looks like: the default, else the value name. A default that is hidden is
/// somebody's secret.
pub fn example(arg: &Arg) -> String {
    match arg.get_default_values().first().filter(|_| !arg.is_hide_default_value_set()) {
        Some(default) => default.to_string_lossy().into_owned(),
        None => arg
            .get_value_names()
            .and_then(|names| names.first())
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn find<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
    own.or_else(|| command.get_subcommands().find_map(|sub| find(sub, flag)))
}
