//! Node.js and Chromium, as a test needs them: found or fetched, else a failure that says what to do.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What Vite and Playwright ask for.
const NODE: (u32, u32) = (20, 19);

/// Where Debian, Ubuntu and Fedora put it.
const CHROMIUM: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
];

const INSTEAD: &str = "Or set DREAM_BFF_SKIP_BROWSER=1 to leave the tests of the admin page out.";

/// Past the capture of the test runner, which hides what a passing test prints.
pub(super) fn say_loudly(text: &str) {
    let line = "=".repeat(text.len().min(100));
    let _ = writeln!(std::io::stderr().lock(), "\n{line}\n{text}\n{line}\n");
}

/// The browser: `CHROMIUM`, or where it usually is, or installed.
pub(super) fn chromium() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return named.into();
    }
    let found = || CHROMIUM.iter().map(PathBuf::from).find(|path| path.exists());
    found().or_else(|| install().then(found).flatten()).unwrap_or_else(|| {
        panic!("Chromium is missing: `apt-get install chromium`, or name it in CHROMIUM. {INSTEAD}")
    })
}

/// Asks Debian's package manager for Chromium, where that can work.
fn install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let has_apt = Path::new("/usr/bin/apt-get").exists();
    is_root
        && has_apt
        && apt(&["update"])
        && apt(&["install", "--no-install-recommends", "chromium"])
}

fn apt(args: &[&str]) -> bool {
    let done = Command::new("apt-get").args(["-qq", "-y"]).args(args).output();
    done.is_ok_and(|output| output.status.success())
}

/// A copy of a folder with a `package.json` below `target/`, with its packages installed: the working
/// tree stays as it is, and the packages are fetched once for each state of the lock file.
pub(super) struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    pub(super) fn open(name: &str, source: &Path) -> Self {
        check_node();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("admin-page").join(name);
        fs::create_dir_all(&folder).unwrap();
        clear(&folder);
        copy_folder(source, &folder);
        let workshop = Self { folder };
        workshop.install();
        workshop
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn copy(&self, file: &Path, name: &str) {
        fs::copy(file, self.folder.join(name)).unwrap();
    }

    fn install(&self) {
        let wanted = fs::read(self.folder.join("package-lock.json")).unwrap();
        let stamp = self.folder.join("node_modules/.installed-lock.json");
        if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
            return;
        }
        self.npm(&["ci"]);
        fs::write(stamp, wanted).unwrap();
    }

    #[track_caller]
    pub(super) fn npm(&self, args: &[&str]) {
        self.npm_with(args, &[]);
    }

    /// Runs npm here and gives what it said; fails with it.
    #[track_caller]
    pub(super) fn npm_with(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let mut command = Command::new("npm");
        command.args(args).current_dir(&self.folder).envs(variables.iter().copied());
        // What a developer exports for his own builds must not change this one.
        command.env_remove("NODE_ENV").env_remove("NODE_OPTIONS");
        let output = command.output().unwrap();
        let said = said(&output);
        assert!(output.status.success(), "npm {} failed:\n{said}", args.join(" "));
        said
    }
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

fn check_node() {
    let version = Command::new("node").arg("--version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let numbers = version.as_deref().and_then(parse);
    assert!(
        numbers.is_some_and(|found| found >= NODE),
        "the tests of the admin page need Node.js {}.{} or newer, with npm; found {version:?}. {INSTEAD}",
        NODE.0,
        NODE.1
    );
}

/// `v20.19.2` as (20, 19).
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What is left out of copies, and kept when a copy is made anew.
fn is_packages(name: &OsStr) -> bool {
    name == "node_modules"
}

fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name() {
            Some(name) if is_packages(name) => {}
            _ if path.is_dir() => fs::remove_dir_all(&path).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if is_packages(name) || name == "dist" {
            continue;
        }
        let target = to.join(name);
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn a_version_of_node_is_two_numbers() {
    assert_eq!(parse("v20.19.2"), Some((20, 19)));
    assert_eq!(parse("20"), None);
    assert_eq!(parse("vX.1.0"), None);
}
