//! The transaction that store functions get: one type for reads and writes.
//!
//! Guarantees: every statement is compiled once per connection; none runs outside the
//! transaction, not even after SQLite gave it up under a closure that ignored the error.

use std::cell::OnceCell;

use rusqlite::types::FromSql;
use rusqlite::{CachedStatement, Connection, Params, RowIndex};

use super::error::DbError;

/// A running transaction. A closure of `Db::write` may change rows, one of `Db::read` cannot.
pub struct Tx<'a> {
    conn: &'a Connection,
    /// Why SQLite gave the transaction up, once it has.
    lost: OnceCell<DbError>,
}

/// One row of an answer.
pub struct Row<'r>(&'r rusqlite::Row<'r>);

impl Row<'_> {
    /// The value of a column, by position from 0 or by name.
    pub fn get<T: FromSql>(&self, column: impl RowIndex) -> Result<T, DbError> {
        Ok(self.0.get(column)?)
    }
}

impl<'a> Tx<'a> {
    /// Over a connection that is inside a transaction.
    pub(super) fn new(conn: &'a Connection) -> Self {
        Self { conn, lost: OnceCell::new() }
    }

    /// The first row, or `None` when there is none.
    pub fn query_opt<T>(
        &self,
        sql: &str,
        params: impl Params,
        from_row: impl FnOnce(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            let Some(row) = rows.next()? else { return Ok(None) };
            from_row(&Row(row)).map(Some)
        })
    }

    /// The first row; [`DbError::NoRow`] when there is none.
    pub fn query_one<T>(
        &self,
        sql: &str,
        params: impl Params,
        from_row: impl FnOnce(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.query_opt(sql, params, from_row)?.ok_or(DbError::NoRow)
    }

    /// All rows, in memory: the statement bounds them by a LIMIT or by what it asks for.
    pub fn query_all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut from_row: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            let mut values = Vec::new();
            while let Some(row) = rows.next()? {
                values.push(from_row(&Row(row))?);
            }
            Ok(values)
        })
    }

    /// Hands each row to `on_row` as it is read: for answers that are too long for memory.
    pub fn for_each<E: From<DbError>>(
        &self,
        sql: &str,
        params: impl Params,
        mut on_row: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut stopped = None;
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                if let Err(err) = on_row(&Row(row)) {
                    stopped = Some(err);
                    break;
                }
            }
            Ok(())
        })?;
        stopped.map_or(Ok(()), Err)
    }

    /// Runs a statement that returns no rows; says how many rows it changed.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize, DbError> {
        self.with(sql, |statement| Ok(statement.execute(params)?))
    }

    /// Inserts exactly one row; says the integer primary key it got.
    pub fn insert(&self, sql: &str, params: impl Params) -> Result<i64, DbError> {
        self.with(sql, |statement| Ok(statement.insert(params)?))
    }

    /// Why the transaction no longer exists, if so. SQLite gives it up by itself after some
    /// failures (disk full, I/O error), whatever the closure made of the error.
    pub(super) fn lost(&self) -> Option<DbError> {
        if !self.conn.is_autocommit() {
            return None;
        }
        Some(self.lost.get().cloned().unwrap_or(DbError::TransactionLost))
    }

    /// Forces a page to be written, without changing what any statement can see.
    pub(super) fn touch(&self, schema_version: i64) -> Result<(), DbError> {
        self.execute(&format!("PRAGMA user_version = {schema_version}"), []).map(drop)
    }

    fn with<T>(
        &self,
        sql: &str,
        run: impl FnOnce(&mut CachedStatement<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let result = self
            .conn
            .prepare_cached(sql)
            .map_err(DbError::from)
            .and_then(|mut statement| run(&mut statement));
        if let Err(err) = &result
            && self.conn.is_autocommit()
        {
            // Cannot be set twice: the check above lets no statement past the first loss.
            let _ = self.lost.set(err.clone());
        }
        result
    }
}
