//! A machine to install on: a folder with a stand-in for systemd, and releases made of the binary that is
//! being tested.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use rusqlite::Connection;
use tempfile::TempDir;

/// What a release is like; see `tests/install/broken-program`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Good,
    Ends,
    Unready,
    Migrates,
    Rehearsal,
}

/// A folder that `install.sh --root` takes for a machine.
pub(super) struct Machine {
    root: TempDir,
    listen: String,
}

pub(super) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Machine {
    pub(super) fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { root, listen: format!("127.0.0.1:{port}") }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// An unpacked release in the folder `name`. The program is the one under test behind a script, so
    /// that each release is another file without copying a large one.
    pub(super) fn release(&self, name: &str, kind: Kind) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        let real = env!("CARGO_BIN_EXE_dream-bff");
        let program = match kind {
            Kind::Good => format!("#!/bin/sh\n# {name}\nexec '{real}' \"$@\"\n"),
            Kind::Ends => broken("ends", real),
            Kind::Unready => broken("unready", real),
            Kind::Migrates => broken("migrates", real),
            Kind::Rehearsal => broken("rehearsal", real),
        };
        let binary = folder.join("dream-bff");
        fs::write(&binary, program).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        for file in ["install.sh", ".env.example"] {
            fs::copy(repository(file), folder.join(file)).unwrap();
        }
        for part in ["installer", "systemd"] {
            fs::create_dir_all(folder.join(part)).unwrap();
            for file in fs::read_dir(repository(part)).unwrap().map(Result::unwrap) {
                fs::copy(file.path(), folder.join(part).join(file.file_name())).unwrap();
            }
        }
        folder
    }

    /// Installs the good release `name`, with all that it needs.
    pub(super) fn install(&self, name: &str) -> PathBuf {
        let release = self.release(name, Kind::Good);
        self.run(&release, &self.needed()).expect_code(0);
        assert!(self.is_well());
        release
    }

    /// The settings that only the operator has.
    pub(super) fn needed(&self) -> Vec<&str> {
        let listen: &str = Box::leak(format!("LISTEN={}", self.listen).into_boxed_str());
        let secret = "WECHAT_SECRET=0123456789abcdef0123456789abcdef";
        vec!["--set", "WECHAT_APPID=wx0123456789abcdef", "--set", secret, "--set", listen]
    }

    pub(super) fn run(&self, release: &Path, args: &[&str]) -> Said {
        Said(self.command(release, args).output().unwrap())
    }

    /// Begins a run and does not wait for it.
    pub(super) fn start(&self, release: &Path, args: &[&str]) -> Running {
        let mut command = self.command(release, args);
        Running(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    fn command(&self, release: &Path, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let fakes = repository("tests/install/fake");
        let mut command = Command::new("sh");
        command.arg(release.join("install.sh")).arg("--root").arg(self.root.path());
        command.args(["--watch", "1", "--timeout", "30"]).args(args).stdin(Stdio::null());
        command.env_clear().env("FAKE_ROOT", self.root.path());
        command.env("PATH", format!("{}:{path}", fakes.display()));
        command
    }

    pub(super) fn settings(&self) -> String {
        fs::read_to_string(self.path("etc/dream-bff/dream-bff.env")).unwrap()
    }

    /// The version that `current` points to.
    pub(super) fn current(&self) -> String {
        let target = fs::read_link(self.path("opt/dream-bff/current")).unwrap();
        target.file_name().unwrap().to_str().unwrap().to_owned()
    }

    pub(super) fn point_current(&self, version: &str) {
        fs::remove_file(self.path("opt/dream-bff/current")).unwrap();
        let target = Path::new("versions").join(version);
        std::os::unix::fs::symlink(target, self.path("opt/dream-bff/current")).unwrap();
    }

    /// What an exchange of `from` for `to` writes down before it begins.
    pub(super) fn write_journal(&self, from: &str, to: &str) {
        let text = format!("from={from}\nto={to}\nschema={}\n", self.schema());
        fs::write(self.path("opt/dream-bff/upgrade.journal"), text).unwrap();
    }

    pub(super) fn schema(&self) -> i64 {
        let database = Connection::open(self.path("var/lib/dream-bff/dream.db")).unwrap();
        database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    /// Databases that were put aside.
    pub(super) fn set_aside(&self) -> usize {
        self.listing_of("var").iter().filter(|name| name.contains("dream.db.set-aside-")).count()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.path("run/fake/pid")).ok()?.trim().parse().ok()?;
        Path::new("/proc").join(format!("{pid}")).exists().then_some(pid)
    }

    pub(super) fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Whether the installed program, as the operator calls it, finds the server ready.
    pub(super) fn is_well(&self) -> bool {
        let command = self.path("usr/local/bin/dream-bff");
        let output = Command::new(command).arg("health").output();
        output.is_ok_and(|output| output.status.success())
    }

    pub(super) fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let watch = Stopwatch::start();
        while !is_so() {
            assert!(watch.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
            // Another process is waited for: there is no clock of ours to move.
            let (_, receiver) = std::sync::mpsc::channel::<()>();
            let _ = receiver.recv_timeout(Duration::from_millis(50));
        }
    }

    pub(super) fn listing(&self) -> Vec<String> {
        self.listing_of("")
    }

    /// Every file below `path` with its mode and size.
    pub(super) fn listing_of(&self, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.path(path), &mut found);
        found.sort();
        found
    }

    pub(super) fn forget(&self, path: &str) {
        fs::remove_dir_all(self.path(path)).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            // It may end by itself meanwhile.
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

fn broken(kind: &str, real: &str) -> String {
    let text = fs::read_to_string(repository("tests/install/broken-program")).unwrap();
    text.replace("@KIND@", kind).replace("@REAL@", real)
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let meta = entry.metadata().unwrap();
        let size = if meta.is_file() { meta.len() } else { 0 };
        let mode = meta.permissions().mode();
        found.push(format!("{} {mode:o} {size}", entry.path().display()));
        if meta.is_dir() {
            walk(&entry.path(), found);
        }
    }
}

/// What a run of install.sh said.
pub(super) struct Said(Output);

impl Said {
    /// Both outputs, when it ended with this status.
    #[track_caller]
    pub(super) fn expect_code(self, code: i32) -> String {
        let text = [&self.0.stdout[..], &self.0.stderr[..]].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(self.0.status.code(), Some(code), "{text}");
        text
    }
}

/// A run of install.sh that goes on.
pub(super) struct Running(Option<Child>);

impl Running {
    pub(super) fn terminate(&mut self) {
        let pid = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub(super) fn finish(mut self) -> Said {
        let mut child = self.0.take().unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Said(Output { status: child.wait().unwrap(), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
