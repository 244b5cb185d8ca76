//! Looking the file over, without disturbing who works with it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How many problems SQLite names before it stops looking.
const NAMED: u32 = 10;

/// What came of looking the file over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Nothing is wrong with it.
    Whole,
    /// What is wrong, in SQLite's words.
    Broken(Vec<String>),
    /// It took too long; nothing was found until then.
    NotFinished,
    /// It could not be looked at.
    Unreadable(String),
}

/// `PRAGMA quick_check`, or with `full` the check of every index entry too, for at most `limit`.
pub(super) async fn check(path: &Path, full: bool, limit: Duration) -> Integrity {
    let path = path.to_owned();
    let unreadable = |err: rusqlite::Error| Integrity::Unreadable(err.to_string());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opening = tokio::task::spawn_blocking(move || Connection::open_with_flags(path, flags));
    let conn = match opening.await {
        Ok(Ok(conn)) => conn,
        Ok(Err(err)) => return unreadable(err),
        Err(err) => return Integrity::Unreadable(err.to_string()),
    };
    let stop = conn.get_interrupt_handle();
    let mut work = tokio::task::spawn_blocking(move || look(&conn, full));
    let done = match tokio::time::timeout(limit, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            stop.interrupt();
            return Integrity::NotFinished;
        }
    };
    match done {
        Ok(Ok(lines)) if lines == ["ok"] => Integrity::Whole,
        Ok(Ok(lines)) => Integrity::Broken(lines),
        Ok(Err(err)) => unreadable(err),
        Err(err) => Integrity::Unreadable(err.to_string()),
    }
}

fn look(conn: &Connection, full: bool) -> rusqlite::Result<Vec<String>> {
    conn.pragma_update(None, "query_only", true)?;
    let pragma = if full { "integrity_check" } else { "quick_check" };
    let mut statement = conn.prepare(&format!("PRAGMA {pragma}({NAMED})"))?;
    statement.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_file_is_told_from_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE a (b TEXT); CREATE INDEX c ON a (b)").unwrap();
        for n in 0..2000 {
            conn.execute("INSERT INTO a VALUES (?1)", [format!("row number {n}")]).unwrap();
        }
        drop(conn);
        let limit = Duration::from_secs(20);
        assert_eq!(check(&path, true, limit).await, Integrity::Whole);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8192].fill(0xAB);
        std::fs::write(&path, bytes).unwrap();
        let damaged = check(&path, false, limit).await;
        assert!(matches!(damaged, Integrity::Broken(_) | Integrity::Unreadable(_)), "{damaged:?}");
        let missing = check(&folder.path().join("none.db"), false, limit).await;
        assert!(matches!(missing, Integrity::Unreadable(_)), "{missing:?}");
    }
}
