//! How our own types are stored in columns.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// Stores newtypes around `i64` as INTEGER.
macro_rules! stored_as_integer {
    ($($kind:ident),+ $(,)?) => {$(
        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.0))
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                i64::column_result(value).map($kind)
            }
        }
    )+};
}

stored_as_integer!(UnixMillis, UserId);

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn newtypes_come_back_as_they_went() {
        let conn = Connection::open_in_memory().unwrap();
        let stored: (UserId, UnixMillis, Option<UnixMillis>, String) = conn
            .query_row(
                "SELECT ?1, ?2, ?3, typeof(?1)",
                rusqlite::params![UserId(7), UnixMillis(-1), None::<UnixMillis>],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert_eq!(stored, (UserId(7), UnixMillis(-1), None, "integer".to_owned()));
        assert!(conn.query_row("SELECT 'seven'", [], |row| row.get::<_, UserId>(0)).is_err());
    }
}
