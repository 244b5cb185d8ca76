//! A disk of a few megabytes that fills up. Needs the right to mount one; without it nothing is shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{number, ok, refused, run};
use crate::support::{Process, until};

/// A file system in memory, as long as this lives.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn of(mib: u32) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(folder.path())
            .output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "no file system may be mounted here: what happens on a full disk was not tried"
            );
            return None;
        }
        Some(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// Leaves `kib` free.
    fn fill(&self, kib: u64) {
        let stats = rustix::fs::statvfs(self.folder.path()).unwrap();
        let free = stats.f_bavail * stats.f_frsize;
        let filler = vec![0; usize::try_from(free.saturating_sub(kib * 1024)).unwrap()];
        fs::write(self.folder.path().join("filler"), filler).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.folder.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still open in there goes with its process.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

async fn rename(server: &Process, token: &str, name: &str) -> (u16, Value) {
    let answer =
        server.ask("PATCH", "/v1/users/me", Some(token), &json!({ "nickName": name })).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn writes_are_refused_with_a_reason_reads_go_on_and_it_mends_itself() {
    let Some(disk) = SmallDisk::of(24) else { return };
    let sandbox = Process::sandbox().await;
    let none = [("MIN_FREE_DISK_MIB", "0")];
    let server = Process::serve(&disk.path(), &sandbox, &none).await;
    let token = server.log_in("alice").await["token"].as_str().unwrap().to_owned();
    ok(&run(&disk.path().join("data"), &["backup"], &[]));
    disk.fill(64);

    // Names that are long, until the log has no room left.
    let (mut last, mut refusal) = (String::new(), None);
    for n in 0..2_000 {
        let name = format!("{n:04}-{}", "x".repeat(20));
        match rename(&server, &token, &name).await {
            (200, _) => last = name,
            (status, body) => {
                refusal = Some((status, body));
                break;
            }
        }
    }
    let (status, body) = refusal.expect("the disk was never full");
    assert_eq!((status, body["error"].as_str()), (503, Some("STORAGE_FULL")), "{body}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert!(server.log().contains("DiskFull"), "{}", server.log());

    // Reads go on, and say what was acknowledged.
    for _ in 0..5 {
        let me = server.ask("GET", "/v1/users/me", Some(&token), &Value::Null).await.ok();
        assert_eq!(
            me["user"]["nickName"].as_str().or(me["nickName"].as_str()),
            Some(last.as_str())
        );
    }
    let ready = server.ask("GET", "/readyz", None, &Value::Null).await;
    assert_eq!(
        (ready.status, ready.json()["checks"]["database"].as_str()),
        (503, Some("not writable"))
    );

    // A backup fails too, in one line, and leaves what is there.
    let backups = disk.path().join("data/backups");
    let before = super::files(&backups);
    let said = refused(&run(&disk.path().join("data"), &["backup"], &[]));
    assert!(said.contains("there is too little space in "), "{said}");
    assert_eq!(super::files(&backups), before);

    disk.make_room();
    let mut again = (0, Value::Null);
    for _ in 0..50 {
        again = rename(&server, &token, "after").await;
        if again.0 == 200 {
            break;
        }
    }
    assert_eq!(again.0, 200, "{}", again.1);
    let mut is_ready = false;
    let waiting = dream_bff::base::clock::Stopwatch::start();
    while !is_ready && waiting.elapsed().as_secs() < 20 {
        is_ready = server.ask("GET", "/readyz", None, &Value::Null).await.status == 200;
    }
    assert!(is_ready);
    ok(&run(&disk.path().join("data"), &["backup"], &[]));
    drop(server);
    let database = disk.path().join("data/dream.db");
    assert_eq!(number(&database, "SELECT count(*) FROM users WHERE nick_name = 'after'"), 1);
}

fn big_database(data: &Path) {
    ok(&run(data, &["migrate"], &[]));
    rusqlite::Connection::open(data.join("dream.db"))
        .unwrap()
        .execute_batch("CREATE TABLE filler AS SELECT randomblob(12000000) AS noise")
        .unwrap();
}

/// Random bytes do not get smaller: what looked like enough room is not.
#[tokio::test]
async fn a_disk_that_fills_in_the_middle_leaves_nothing_that_looks_like_a_backup() {
    let Some(disk) = SmallDisk::of(20) else { return };
    let folder = TempDir::new().unwrap();
    big_database(folder.path());
    let dir = disk.path().join("backups");
    let settings = [("BACKUP_DIR", dir.to_str().unwrap())];
    let said = refused(&run(folder.path(), &["backup"], &settings));
    assert!(said.contains("cannot be used") && said.contains("No space left"), "{said}");
    assert_eq!(super::files(&dir), [".lock"]);
    // The run is on record, and the next one finds its room.
    let failed = "SELECT count(*) FROM backup_runs WHERE problem IS NOT NULL";
    assert_eq!(number(&folder.path().join("dream.db"), failed), 1);
    ok(&run(folder.path(), &["backup"], &[]));
}

/// The server's own reserve is not touched: the backup ends before that.
#[tokio::test]
async fn a_backup_gives_way_to_the_reserve() {
    let Some(disk) = SmallDisk::of(24) else { return };
    let folder = TempDir::new().unwrap();
    big_database(folder.path());
    let dir = disk.path().join("backups");
    let settings = [("BACKUP_DIR", dir.to_str().unwrap()), ("MIN_FREE_DISK_MIB", "5")];
    let said = refused(&run(folder.path(), &["backup"], &settings));
    assert!(said.contains("MIN_FREE_DISK_MIB"), "{said}");
    assert_eq!(super::files(&dir), [".lock"]);
    until("nothing of it is left", || {
        let stats = rustix::fs::statvfs(disk.path()).unwrap();
        stats.f_bavail * stats.f_frsize > 23 * 1024 * 1024
    })
    .await;
}
