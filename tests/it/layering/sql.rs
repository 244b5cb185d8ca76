//! Where SQL stands, and who writes which table.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::source::{Literal, Source};

/// Columns that another feature than the table's owner writes.
struct Lent {
    table: &'static str,
    to: &'static str,
    columns: &'static [&'static str],
}

const LENT: [Lent; 3] = [
    // Ending every session of a user is a matter of tokens; a table of its own would cost every
    // check of a token another read.
    Lent { table: "users", to: "features/auth", columns: &["token_version"] },
    // A balance moves with the ledger only; and it is shown wherever a user is.
    Lent {
        table: "users",
        to: "features/points",
        columns: &["points_balance", "invite_code", "invited_by"],
    },
    // What the grants of a user come to; it is shown wherever a user is.
    Lent { table: "users", to: "features/vip", columns: &["vip_level", "vip_expire_at"] },
];

/// Columns that whoever changes a row keeps.
const SHARED_COLUMNS: [&str; 1] = ["updated_at"];

/// Demo data go straight into all tables of a fresh database: through the services it would take
/// minutes, and there is nobody yet to whom rules could apply.
const MAY_WRITE_ALL: [&str; 1] = ["cli/seed"];

/// How a statement begins.
const VERBS: [&str; 12] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "REPLACE ",
    "WITH ",
    "CREATE ",
    "DROP ",
    "ALTER ",
    "PRAGMA ",
    "BEGIN",
    "SAVEPOINT ",
];

/// What would tie the statements to SQLite or hide what they read.
const NOT_PORTABLE: [&str; 4] = ["INSERT OR ", "SELECT * ", "datetime('now'", "CURRENT_TIMESTAMP"];

/// Statements outside the files that may have them, and statements that only SQLite takes.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for literal in statements(source) {
        let add = |rule: &str| Finding::new(&source.path, literal.line, rule.to_owned());
        if !may_hold_sql(&source.path) {
            findings.push(add("SQL stands in store files and in db only"));
        } else if !source.path.starts_with("src/db/") {
            let text = one_line(&literal.text);
            for part in NOT_PORTABLE.iter().filter(|part| text.contains(**part)) {
                findings.push(add(&format!("{} is not to be used in SQL", part.trim())));
            }
        }
    }
    findings
}

/// Tables with more than one writer.
pub(super) fn check_writers(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut writers: BTreeMap<String, BTreeMap<String, Vec<(String, usize)>>> = BTreeMap::new();
    for source in sources.iter().filter(|source| is_store(&source.path)) {
        let owner = owner(&source.path);
        if MAY_WRITE_ALL.contains(&owner.as_str()) {
            continue;
        }
        for literal in statements(source) {
            for write in writes(&literal.text) {
                match lent(&write, &owner) {
                    Loan::None => writers
                        .entry(write.table)
                        .or_default()
                        .entry(owner.clone())
                        .or_default()
                        .push((source.path.clone(), literal.line)),
                    Loan::Kept => {}
                    Loan::Broken(rule) => {
                        findings.push(Finding::new(&source.path, literal.line, rule));
                    }
                }
            }
        }
    }
    for (table, by) in writers.iter().filter(|(_, by)| by.len() > 1) {
        let all: Vec<&str> = by.keys().map(String::as_str).collect();
        // The owner is most often the one with the most statements; the others are shown.
        let most = by.values().map(Vec::len).max().unwrap_or_default();
        let mut owner_seen = false;
        for places in by.values() {
            if places.len() == most && !owner_seen {
                owner_seen = true;
                continue;
            }
            for (path, line) in places {
                let rule =
                    format!("{table} is written by {}: one table, one writer", all.join(" and "));
                findings.push(Finding::new(path, *line, rule));
            }
        }
    }
    findings
}

fn statements(source: &Source) -> impl Iterator<Item = &Literal> {
    source.literals.iter().filter(|literal| {
        let text = literal.text.trim_start();
        VERBS.iter().any(|verb| text.starts_with(verb))
            || VERBS.iter().any(|verb| text.starts_with(&format!("{}\n", verb.trim_end())))
    })
}

fn is_store(path: &str) -> bool {
    path.ends_with("/store.rs") || path.contains("/store/")
}

fn may_hold_sql(path: &str) -> bool {
    path.starts_with("src/db/") || is_store(path)
}

/// `features/users` of `src/features/users/store.rs`, `jobs` of `src/jobs/store.rs`.
fn owner(path: &str) -> String {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let end = path.find("/store").unwrap_or(path.len());
    path[..end].to_owned()
}

fn one_line(sql: &str) -> String {
    let mut text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    text.push(' ');
    text
}

#[derive(Debug, PartialEq)]
struct Write {
    table: String,
    /// The columns of an UPDATE; `None` where whole rows come or go.
    columns: Option<BTreeSet<String>>,
}

/// What a statement writes. Upserts count for their table once.
fn writes(sql: &str) -> Vec<Write> {
    let text = one_line(sql)
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ")
        .replace('=', " = ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let next = |ahead: usize| words.get(at + ahead).copied().unwrap_or_default();
        match *word {
            "INSERT" | "REPLACE" => {
                if let Some(into) = words[at..].iter().take(4).position(|word| *word == "INTO") {
                    found.push(Write { table: next(into + 1).to_owned(), columns: None });
                }
            }
            "DELETE" if next(1) == "FROM" => {
                found.push(Write { table: next(2).to_owned(), columns: None });
            }
            // Not `DO UPDATE SET`, whose table is the INSERT's.
            "UPDATE" if next(1) != "SET" => {
                let set = words[at..].iter().position(|word| *word == "SET").unwrap_or_default();
                let columns = columns(&words[at + set + 1..]);
                found.push(Write { table: next(1).to_owned(), columns: Some(columns) });
            }
            _ => {}
        }
    }
    found
}

/// The left sides of a SET list.
fn columns(words: &[&str]) -> BTreeSet<String> {
    let (mut depth, mut is_left, mut found) = (0_usize, true, BTreeSet::new());
    for word in words {
        match *word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => is_left = true,
            "WHERE" | "RETURNING" | "FROM" if depth == 0 => break,
            name if is_left && depth == 0 => {
                is_left = false;
                found.insert(name.to_owned());
            }
            _ => {}
        }
    }
    found
}

enum Loan {
    /// Nobody borrows here: the writer owns the table, or claims to.
    None,
    /// Exactly what was lent.
    Kept,
    Broken(String),
}

fn lent(write: &Write, owner: &str) -> Loan {
    let Some(columns) = &write.columns else { return Loan::None };
    for loan in LENT.iter().filter(|loan| loan.table == write.table) {
        let of_the_loan = |column: &String| loan.columns.contains(&column.as_str());
        let is_shared = |column: &String| SHARED_COLUMNS.contains(&column.as_str());
        if loan.to == owner {
            return match columns.iter().find(|column| !of_the_loan(column) && !is_shared(column)) {
                None => Loan::Kept,
                Some(column) => Loan::Broken(format!(
                    "{}.{column} is not lent to {owner}: one table, one writer",
                    write.table
                )),
            };
        }
        if let Some(column) = columns.iter().find(|column| of_the_loan(column)) {
            let Write { table, .. } = write;
            return Loan::Broken(format!("{table}.{column} is written by {} alone", loan.to));
        }
    }
    Loan::None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    fn writers(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, sql)| Source::new(path, &format!("fn f() {{ x(\"{sql}\") }}")))
            .collect();
        shown(&check_writers(&sources))
    }

    #[test]
    fn sql_outside_store_files_is_found() {
        let text = "fn f() {\n    g(\n        \"SELECT id FROM users\",\n    )\n}";
        let found = |path| shown(&check(&Source::new(path, text)));
        assert_eq!(
            found("src/features/users/service.rs"),
            ["src/features/users/service.rs:3: SQL stands in store files and in db only"]
        );
        for path in ["src/features/users/store.rs", "src/db/tx.rs", "src/cli/seed/store.rs"] {
            assert_eq!(found(path), [""; 0]);
        }
        let words = Source::new("src/a.rs", "const T: &str = \"Select a plan\";");
        assert_eq!(shown(&check(&words)), [""; 0]);
    }

    #[test]
    fn what_only_sqlite_takes_is_found() {
        let text = "fn f() { g(\"INSERT OR REPLACE INTO a (b) VALUES (1)\") }";
        let found = shown(&check(&Source::new("src/features/a/store.rs", text)));
        assert_eq!(found, ["src/features/a/store.rs:1: INSERT OR is not to be used in SQL"]);
    }

    #[test]
    fn what_a_statement_writes_is_understood() {
        let table = |sql| writes(sql).into_iter().map(|write| write.table).collect::<Vec<_>>();
        assert_eq!(table("INSERT INTO a (x) VALUES (1) ON CONFLICT DO UPDATE SET x = 2"), ["a"]);
        assert_eq!(table("DELETE FROM b WHERE id IN (SELECT id FROM c)"), ["b"]);
        assert_eq!(table("SELECT updated_at FROM d"), [""; 0]);
        let update = writes("UPDATE e SET x = COALESCE(?1, x),\n y=y + 1 WHERE z = 1");
        let columns: Vec<_> = update[0].columns.iter().flatten().map(String::as_str).collect();
        assert_eq!(columns, ["x", "y"]);
    }

    #[test]
    fn a_table_has_one_writer() {
        let found = writers(&[
            ("src/features/a/store.rs", "INSERT INTO t (x) VALUES (1)"),
            ("src/features/a/store.rs", "UPDATE t SET x = 2"),
            ("src/features/b/store.rs", "DELETE FROM t"),
            ("src/cli/seed/store.rs", "INSERT INTO t (x) VALUES (1)"),
        ]);
        let rule = "t is written by features/a and features/b: one table, one writer";
        assert_eq!(found, [format!("src/features/b/store.rs:1: {rule}")]);
    }

    #[test]
    fn a_lent_column_has_its_own_writer() {
        let users = ("src/features/users/store.rs", "INSERT INTO users (openid) VALUES (1)");
        let auth = |sql| writers(&[users, ("src/features/auth/store.rs", sql)]);
        let bump =
            "UPDATE users SET token_version = token_version + 1, updated_at = ?2 WHERE id = 1";
        assert_eq!(auth(bump), [""; 0]);
        assert!(auth("UPDATE users SET phone = NULL")[0].contains("users.phone is not lent"));
        assert!(auth("DELETE FROM users")[0].contains("one table, one writer"));
        let own = writers(&[("src/features/users/store.rs", bump)]);
        assert!(own[0].contains("users.token_version is written by features/auth alone"));
    }
}
