//! The admin page: that what is committed is what its source builds, and that it works in a real
//! browser against the real binary (the scenes are in `tests/browser/`).
//!
//! This needs Node.js (20.19 or newer) with npm and Chromium. As root on Debian, a missing Chromium is installed;
//! what else is missing fails the test and says how to get it. `DREAM_BFF_SKIP_BROWSER=1` leaves
//! these tests out, and says so.

mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tools::Workshop;

/// The source of the page, the client in it, and the built files.
const PAGE: &str = "assets/admin";

/// The scenes.
const SCENES: &str = "tests/browser";

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether somebody chose to leave these tests out. Loud, because a green run then shows less.
fn is_skipped(test: &str) -> bool {
    let skipped = std::env::var_os("DREAM_BFF_SKIP_BROWSER").is_some_and(|value| value == "1");
    if skipped {
        tools::say_loudly(&format!("DREAM_BFF_SKIP_BROWSER=1: {test} WAS NOT RUN"));
    }
    skipped
}

/// Every file below `folder`, by its path from there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_path_buf();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_committed_page_is_what_its_source_builds() {
    if is_skipped("the_committed_page_is_what_its_source_builds") {
        return;
    }
    let page = Workshop::open("page", &project().join(PAGE));
    page.copy(&project().join("tests/openapi/admin.json"), "admin.json");

    page.npm(&[
        "exec",
        "--offline",
        "--",
        "openapi-typescript",
        "--default-non-nullable=false",
        "admin.json",
        "-o",
        "schema.d.ts",
    ]);
    let client = fs::read_to_string(project().join(PAGE).join("src/api/schema.d.ts")).unwrap();
    assert!(
        client == fs::read_to_string(page.folder().join("schema.d.ts")).unwrap(),
        "the typed client is older than tests/openapi/admin.json: `npm run client` in {PAGE}"
    );

    page.npm(&["run", "check"]);
    page.npm(&["run", "build"]);
    let (committed, built) =
        (files(&project().join(PAGE).join("dist")), files(&page.folder().join("dist")));
    let names: Vec<_> = built.keys().collect();
    assert_eq!(
        committed.keys().collect::<Vec<_>>(),
        names,
        "{PAGE}/dist is not what the source builds: `npm run build` there, and commit it"
    );
    for (name, bytes) in &built {
        assert!(
            committed[name] == *bytes,
            "{PAGE}/dist/{} differs from its source",
            name.display()
        );
    }
}

#[test]
fn the_page_works_in_a_browser() {
    if is_skipped("the_page_works_in_a_browser") {
        return;
    }
    let scenes = Workshop::open("scenes", &project().join(SCENES));
    let chromium = tools::chromium();
    scenes.npm(&["run", "check"]);
    let said = scenes.npm_with(
        &["run", "test"],
        &[("CHROMIUM", chromium.to_str().unwrap()), ("DREAM_BFF", env!("CARGO_BIN_EXE_dream-bff"))],
    );
    // A scene that went well only at the second try hides a race: of the scene, or of the page.
    if said.contains("flaky") {
        tools::say_loudly(&format!("a scene went well only at its second try:\n{said}"));
    }
}
