//! Second copies in object storage: a real S3 server on loopback, which checks every signature.

use std::fs;

use dream_bff::features::backups::Cause;
use dream_bff::features::backups::service::{self, Wish};
use tempfile::TempDir;

use super::{files, number, ok, refused, run};
use crate::object_storage::{BUCKET, KEY_ID, S3Server, SECRET};
use crate::support::TestApp;

fn settings(server: &S3Server, secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("BACKUP_S3_ENDPOINT", format!("http://localhost:{}", server.port)),
        ("BACKUP_S3_REGION", "us-east-1".to_owned()),
        ("BACKUP_S3_BUCKET", BUCKET.to_owned()),
        ("BACKUP_S3_ACCESS_KEY_ID", KEY_ID.to_owned()),
        ("BACKUP_S3_SECRET_ACCESS_KEY", secret.to_owned()),
        ("BACKUP_S3_PATH_STYLE", "true".to_owned()),
    ]
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn with_bucket(server: &S3Server, changes: &[(&str, &str)]) -> TestApp {
    let settings = settings(server, SECRET);
    let t = TestApp::with(&[&borrowed(&settings)[..], changes].concat()).await;
    // The storage judges signatures by the machine's clock.
    let now = dream_bff::base::clock::Clock::system().now();
    let ahead = u64::try_from(now.0 - t.clock.now().0).unwrap();
    t.clock.advance(std::time::Duration::from_millis(ahead));
    t
}

const UPLOAD: Wish = Wish { media: false, upload: true };

// The server must answer while a command of this thread waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_backup_goes_there_in_parts_and_comes_back_on_a_new_machine() {
    let server = S3Server::start().await;
    let t = with_bucket(&server, &[]).await;
    t.log_in("alice").await;
    // More than one part, whatever compression does.
    t.database()
        .execute_batch("CREATE TABLE filler AS SELECT randomblob(19000000) AS noise")
        .unwrap();
    let made = service::run_now(&t.app(), Cause::Admin, UPLOAD).await.unwrap();
    assert_eq!((made.problem, made.is_uploaded), (None, Some(true)));
    let name = made.manifest.name;
    let there = files(&server.folder.path().join(BUCKET).join("dream-bff"));
    assert_eq!(there, [".db.zst", ".json", ".media.zst"].map(|end| format!("{name}{end}")));

    let folder = TempDir::new().unwrap();
    let settings = settings(&server, SECRET);
    let settings = borrowed(&settings);
    let said = ok(&run(folder.path(), &["backups", "list", "--remote"], &settings));
    assert!(said.contains(&name) && said.contains("good, in the bucket"), "{said}");
    ok(&run(folder.path(), &["restore", "latest", "--verify"], &settings));
    assert!(!folder.path().join("dream.db").exists());
    ok(&run(folder.path(), &["restore", &name], &settings));
    assert_eq!(number(&folder.path().join("dream.db"), "SELECT count(*) FROM users"), 1);

    // What was changed there is found out by its sum.
    let object = server.folder.path().join(BUCKET).join("dream-bff").join(format!("{name}.db.zst"));
    let mut bytes = fs::read(&object).unwrap();
    bytes[12_000_000] ^= 1;
    fs::write(&object, bytes).unwrap();
    let said = refused(&run(folder.path(), &["restore", "latest", "--verify"], &settings));
    assert!(said.contains("is not what its manifest says"), "{said}");
}

#[tokio::test]
async fn old_copies_go_and_other_objects_stay() {
    let server = S3Server::start().await;
    let t = with_bucket(&server, &[("BACKUP_S3_KEEP", "2"), ("BACKUP_KEEP", "1")]).await;
    let dir = server.folder.path().join(BUCKET);
    fs::create_dir_all(dir.join("dream-bff")).unwrap();
    for other in ["dream-bff/notes.json", "dream-20200101T000000000Z.json"] {
        fs::write(dir.join(other), "of somebody else").unwrap();
    }
    let mut names = Vec::new();
    for _ in 0..3 {
        let made = service::run_now(&t.app(), Cause::Admin, UPLOAD).await.unwrap();
        assert_eq!(made.problem, None);
        names.push(made.manifest.name);
        t.clock.advance(std::time::Duration::from_millis(10));
    }
    let there = files(&dir.join("dream-bff"));
    assert!(!there.contains(&format!("{}.db.zst", names[0])), "{there:?}");
    for name in &names[1..] {
        assert!(there.contains(&format!("{name}.json")), "{there:?}");
    }
    assert!(there.contains(&"notes.json".to_owned()));
    assert!(dir.join("dream-20200101T000000000Z.json").exists());
    let place = std::sync::Arc::clone(&t.app().backups);
    let all = service::list(&place, true).await.unwrap();
    let places: Vec<_> = all.iter().map(|one| (one.is_local, one.is_remote)).collect();
    assert_eq!(places, [(true, true), (false, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_is_told_of_and_the_backup_here_counts() {
    let server = S3Server::start().await;
    let wrong = settings(&server, "the-wrong-secret");
    let t = TestApp::with(&borrowed(&wrong)).await;
    let made = service::run_now(&t.app(), Cause::Admin, UPLOAD).await.unwrap();
    assert_eq!(made.is_uploaded, Some(false));
    let problem = made.problem.unwrap();
    assert!(problem.contains("the object storage answered 403"), "{problem}");
    assert!(!problem.contains("the-wrong-secret"));
    assert!(service::last_good(&t.app().backups).unwrap().is_some());
    let folder = TempDir::new().unwrap();
    let said = refused(&run(folder.path(), &["restore", "latest"], &borrowed(&wrong)));
    assert!(said.contains("403"), "{said}");
    let none = TestApp::start().await;
    let err = service::run_now(&none.app(), Cause::Admin, UPLOAD).await.unwrap_err();
    assert!(err.to_string().contains("BACKUP_S3_BUCKET"), "{err}");
}
