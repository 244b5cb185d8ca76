//! What lies in the media folder against what the database knows of.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use dream_bff::features::media;

use super::audit::none;
use super::driver::Rest;
use crate::support::Process;

/// A half-written file is left alone for an hour: somebody might be writing it.
const STALE: Duration = Duration::from_secs(2 * 3600);

/// Once the sweep has run, files and rows are the same, and each is a picture that somebody needs.
pub(super) fn nothing_is_left_over(rest: &Rest<'_>) {
    let media = rest.folder.join("data/media");
    let growing = media.join(".growing");
    let half = files_below(&growing);
    rest.figures.add("half-written files", half.len().try_into().unwrap());
    for name in &half {
        let file = File::options().append(true).open(growing.join(name)).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - STALE).unwrap();
    }

    let app = Process::inside(rest.folder, rest.sandbox);
    let removed = tokio::task::block_in_place(|| {
        let sweep = media::service::remove_unused(&app, Duration::ZERO);
        tokio::runtime::Handle::current().block_on(sweep).unwrap()
    });
    app.db.close();
    rest.figures.add("orphaned pictures swept", removed);

    assert_eq!(files_below(&growing), BTreeSet::new(), "half-written files stay");
    let mut keys = rest.database.prepare("SELECT key FROM media_objects").unwrap();
    let keys = keys.query_map([], |row| row.get(0)).unwrap();
    let keys: BTreeSet<String> = keys.map(Result::unwrap).collect();
    let files = files_below(&media);
    let only = |of: &BTreeSet<String>, not: &BTreeSet<String>| -> Vec<String> {
        of.difference(not).cloned().collect()
    };
    assert_eq!(only(&files, &keys), [""; 0], "files without a row");
    assert_eq!(only(&keys, &files), [""; 0], "rows without a file");
    none(
        rest.database,
        "pictures that nobody needs",
        "SELECT o.key FROM media_objects o WHERE NOT EXISTS
           (SELECT 1 FROM media_holds h JOIN generation_images i
               ON h.holder = 'job:' || i.job_id AND h.key IN (i.key, i.thumbnail_key)
             WHERE h.key = o.key)",
    );
    none(
        rest.database,
        "pictures of jobs that are not held for them",
        "SELECT i.key FROM generation_images i WHERE 2 <> (SELECT COUNT(*) FROM media_holds h
           WHERE h.holder = 'job:' || i.job_id AND h.key IN (i.key, i.thumbnail_key))",
    );
}

/// Names of files, relative to `folder`.
fn files_below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                found.insert(name.to_str().unwrap().to_owned());
            }
        }
    }
    found
}
