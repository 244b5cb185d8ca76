//! Everything that is held of a user, as one JSON document, written row by row.

#[cfg(test)]
mod left_out;
mod sections;

use std::io::Write;

use serde_json::{Map, Value};

use self::sections::{Kind, SECTIONS, Section};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::account::model::AccountError;

/// Writes the document; `false` when there is no such user (then nothing that was written counts).
pub(in crate::features::account) fn write(
    tx: &Tx<'_>,
    user: UserId,
    now: UnixMillis,
    out: &mut impl Write,
) -> Result<bool, AccountError> {
    write!(out, "{{\"exportedAt\":\"{}\"", now.rfc3339())?;
    let mut is_there = false;
    for section in SECTIONS {
        write!(out, ",\n\"{}\":[", section.name)?;
        let mut is_first = true;
        tx.for_each(&section.sql(), params![user], |row| {
            let separator = if is_first { "\n" } else { ",\n" };
            out.write_all(separator.as_bytes())?;
            // Texts, numbers and lists of them always serialise; writing them may fail.
            serde_json::to_writer(&mut *out, &object(section, row)?)
                .map_err(std::io::Error::from)?;
            is_first = false;
            Ok::<_, AccountError>(())
        })?;
        is_there |= !is_first && section.name == "user";
        out.write_all(b"]")?;
    }
    out.write_all(b"\n}\n")?;
    Ok(is_there)
}

fn object(section: &Section, row: &Row<'_>) -> Result<Value, DbError> {
    let mut object = Map::new();
    for (at, (column, kind)) in section.columns.iter().enumerate() {
        let value = match kind {
            Kind::Text => row.get::<Option<String>>(at)?.map(Value::from),
            Kind::Number => row.get::<Option<i64>>(at)?.map(Value::from),
            Kind::Time => {
                row.get::<Option<i64>>(at)?.map(|at| Value::from(UnixMillis(at).rfc3339()))
            }
            Kind::Json => row
                .get::<Option<String>>(at)?
                .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
        };
        object.insert(camel_case(column), value.unwrap_or(Value::Null));
    }
    Ok(Value::Object(object))
}

/// `created_at` as clients write it: `createdAt`.
fn camel_case(column: &str) -> String {
    let mut name = String::with_capacity(column.len());
    let mut is_next_large = false;
    for letter in column.chars() {
        if letter == '_' {
            is_next_large = true;
        } else if std::mem::take(&mut is_next_large) {
            name.push(letter.to_ascii_uppercase());
        } else {
            name.push(letter);
        }
    }
    name
}

#[cfg(test)]
mod tests;
