//! The `moderation_words` table.

use crate::db::prelude::*;
use crate::features::moderation::model::ListedWord;

/// Words behind `after`, in the order of their keys.
pub(in crate::features::moderation) fn list(
    tx: &Tx<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<ListedWord>, DbError> {
    tx.query_all(
        "SELECT word, text, added_by, added_at FROM moderation_words
          WHERE word > ?1 ORDER BY word LIMIT ?2",
        params![after, limit],
        |row| {
            Ok(ListedWord {
                word: row.get(0)?,
                text: row.get(1)?,
                added_by: row.get(2)?,
                added_at: row.get(3)?,
            })
        },
    )
}

/// Adds a word; `false` when it was there.
pub(in crate::features::moderation) fn insert(
    tx: &Tx<'_>,
    word: &ListedWord,
) -> Result<bool, DbError> {
    let added = tx.execute(
        "INSERT INTO moderation_words (word, text, added_by, added_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (word) DO NOTHING",
        params![word.word, word.text, word.added_by, word.added_at],
    )?;
    Ok(added == 1)
}

/// Removes a word; `false` when it was not there.
pub(in crate::features::moderation) fn delete(tx: &Tx<'_>, word: &str) -> Result<bool, DbError> {
    Ok(tx.execute("DELETE FROM moderation_words WHERE word = ?1", params![word])? == 1)
}
