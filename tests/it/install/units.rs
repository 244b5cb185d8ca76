//! The units and the scripts as their own tools see them, where these tools are installed.

use std::process::Command;

use super::fixture::repository;

/// The most that `systemd-analyze security` may find open, of 10.
const MAX_EXPOSURE: f64 = 1.5;

/// What a command prints, or nothing where it is not installed.
fn output(program: &str, args: &[&str]) -> Option<(bool, String)> {
    let output = Command::new(program).args(args).current_dir(repository("")).output().ok()?;
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn the_scripts_are_what_shellcheck_likes() {
    for script in [
        &["-x", "install.sh"][..],
        &["installer/machine.sh", "installer/settings.sh", "installer/obtain.sh"],
        &["installer/service.sh", "installer/upgrade.sh", "systemd/dream-bff.sh", ".ci/release"],
        &["tests/install/run.sh", "tests/install/fake/systemctl", "tests/install/fake/journalctl"],
        &["tests/install/broken-program", "tests/install/inside.sh"],
    ] {
        let Some((is_clean, said)) = output("shellcheck", script) else { return };
        assert!(is_clean, "{said}");
    }
}

#[test]
fn the_service_is_shut_in() {
    let unit = repository("systemd/dream-bff.service");
    let args = ["security", "--offline=true", "--no-pager", unit.to_str().unwrap()];
    let Some((_, said)) = output("systemd-analyze", &args) else { return };
    if said.contains("unrecognized option") {
        // Before systemd 250 it looks at running systems only.
        return;
    }
    let level = said.split("Overall exposure level for ").nth(1).expect(&said);
    let level = level.split_whitespace().nth(1).expect(&said);
    let exposure: f64 = level.parse().expect(&said);
    assert!(exposure <= MAX_EXPOSURE, "exposure {exposure}: {said}");
}

/// A setting that the unit passes over silently would be one that is not there.
#[test]
fn systemd_understands_every_line_of_the_units() {
    for unit in ["dream-bff.service", "dream-bff.socket", "dream-bff-http.socket"] {
        let path = repository("systemd").join(unit);
        let Some((_, said)) = output("systemd-analyze", &["verify", path.to_str().unwrap()]) else {
            return;
        };
        let complaints: Vec<_> = said
            .lines()
            .filter(|line| line.contains("systemd/dream-bff"))
            // These two are newer than some of the systems we run on, which do without.
            .filter(|line| {
                !line.contains("'RestartSteps'") && !line.contains("'RestartMaxDelaySec'")
            })
            .collect();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}
