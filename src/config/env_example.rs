//! `.env.example` is written from the settings themselves; the test fails when it is stale.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Args as _, Command};

use super::Config;
use super::parse::example;

fn rendered() -> String {
    let command = Config::augment_args(Command::new("serve"));
    let mut text = String::from(
        "# The settings of dream-bff. Copy to .env (or to the service's environment file) and fill in.\n\
         # A line that is commented out shows the default or, where there is none, an example.\n\
         # The same settings are flags: dream-bff serve --help\n",
    );
    let mut heading = None;
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env() else { continue };
        let name = name.to_string_lossy();
        let this = arg.get_help_heading().unwrap_or("Settings");
        if heading != Some(this) {
            write!(text, "\n# ---- {this} ----\n").unwrap();
            heading = Some(this);
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        text.push('\n');
        for line in help.lines() {
            writeln!(text, "# {line}").unwrap();
        }
        writeln!(text, "#{name}={}", example(arg)).unwrap();
    }
    text
}

#[test]
fn the_example_file_lists_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    let want = rendered();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &want).unwrap();
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(have, want, "stale: run UPDATE_SNAPSHOTS=1 cargo test, look at the diff, commit it");
}
