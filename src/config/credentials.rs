//! Settings from files: systemd's `LoadCredential=` puts secrets into a folder that only the service
//! can read, and names it in `CREDENTIALS_DIRECTORY`.
//!
//! The file `NAME` there is the value of the setting `NAME` unless the environment (or `.env`) sets it
//! to something. So a secret need not stand in the environment, which every child process inherits and
//! `/proc` shows. One line end at the file's end does not count.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::{Arg, Command};

use super::parse::ConfigError;

/// The variable that names the folder.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";

/// No setting is longer; systemd itself allows 1 MiB.
const MAX_BYTES: u64 = 64 * 1024;

/// Anybody may write.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// Fills the settings of `command` and its sub-commands from the folder of credentials, if there is one.
///
/// # Errors
/// When a credential cannot be read, is no text, or may be written by anybody.
pub fn fill(command: Command) -> Result<Command, ConfigError> {
    match std::env::var_os(FOLDER) {
        Some(folder) if !folder.is_empty() => fill_from(command, &PathBuf::from(folder)),
        _ => Ok(command),
    }
}

fn fill_from(mut command: Command, folder: &Path) -> Result<Command, ConfigError> {
    let mut found = Vec::new();
    collect(&command, folder, &mut found)?;
    for (name, value) in found {
        // The default of a setting is the one thing that environment and flags both override. It lives
        // as long as the process, as the settings do.
        let value: &'static str = Box::leak(value.into_boxed_str());
        command = with_default(command, &name, OsStr::from(value));
    }
    Ok(command)
}

fn with_default(command: Command, name: &str, value: OsStr) -> Command {
    let is_it = |arg: &Arg| arg.get_env().is_some_and(|env| env == name);
    let command = command.mut_args(|arg| match is_it(&arg) {
        true => arg.default_value(value.clone()).hide_default_value(true),
        false => arg,
    });
    command.mut_subcommands(|sub| with_default(sub, name, value.clone()))
}

/// The settings of `command` for which there is a file, by their names.
fn collect(
    command: &Command,
    folder: &Path,
    found: &mut Vec<(String, String)>,
) -> Result<(), ConfigError> {
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env().and_then(std::ffi::OsStr::to_str) else { continue };
        if found.iter().any(|(known, _)| known == name) {
            continue;
        }
        if let Some(value) = read(&folder.join(name)).map_err(|problem| {
            ConfigError::wrong(
                name,
                &problem,
                &format!("LoadCredential={name}:/etc/secrets/{name}"),
            )
        })? {
            found.push((name.to_owned(), value));
        }
    }
    command.get_subcommands().try_for_each(|sub| collect(sub, folder, found))
}

/// The text of the file, or `None` when there is none or it is empty. Problems do not repeat it.
fn read(path: &Path) -> Result<Option<String>, String> {
    let shown = path.display();
    let failed = |err: &io::Error| format!("cannot be read from {shown}: {err}");
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(failed(&err)),
    };
    let mode = file.metadata().map_err(|err| failed(&err))?.permissions().mode();
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(format!("comes from {shown}, which anybody may write (chmod 0400)"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|err| failed(&err))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("comes from {shown}, which is larger than 64 KiB"));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| format!("comes from {shown}, which is no text"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Args as _;
    use tempfile::TempDir;

    use super::*;
    use crate::config::Config;

    fn filled(folder: &Path) -> Result<clap::ArgMatches, ConfigError> {
        let serve = Config::augment_args(Command::new("serve"));
        // What the machine's own environment sets is not the matter here.
        let command = Command::new("test").subcommand(serve);
        let command = fill_from(command, folder)?;
        let command = command
            .mut_subcommands(|sub| sub.mut_args(|arg| arg.env(clap::builder::Resettable::Reset)));
        let matches = command.clone().try_get_matches_from(["test", "serve"]).unwrap();
        let help = command.clone().find_subcommand_mut("serve").unwrap().render_long_help();
        assert!(!help.to_string().contains("hunter2"), "help shows no secret");
        Ok(matches.subcommand_matches("serve").unwrap().clone())
    }

    #[test]
    fn a_file_is_the_value_of_the_setting_of_its_name() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("JWT_SECRET"), "hunter2 with spaces \n").unwrap();
        fs::write(folder.path().join("PORT"), "").unwrap();
        fs::write(folder.path().join("UNKNOWN"), "x").unwrap();
        let matches = filled(folder.path()).unwrap();
        let config = <Config as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
        let secret = config.security.jwt_secret.unwrap();
        assert_eq!(secret.expose(), "hunter2 with spaces ");
        assert_eq!(config.http.port, None);
    }

    #[test]
    fn what_cannot_be_a_setting_stops_the_start_and_is_not_repeated() {
        for (bytes, mode, problem) in [
            (&b"hunter2\xff"[..], 0o400, "no text"),
            (b"hunter2", 0o402, "anybody may write"),
            (&[b'a'; 65 * 1024], 0o400, "larger than 64 KiB"),
        ] {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("JWT_SECRET");
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = filled(folder.path()).unwrap_err().to_string();
            assert!(said.starts_with("JWT_SECRET ") && said.contains(problem), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
