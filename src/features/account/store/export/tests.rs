use std::collections::BTreeSet;

use super::left_out::{NOT_EXPORTED, WITHHELD};
use super::sections::SECTIONS;
use super::*;
use crate::base::clock::Clock;
use crate::db::{Db, DbSettings};

/// Columns that say whose a row is, in every table: the asker's.
const OWNER: [&str; 3] = ["user_id", "author_id", "redeemed_by"];

fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let settings = DbSettings::new(dir.path().join("dream.db"), dir.path().join("backups"));
    let db = Db::open(settings, &Clock::system()).unwrap();
    (dir, db)
}

fn texts(db: &Db, sql: &str) -> BTreeSet<String> {
    let read = |tx: &Tx<'_>| tx.query_all(sql, [], |row| row.get(0));
    db.read_inline("test", read).unwrap().into_iter().collect()
}

/// Whoever adds a table or a column decides whether a user gets it with his data.
#[test]
fn every_table_and_column_is_exported_or_left_out_for_a_reason() {
    let (_dir, db) = database();
    let tables = texts(
        &db,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    );
    let exported: BTreeSet<&str> = SECTIONS.iter().map(|section| section.table).collect();
    let left_out: BTreeSet<&str> = NOT_EXPORTED.iter().map(|(table, _)| *table).collect();
    for table in &tables {
        let times = usize::from(exported.contains(table.as_str()))
            + usize::from(left_out.contains(table.as_str()));
        assert_eq!(
            times, 1,
            "{table}: put what it holds of a user into SECTIONS, or say in NOT_EXPORTED why not; \
             and let `wipe` (service/delete.rs) remove it with the account"
        );
    }
    for table in exported.iter().chain(&left_out) {
        assert!(tables.contains(*table), "there is no table {table} any more");
    }
    for section in SECTIONS {
        let columns =
            texts(&db, &format!("SELECT name FROM pragma_table_info('{}')", section.table));
        for column in &columns {
            let is_shown = section.columns.iter().any(|(shown, _)| shown == column);
            let is_withheld = OWNER.contains(&column.as_str())
                || WITHHELD.iter().any(|(t, c, _)| *t == section.table && c == column);
            assert!(
                is_shown != is_withheld,
                "{}.{column}: show it, or say in WITHHELD why not",
                section.table
            );
        }
        for (column, _) in section.columns {
            assert!(columns.contains(*column), "{}.{column} is not there", section.table);
        }
    }
    for (table, column, _) in WITHHELD {
        let columns = texts(&db, &format!("SELECT name FROM pragma_table_info('{table}')"));
        assert!(columns.contains(*column), "{table}.{column} is not there any more");
    }
}

/// A user with a long history must not make the export walk through everybody's.
#[test]
fn every_section_finds_its_rows_by_an_index() {
    let (_dir, db) = database();
    for section in SECTIONS {
        let plan = format!("EXPLAIN QUERY PLAN {}", section.sql());
        let read = |tx: &Tx<'_>| tx.query_all(&plan, params![1], |row| row.get::<String>(3));
        let steps = db.read_inline("test", read).unwrap();
        let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
        assert_eq!(scans.count(), 0, "{}: {steps:?}", section.name);
    }
}

#[test]
fn names_are_those_of_clients() {
    assert_eq!(camel_case("id"), "id");
    assert_eq!(camel_case("vip_expire_at"), "vipExpireAt");
}
