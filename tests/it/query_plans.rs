//! No statement of the program looks at a whole table or sorts what it found, but for the few that
//! say here why they may. The statements are read from the store files, so a new one is in this test
//! as soon as it is written.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use crate::layering::source::{self, Source};
use crate::support::TestApp;

/// A statement that may do what others must not: in which file, how it begins, and why.
const MAY_SCAN: &[(&str, &str, &str)] = &[
    ("admin/store.rs", "SELECT id, username, role, totp", "all of a few rows are wanted"),
    ("admin/store/home.rs", "SELECT COUNT(*), MIN(received_at)", "the index has only what waits"),
    ("admin/store/home.rs", "SELECT COUNT(*), NULL", "the index has only what waits"),
    ("admin/store/home.rs", "SELECT COUNT(*), MIN(g.created_at)", "a thousand of what waits"),
    ("admin/store/thing.rs", "SELECT e.received_at", "the notifications of one order"),
    ("admin/store/thing.rs", "SELECT p.created_at", "the bookings of one order"),
    ("admin/store/timeline.rs", "SELECT e.received_at", "orders the notifications of one user"),
    ("admin/store/timeline.rs", "SELECT r.created_at", "orders the refunds of one user"),
    ("admin/store/home.rs", "SELECT wrong", "reads the last row by the primary key"),
    (
        "admin/store/home.rs",
        "SELECT COUNT(*), MIN(ended_at)",
        "some of the last by the primary key",
    ),
    ("alerts/store.rs", "SELECT rule", "all of a few rows are wanted"),
    ("gallery/store.rs", "SELECT category_id, name, icon", "all of a few rows are wanted"),
    ("gallery/store/categories.rs", "SELECT c.category_id", "all of a few rows are wanted"),
    ("points/store/packs.rs", "SELECT pack_id", "all of a few rows are wanted"),
    ("settings/store.rs", "SELECT key, value", "all of a few rows are wanted"),
    ("generations/store/reads.rs", "SELECT g.job_id", "orders the pictures of one page"),
    ("points/store/books.rs", "WITH ledger", "at night: it is about the whole ledger"),
    ("points/store/books.rs", "SELECT checked_at", "reads the last row by the primary key"),
    ("stats/store/moments.rs", "SELECT completed_at", "the last thousand by the primary key"),
    ("templates/store.rs", "SELECT template_id, title, desc", "all are wanted, a thousand at most"),
    ("templates/store.rs", "SELECT template_id, title, mode", "all are wanted, a thousand at most"),
    ("templates/store.rs", "SELECT COUNT(*)", "a thousand at most, when an admin adds one"),
    ("stats/store/check.rs", "", "for doctor and repair: it is about all there is"),
    ("vitals/store.rs", "SELECT checked_at", "reads the last row by the primary key"),
    ("vitals/store.rs", "", "the indexes have only what is open"),
    ("vip/store/plans.rs", "SELECT plan_id", "all of a few rows are wanted"),
    ("reconciliation/store/money.rs", "SELECT checked_at", "reads the last row by the primary key"),
    ("media/store.rs", "SELECT key, bytes", "for a backup: it is about all there is"),
    ("orders/store/payments.rs", "SELECT order_id, refund_due", "the index has only what is due"),
    ("payments/store.rs", "WITH told", "the index has only what is not finished"),
];

/// What a statement is told for its parameters by the planner: nothing is known of them.
fn plan(database: &Connection, sql: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement =
        database.prepare(&explain).unwrap_or_else(|err| panic!("{err} in the statement {sql}"));
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines
}

/// Lines of a plan that grow with a table.
fn problems(plan: &[String]) -> Vec<String> {
    let is_bad = |line: &&String| {
        let scans = line.starts_with("SCAN ");
        // A list of ids that came as a parameter; a row that stands alone; what was built before.
        let is_bounded = line.contains("VIRTUAL TABLE INDEX")
            || line.starts_with("SCAN CONSTANT ROW")
            || line.starts_with("SCAN (subquery");
        (scans && !is_bounded) || line.starts_with("USE TEMP B-TREE FOR ORDER BY")
    };
    plan.iter().filter(is_bad).cloned().collect()
}

fn is_of_the_server(source: &Source) -> bool {
    let is_store = source.path.ends_with("/store.rs") || source.path.contains("/store/");
    is_store && source.path.starts_with("src/features/")
}

/// Every statement of the store files, with the file and line it stands in.
fn statements() -> Vec<(String, usize, String)> {
    let sources = source::all(Path::new(env!("CARGO_MANIFEST_DIR")));
    let of_server = sources.iter().filter(|source| is_of_the_server(source));
    let statements = of_server.flat_map(|source| {
        source.literals.iter().filter_map(|literal| {
            let text = literal.text.trim();
            let is_statement = ["SELECT ", "UPDATE ", "DELETE ", "INSERT ", "WITH "]
                .iter()
                .any(|verb| text.starts_with(verb));
            is_statement.then(|| (source.path.clone(), literal.line, text.to_owned()))
        })
    });
    statements.collect()
}

#[tokio::test]
async fn no_statement_scans_a_table_or_sorts() {
    let t = TestApp::start().await;
    let database = t.database();
    let all = statements();
    let features: BTreeSet<&str> =
        all.iter().filter_map(|(path, ..)| path.split('/').nth(2)).collect();
    for feature in
        ["gallery", "favorites", "points", "generations", "media", "auth", "templates", "stats"]
    {
        assert!(features.contains(feature), "no statement of {feature} was found");
    }
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (path, line, sql) in &all {
        let problems = problems(&plan(&database, sql));
        if problems.is_empty() {
            continue;
        }
        let excuse = MAY_SCAN
            .iter()
            .position(|(file, start, _)| path.ends_with(file) && sql.starts_with(start));
        match excuse {
            Some(excuse) => {
                used.insert(excuse);
            }
            None => found.push(format!("{path}:{line}: {}\n{sql}", problems.join("; "))),
        }
    }
    assert!(
        found.is_empty(),
        "{} statements grow with a table; give them an index, or a reason in MAY_SCAN:\n{}",
        found.len(),
        found.join("\n\n")
    );
    let unused: Vec<_> = MAY_SCAN.iter().enumerate().filter(|(at, _)| !used.contains(at)).collect();
    assert!(unused.is_empty(), "excuses that are not needed any more: {unused:?}");
}

/// A checker that sees nothing would be content with everything.
#[tokio::test]
async fn the_checker_sees_a_scan_and_a_sort() {
    let t = TestApp::start().await;
    let database = t.database();
    let bad = |sql: &str| problems(&plan(&database, sql)).len();
    assert_eq!(bad("SELECT id FROM users WHERE avatar_url = ?1"), 1);
    assert_eq!(bad("SELECT id FROM users WHERE invited_by = ?1 ORDER BY phone"), 1);
    assert_eq!(bad("SELECT id FROM users WHERE id = ?1"), 0);
    assert_eq!(bad("SELECT u.id FROM json_each(?1) j JOIN users u ON u.id = j.value"), 0);
    assert_eq!(bad("SELECT COUNT(*) FROM gallery_images"), 1);
}

/// The lists of the gallery read narrow indexes alone: that is what keeps far pages cheap.
#[tokio::test]
async fn the_lists_of_the_gallery_are_served_from_covering_indexes() {
    let t = TestApp::start().await;
    let database = t.database();
    let lists: Vec<_> = statements()
        .into_iter()
        .filter(|(path, _, sql)| path.ends_with("gallery/store/lists.rs") && sql.contains("OFFSET"))
        .collect();
    assert!(lists.len() >= 7, "{}", lists.len());
    for (_, _, sql) in lists {
        let plan = plan(&database, &sql);
        assert!(plan.iter().all(|line| line.contains("COVERING INDEX")), "{sql}\n{plan:?}");
    }
}
