//! When backups and drills come by themselves, and which go.

use std::fs;
use std::time::Duration;

use dream_bff::features::backups::service;
use dream_bff::features::backups::{Cause, RunKind};

use super::{backup, files, last_run};
use crate::support::{TestApp, until};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn backups_come_at_their_time_and_a_drill_once_a_week() {
    // Tests begin at 20:00 in Shanghai.
    let t = TestApp::with(&[("BACKUP_HOURS", "24"), ("BACKUP_JITTER_MINUTES", "0")]).await;
    assert!(service::status(&t.app()).unwrap().is_late, "there is none yet");
    let mut drills = 0;
    for day in 0..9 {
        let made = service::run_due(&t.app()).await.unwrap();
        assert!(made.is_some_and(|made| made.problem.is_none()), "day {day}");
        assert!(service::run_due(&t.app()).await.unwrap().is_none(), "only once");
        let drill = last_run(&t, RunKind::Drill).unwrap();
        assert!(drill.is_good() && drill.plain_bytes > 0);
        drills += usize::from(drill.started_at == t.clock.now());
        // The first waits for nothing; the others come at 04:10.
        t.clock.advance(if day == 0 { HOUR * 8 } else { HOUR * 23 });
        assert!(service::run_due(&t.app()).await.unwrap().is_none(), "not yet");
        t.clock.advance(if day == 0 { HOUR / 6 } else { HOUR });
    }
    assert_eq!(drills, 2);
    let status = service::status(&t.app()).unwrap();
    assert!(!status.is_late && !status.is_drill_late && status.under_way.is_none());
    assert_eq!((status.kept, status.every_hours), (9, 24));
    assert_eq!(status.last_good.unwrap().taken_at.0, t.clock.now().0 - 24 * 3_600_000);
    assert_eq!(status.next_due, Some(t.clock.now()));
    t.clock.advance(HOUR * 48);
    assert!(service::status(&t.app()).unwrap().is_late);
}

#[tokio::test]
async fn the_periodic_task_starts_it_and_does_not_wait() {
    let t = TestApp::with(&[("BACKUP_HOURS", "6"), ("BACKUP_JITTER_MINUTES", "0")]).await;
    service::start_due(&t.app()).unwrap();
    until("the drill behind the backup has ended", || last_run(&t, RunKind::Drill).is_some()).await;
    assert_eq!(last_run(&t, RunKind::Backup).unwrap().cause, Cause::Schedule);
    let off = TestApp::start().await;
    service::start_due(&off.app()).unwrap();
    assert!(last_run(&off, RunKind::Backup).is_none());
    assert_eq!(service::status(&off.app()).unwrap().next_due, None);
}

#[tokio::test]
async fn a_failure_is_told_and_tried_again_in_an_hour() {
    let t = TestApp::with(&[("BACKUP_HOURS", "24"), ("BACKUP_JITTER_MINUTES", "0")]).await;
    let dir = t.app().backups.dir.clone();
    // A file where the folder should be.
    fs::write(&dir, "in the way").unwrap();
    service::run_due(&t.app()).await.unwrap_err();
    let run = last_run(&t, RunKind::Backup).unwrap();
    assert!(run.problem.unwrap().contains("cannot be used"), "{:?}", run.name);
    fs::remove_file(&dir).unwrap();
    assert!(service::run_due(&t.app()).await.unwrap().is_none(), "not at once");
    t.clock.advance(HOUR);
    assert!(service::run_due(&t.app()).await.unwrap().is_some());
    assert!(last_run(&t, RunKind::Backup).unwrap().is_good());
}

#[tokio::test]
async fn old_backups_go_and_what_is_not_ours_stays() {
    let changes =
        [("BACKUP_KEEP", "3"), ("BACKUP_KEEP_DAYS", "2"), ("BACKUP_KEEP_MIGRATIONS", "1")];
    let t = TestApp::with(&changes).await;
    let dir = t.app().backups.dir.clone();
    fs::create_dir_all(&dir).unwrap();
    let others = [
        "notes.txt",
        "dream.json",
        "dream-20200101T000000000Z.json.bak",
        "other-20200101T000000000Z.db.zst",
        "dream-20200101T000000000Z",
    ];
    for other in others {
        fs::write(dir.join(other), "not of this program").unwrap();
    }
    for old in [
        "pre-migration-v1-to-v2-20200101T000000.000Z.db",
        "pre-migration-v2-to-v3-20200102T000000.000Z.db",
    ] {
        fs::write(dir.join(old), "a copy").unwrap();
    }
    // Left by runs that were cut off: before the manifest, and while a file grew.
    fs::write(dir.join("dream-20200101T000000000Z.db.zst"), "half").unwrap();
    fs::write(dir.join("dream-20200101T000000001Z.db.zst.partial"), "half").unwrap();
    fs::create_dir_all(dir.join(".work")).unwrap();
    fs::write(dir.join(".work/copy.db"), "half").unwrap();

    let mut names = Vec::new();
    for _ in 0..5 {
        names.push(backup(&t).await.manifest.name);
        t.clock.advance(HOUR);
    }
    let kept = |t: &TestApp| {
        let all = files(&t.app().backups.dir);
        names
            .iter()
            .filter(|name| all.contains(&format!("{name}.json")))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(&t), names[2..]);
    let there = files(&dir);
    for other in others {
        assert!(there.contains(&other.to_owned()), "{other} is gone");
    }
    assert!(!there.iter().any(|file| file.contains("pre-migration-v1")), "{there:?}");
    assert!(there.iter().any(|file| file.contains("pre-migration-v2")), "{there:?}");
    assert!(!there.iter().any(|file| file.ends_with(".partial") || file == ".work"), "{there:?}");
    assert!(!there.contains(&"dream-20200101T000000000Z.db.zst".to_owned()), "{there:?}");

    // All too old by now; when the new one does not balance, the newest good one stays beside it.
    t.clock.advance(HOUR * 24 * 30);
    t.log_in("alice").await;
    t.sql("UPDATE users SET points_balance = points_balance + 1000000");
    let wish = service::Wish::default();
    service::run_now(&t.app(), Cause::Admin, wish).await.unwrap();
    assert_eq!(kept(&t), names[4..]);
}
