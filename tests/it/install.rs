//! `install.sh`, with a stand-in for systemd and in a folder of its own: what it does to a machine, and
//! that each way out of an upgrade leads back to a server that is well.
//!
//! `tests/install/run.sh` does the same with a real systemd, by hand: it takes minutes.

mod exchange;
mod fixture;
mod release;
mod units;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use fixture::{Kind, Machine};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_dry_run_changes_nothing() {
    let machine = Machine::new();
    let release = machine.release("first", Kind::Good);
    let before = machine.listing();

    let said = machine.run(&release, &["--dry-run", "--domain", "api.example.com"]).expect_code(0);

    assert!(said.contains("would: "), "{said}");
    assert_eq!(machine.listing(), before);
}

#[test]
fn without_the_settings_that_only_the_operator_has_it_installs_and_says_which() {
    let machine = Machine::new();
    let release = machine.release("first", Kind::Good);

    let said = machine.run(&release, &[]).expect_code(3);

    assert!(said.contains("WECHAT_APPID WECHAT_SECRET"), "{said}");
    assert!(said.contains("install.sh --apply"), "{said}");
    let settings = machine.settings();
    assert!(settings.lines().any(|line| line.starts_with("JWT_SECRET=") && line.len() > 50));
    assert!(settings.contains("\n#WECHAT_APPID="), "every setting is there, commented out");
    assert_eq!(mode(&machine.path("etc/dream-bff/dream-bff.env")), 0o600);
    assert_eq!(mode(&machine.path("etc/dream-bff")), 0o750);
    assert_eq!(mode(&machine.path("var/lib/dream-bff")), 0o700);
    assert!(!machine.is_running());

    // Finished with them; the secrets that were made stay.
    let installed = machine.path("opt/dream-bff/current");
    machine.run(&installed, &[&["--apply"], &machine.needed()[..]].concat()).expect_code(0);
    assert!(machine.is_well());
    let secret =
        |text: &str| text.lines().find(|line| line.starts_with("JWT_SECRET=")).map(str::to_owned);
    assert_eq!(secret(&machine.settings()), secret(&settings));
}

#[test]
fn it_can_be_repeated() {
    let machine = Machine::new();
    let release = machine.install("first");
    let before = (machine.settings(), machine.listing_of("opt"), machine.listing_of("etc"));

    machine.run(&release, &[]).expect_code(0);

    assert_eq!((machine.settings(), machine.listing_of("opt"), machine.listing_of("etc")), before);
    assert!(machine.is_well());
}

#[test]
fn settings_keep_their_values_and_their_places() {
    let machine = Machine::new();
    machine.install("first");
    let current = machine.path("opt/dream-bff/current");
    let secret_file = machine.path("secret");
    fs::write(&secret_file, "a b#c$d").unwrap();

    let from_file = format!("IMAGE_API_KEY=@{}", secret_file.display());
    let args = ["--apply", "--set", "RUST_LOG=info,access=warn", "--set", &from_file];
    machine.run(&current, &args).expect_code(0);

    let settings = machine.settings();
    assert!(settings.contains("\nRUST_LOG=info,access=warn\n"), "{settings}");
    assert!(settings.contains("\nIMAGE_API_KEY='a b#c$d'\n"), "{settings}");
    assert_eq!(settings.matches("RUST_LOG=").count(), 1, "the example's line has taken it");
    // The command at the prompt reads the same file, quotes and all.
    fs::write(&secret_file, "").unwrap();
    let said = machine.run(&current, &["--apply", "--set", "LOG_FORMAT=xml"]).expect_code(1);
    assert!(said.contains("LOG_FORMAT"), "the log says which setting is wrong: {said}");
    machine.run(&current, &["--apply", "--set", "LOG_FORMAT=json"]).expect_code(0);
    assert!(machine.is_well());

    let refused = machine.run(&current, &["--apply", "--set", "lower=1"]).expect_code(2);
    assert!(refused.contains("NAME=VALUE"), "{refused}");
}

#[test]
fn an_upgrade_exchanges_the_program_and_can_be_taken_back() {
    let machine = Machine::new();
    machine.install("first");
    let first = machine.current();
    let second = machine.release("second", Kind::Good);

    let said = machine.run(&second, &["--upgrade"]).expect_code(0);
    assert!(said.contains("on the copy"), "the migration was rehearsed: {said}");
    assert_ne!(machine.current(), first);
    assert!(machine.is_well());
    let upgraded = machine.current();

    let current = machine.path("opt/dream-bff/current");
    machine.run(&current, &["--rollback"]).expect_code(0);
    assert_eq!(machine.current(), first);
    assert!(machine.is_well());
    // And forward again.
    machine.run(&current, &["--rollback"]).expect_code(0);
    assert_eq!(machine.current(), upgraded);

    let other = machine.run(&machine.path("first"), &[]).expect_code(1);
    assert!(other.contains("--upgrade"), "a plain install does not exchange: {other}");
}

#[test]
fn a_release_whose_rehearsal_fails_touches_nothing() {
    let machine = Machine::new();
    machine.install("first");
    let (version, pid) = (machine.current(), machine.pid());
    let bad = machine.release("bad", Kind::Rehearsal);

    let said = machine.run(&bad, &["--upgrade"]).expect_code(1);

    assert!(said.contains("migration 14 cannot be applied"), "{said}");
    assert_eq!(
        (machine.current(), machine.pid()),
        (version, pid),
        "the server was not even restarted"
    );
}

#[test]
fn a_release_that_does_not_become_ready_is_taken_back_without_losing_data() {
    for kind in [Kind::Ends, Kind::Unready] {
        let machine = Machine::new();
        machine.install("first");
        let version = machine.current();
        let bad = machine.release("bad", kind);

        let said = machine.run(&bad, &["--upgrade", "--timeout", "3"]).expect_code(1);

        assert!(said.contains("runs again, and no data was lost"), "{said}");
        assert_eq!(machine.current(), version);
        assert!(machine.is_well());
        assert_eq!(machine.set_aside(), 0);
    }
}

#[test]
fn a_release_that_changed_the_data_is_taken_back_with_them() {
    let machine = Machine::new();
    machine.install("first");
    let (version, schema) = (machine.current(), machine.schema());
    let bad = machine.release("bad", Kind::Migrates);

    let said = machine.run(&bad, &["--upgrade"]).expect_code(1);

    assert!(said.contains("with the data of before"), "{said}");
    assert_eq!((machine.current(), machine.schema()), (version, schema));
    assert!(machine.is_well());
    assert_eq!(machine.set_aside(), 1, "what the newer program wrote is kept");
}

#[test]
fn data_come_back_from_a_backup_folder_elsewhere_too() {
    let machine = Machine::new();
    let first = machine.install("first");
    let elsewhere = machine.path("mnt/backups");
    let setting = format!("BACKUP_DIR={}", elsewhere.display());
    let current = machine.path("opt/dream-bff/current");
    machine.run(&current, &["--apply", "--set", &setting]).expect_code(0);
    assert_eq!(mode(&elsewhere), 0o700);
    let paths = machine.path("etc/systemd/system/dream-bff.service.d/paths.conf");
    let may_write = fs::read_to_string(&paths).unwrap();
    let line = format!("ReadWritePaths=\"-{}\"", elsewhere.display());
    assert!(may_write.lines().any(|found| found == line), "{may_write}");

    let schema = machine.schema();
    let bad = machine.release("bad", Kind::Migrates);
    let said = machine.run(&bad, &["--upgrade"]).expect_code(1);
    assert!(said.contains("with the data of before"), "{said}");
    assert_eq!((machine.schema(), machine.set_aside()), (schema, 1));
    assert!(machine.is_well());

    let said = machine.run(&first, &["--uninstall", "--purge", "--yes"]).expect_code(0);
    assert!(said.contains("kept") && said.contains(elsewhere.to_str().unwrap()), "{said}");
    assert!(elsewhere.exists() && !paths.exists());
}

/// Whatever moment the power goes at, the next run leads to a server that is well.
#[test]
fn an_exchange_that_was_cut_off_is_finished_or_undone_by_the_next_run() {
    let machine = Machine::new();
    machine.install("first");
    let first = machine.current();
    let current = machine.path("opt/dream-bff/current");
    let second = machine.release("second", Kind::Good);
    machine.run(&second, &["--upgrade"]).expect_code(0);
    let good = machine.current();
    machine.run(&current, &["--rollback"]).expect_code(0);

    // Cut off before the link was changed: nothing had happened yet.
    machine.write_journal(&first, &good);
    let said = machine.run(&current, &["--apply"]).expect_code(1);
    assert!(said.contains("was interrupted"), "{said}");
    assert_eq!(machine.current(), first);
    assert!(machine.is_well() && !machine.path("opt/dream-bff/upgrade.journal").exists());

    // Cut off behind it, with a version that is well: finished.
    machine.write_journal(&first, &good);
    machine.point_current(&good);
    machine.run(&current, &["--apply"]).expect_code(0);
    assert_eq!(machine.current(), good);
    assert!(machine.is_well() && !machine.path("opt/dream-bff/upgrade.journal").exists());
}

#[test]
fn a_signal_during_the_exchange_takes_it_back() {
    let machine = Machine::new();
    machine.install("first");
    let version = machine.current();
    let second = machine.release("second", Kind::Good);

    let mut upgrade = machine.start(&second, &["--upgrade", "--watch", "30"]);
    machine.wait_until("the exchange is under way", || {
        machine.current() != version && machine.is_well()
    });
    upgrade.terminate();

    let said = upgrade.finish().expect_code(1);
    assert!(said.contains("it was interrupted"), "{said}");
    assert_eq!(machine.current(), version);
    assert!(machine.is_well());
}

#[test]
fn two_runs_at_once_are_refused() {
    let machine = Machine::new();
    machine.install("first");
    let version = machine.current();
    let second = machine.release("second", Kind::Good);
    let mut upgrade = machine.start(&second, &["--upgrade", "--watch", "30"]);
    machine.wait_until("the exchange is under way", || machine.current() != version);

    let said = machine.run(&machine.path("opt/dream-bff/current"), &["--apply"]).expect_code(1);

    assert!(said.contains("another install.sh is running"), "{said}");
    upgrade.terminate();
    upgrade.finish().expect_code(1);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let machine = Machine::new();
    machine.install("first");
    fs::write(machine.path("run/fake/refuse.dream-bff.socket"), "").unwrap();

    let said = machine.run(&machine.path("opt/dream-bff/current"), &["--apply"]).expect_code(1);

    assert!(said.contains("dream-bff.socket cannot listen"), "{said}");
    assert!(said.contains("--apply"), "and how to go on: {said}");
}

#[test]
fn uninstalling_keeps_the_data_unless_told() {
    let machine = Machine::new();
    machine.install("first");
    let installed = machine.path("opt/dream-bff/current");

    machine.run(&installed, &["--uninstall"]).expect_code(0);
    assert!(!machine.is_running());
    for gone in ["opt/dream-bff", "usr/local/bin/dream-bff", "etc/systemd/system/dream-bff.service"]
    {
        assert!(!machine.path(gone).exists(), "{gone} is still there");
    }
    assert!(machine.path("var/lib/dream-bff/dream.db").exists());
    assert!(machine.path("etc/dream-bff/dream-bff.env").exists());

    // What was kept is taken up again.
    machine.run(&machine.path("first"), &[]).expect_code(0);
    assert!(machine.is_well());

    let asked = machine.run(&installed, &["--uninstall", "--purge"]).expect_code(1);
    assert!(asked.contains("--purge --yes"), "nobody is there to ask: {asked}");
    assert!(machine.path("var/lib/dream-bff/dream.db").exists());
    machine.run(&installed, &["--uninstall", "--purge", "--yes"]).expect_code(0);
    assert!(!machine.path("var/lib/dream-bff").exists() && !machine.path("etc/dream-bff").exists());
}

#[test]
fn wrong_usage_is_said_and_does_nothing() {
    let machine = Machine::new();
    let release = machine.release("first", Kind::Good);
    let before = machine.listing();
    for args in [
        &["--upgarde"][..],
        &["--acme", "me@example.com"],
        &["--upgrade", "--rollback"],
        &["--domain", "a b"],
        &["--purge"],
        &["--timeout", "soon"],
    ] {
        let said = machine.run(&release, args).expect_code(2);
        assert!(said.contains("usage: install.sh"), "{args:?}: {said}");
    }
    for (args, said) in [(["--upgrade"], "nothing is installed"), (["--rollback"], "no version")] {
        let failed = machine.run(&release, &args).expect_code(1);
        assert!(failed.contains(said), "{failed}");
    }
    // The lock that two at once would meet at.
    machine.forget("opt");
    assert_eq!(machine.listing(), before);
}
