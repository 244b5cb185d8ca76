//! Pictures beside the backups.

use std::fs;
use std::path::{Path, PathBuf};

use dream_bff::features::backups::Cause;
use dream_bff::features::backups::service::{self, Made, Wish};

use super::{contents, ok, run};
use crate::support::{TestApp, User};

/// A PNG that differs with `shade`.
fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 64);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[shade; 64 * 64 * 3]).unwrap();
    writer.finish().unwrap();
    bytes
}

async fn upload(t: &TestApp, shade: u8) -> User {
    let user = t.log_in("alice").await;
    let bytes = picture(shade);
    let boundary = "frontier";
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\
         content-type: image/png\r\n\r\n"
    );
    let body = [head.as_bytes(), &bytes, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    let form = format!("multipart/form-data; boundary={boundary}");
    user.post("/v1/upload/image").body(&form, body).await.ok();
    user
}

async fn with_media(t: &TestApp) -> Made {
    let wish = Wish { media: true, upload: false };
    let made = service::run_now(&t.app(), Cause::Admin, wish).await.unwrap();
    assert_eq!(made.problem, None);
    made
}

fn data(t: &TestApp) -> PathBuf {
    t.app().scratch_dir.clone()
}

#[tokio::test]
async fn pictures_are_kept_once_and_come_back() {
    let t = TestApp::with(&[("BACKUP_KEEP", "1")]).await;
    upload(&t, 10).await;
    let first = with_media(&t).await.manifest;
    assert!(first.media.files >= 1 && first.media.is_kept && first.media.storage == "local");
    let kept = t.app().backups.dir.join("media");
    let before = contents(&kept);
    assert_eq!(before.len() as u64, first.media.files);
    let total: u64 = before.values().map(|bytes| bytes.len() as u64).sum();
    assert_eq!(total, first.media.bytes);
    // One file under two names, as the disk allows it.
    let path = before.keys().next().unwrap();
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(fs::metadata(path).unwrap().nlink(), 2);

    upload(&t, 20).await;
    let second = with_media(&t).await.manifest;
    assert!(second.media.files > first.media.files);
    assert_eq!(contents(&kept).len() as u64, second.media.files);

    // On a new machine with the backups alone.
    let folder = tempfile::TempDir::new().unwrap();
    let backups = t.app().backups.dir.to_str().unwrap().to_owned();
    let settings = [("BACKUP_DIR", backups.as_str())];
    let said = ok(&run(folder.path(), &["restore", "latest", "--with-media"], &settings));
    let all = format!("{0} named, {0} brought back, 0 missing", second.media.files);
    assert!(said.contains(&all), "{said}");
    let live: Vec<_> = contents(&data(&t).join("media")).into_values().collect();
    let mut back: Vec<_> = contents(&folder.path().join("media")).into_values().collect();
    back.retain(|bytes| live.contains(bytes));
    assert_eq!(back.len() as u64, second.media.files);
    // The storage finds them as it would have made them, whoever put them there.
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in contents(&folder.path().join("media")).keys() {
        assert_eq!((mode(path), mode(path.parent().unwrap())), (0o640, 0o750), "{path:?}");
    }
    assert_eq!(mode(&kept), 0o700);
    // Again there is nothing to bring.
    let said = ok(&run(folder.path(), &["restore", "latest", "--with-media"], &settings));
    assert!(said.contains(" 0 brought back, 0 missing"), "{said}");
}

#[tokio::test]
async fn pictures_that_no_backup_names_go() {
    let t = TestApp::with(&[("BACKUP_KEEP", "1")]).await;
    let user = upload(&t, 10).await;
    with_media(&t).await;
    let kept = t.app().backups.dir.join("media");
    assert!(!contents(&kept).is_empty());
    let other = kept.join("ab").join("a file of somebody else");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "x").unwrap();
    user.delete("/v1/users/me").await.ok();
    t.run_periodic_tasks().await;
    t.clock.advance(std::time::Duration::from_secs(2 * 24 * 3600));
    t.run_periodic_tasks().await;
    let made = with_media(&t).await;
    assert_eq!(made.manifest.media.files, 0);
    assert_eq!(contents(&kept).into_keys().collect::<Vec<_>>(), [other]);
}
