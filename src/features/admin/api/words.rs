//! `/words`: the list of words that no prompt may hold.

use std::sync::Arc;

use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::{Content, Viewer};
use super::csv::{self, Csv, Sheet};
use crate::app::App;
use crate::db::DbError;
use crate::features::moderation::service::words;
use crate::features::moderation::{Found, ListedWord, ModerationError, WordsChange};
use crate::http::{ApiError, ErrorCode, JsonBody};

/// Words of one answer.
const PAGE_MAX: i64 = 1000;

/// A word of the list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Word {
    /// What texts are compared with: without case, width, spacing and look-alikes.
    word: String,
    /// As it was written.
    text: String,
    added_by: String,
    added_at: String,
}

impl From<ListedWord> for Word {
    fn from(word: ListedWord) -> Self {
        let ListedWord { word, text, added_by, added_at } = word;
        Self { word, text, added_by, added_at: added_at.rfc3339() }
    }
}

/// A part of the list, in the order of `word`.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Words {
    items: Vec<Word>,
    has_more: bool,
    /// What is behind these; null at the end.
    next_cursor: Option<String>,
}

/// Words to be added or removed.
#[derive(Debug, Object)]
struct WordsRequest {
    /// 1–20 000 words.
    #[oai(validator(min_items = 1, max_items = 20000))]
    words: Vec<String>,
}

/// The whole list anew.
#[derive(Debug, Object)]
struct ReplaceWordsRequest {
    /// One a line; empty lines and those that begin with `#` are none.
    text: String,
}

/// What a change came to.
#[derive(Debug, Object)]
struct WordsChanged {
    /// Words that were added or removed.
    changed: u64,
    /// Words that were there, or not there, before.
    unchanged: u64,
}

impl From<WordsChange> for WordsChanged {
    fn from(change: WordsChange) -> Self {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        Self { changed: count(change.changed), unchanged: count(change.unchanged) }
    }
}

/// A text to try the list on.
#[derive(Debug, Object)]
struct TryWordsRequest {
    /// 1–4000 characters.
    #[oai(validator(min_length = 1, max_length = 4000))]
    text: String,
}

/// A word that a text holds.
#[derive(Debug, Object)]
struct WordHit {
    word: String,
    /// Where it stands in the text, in characters.
    start: u64,
    end: u64,
    /// What stands there.
    text: String,
}

/// The words that a text holds; a hundred at most.
#[derive(Debug, Object)]
struct WordHits {
    hits: Vec<WordHit>,
}

/// The word list.
pub(super) struct WordsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/words", tag = "AdminTag::Content")]
impl WordsApi {
    /// List the words
    #[oai(path = "/", method = "get", operation_id = "listWords")]
    async fn list(
        &self,
        _admin: Viewer,
        /// Behind this word.
        cursor: Query<Option<String>>,
        /// 1–1000.
        limit: Query<Option<i64>>,
    ) -> Result<Json<Words>, ApiError> {
        let limit = limit.0.unwrap_or(200);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(ApiError::invalid_field("limit"));
        }
        let mut found = part(&self.app, cursor.0, limit.saturating_add(1)).await?;
        let shown = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = found.len() > shown;
        found.truncate(shown);
        let last = found.last().map(|word| word.word.clone());
        let items = found.into_iter().map(Word::from).collect();
        Ok(Json(Words { items, has_more, next_cursor: last.filter(|_| has_more) }))
    }

    /// Export the words
    ///
    /// As CSV.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportWords")]
    async fn export(&self, _admin: Viewer) -> Result<Csv, ApiError> {
        let sheet = Sheet {
            name: "words.csv",
            columns: &["text", "word", "addedBy", "addedAt"],
            keys: |word: &ListedWord| word.word.clone(),
            record: |word| {
                let at = word.added_at.rfc3339();
                vec![word.text.clone(), word.word.clone(), word.added_by.clone(), at]
            },
        };
        csv::export(&self.app, sheet, (), |app, (), after, fetch| async move {
            part(&app, after, fetch).await
        })
        .await
    }

    /// Add words
    ///
    /// They hold at once. Errors: `INVALID_REQUEST` naming the first that cannot be on the list.
    #[oai(path = "/add", method = "post", operation_id = "addWords")]
    async fn add(
        &self,
        admin: Content,
        body: JsonBody<WordsRequest>,
    ) -> Result<Json<WordsChanged>, ApiError> {
        Ok(Json(words::add(&self.app, &admin.actor(), &body.0.words).await?.into()))
    }

    /// Remove words
    ///
    /// However they are written.
    #[oai(path = "/remove", method = "post", operation_id = "removeWords")]
    async fn remove(
        &self,
        admin: Content,
        body: JsonBody<WordsRequest>,
    ) -> Result<Json<WordsChanged>, ApiError> {
        Ok(Json(words::remove(&self.app, &admin.actor(), &body.0.words).await?.into()))
    }

    /// Replace the list
    ///
    /// By the words of a text, all or nothing. Errors: as of adding.
    #[oai(path = "/replace", method = "post", operation_id = "replaceWords")]
    async fn replace(
        &self,
        admin: Content,
        body: JsonBody<ReplaceWordsRequest>,
    ) -> Result<Json<WordsChanged>, ApiError> {
        Ok(Json(words::replace(&self.app, &admin.actor(), &body.0.text).await?.into()))
    }

    /// Try the list on a text
    ///
    /// Which words it holds, as a prompt would be judged.
    #[oai(path = "/try", method = "post", operation_id = "tryWords")]
    async fn try_out(
        &self,
        _admin: Viewer,
        body: JsonBody<TryWordsRequest>,
    ) -> Result<Json<WordHits>, ApiError> {
        let text = body.0.text;
        let hit = |found: Found| WordHit {
            text: text
                .chars()
                .skip(found.start)
                .take(found.end.saturating_sub(found.start))
                .collect(),
            word: found.word,
            start: u64::try_from(found.start).unwrap_or(u64::MAX),
            end: u64::try_from(found.end).unwrap_or(u64::MAX),
        };
        let hits = words::try_out(&self.app, &text).into_iter().map(hit).collect();
        Ok(Json(WordHits { hits }))
    }
}

async fn part(app: &App, after: Option<String>, fetch: i64) -> Result<Vec<ListedWord>, DbError> {
    let after = after.unwrap_or_default();
    app.db.read("admin.words", move |tx| words::list(tx, &after, fetch)).await
}

impl From<ModerationError> for ApiError {
    fn from(err: ModerationError) -> Self {
        let answer = match &err {
            ModerationError::Word(word) => Self::invalid_field("words")
                .message(
                    format!("“{word}”不能作为敏感词（words）：至少两个有效字符，最多 64 个"),
                    format!("{word:?} cannot be on the list (words): 2 to 64 characters count"),
                )
                .detail("word", word.as_str()),
            ModerationError::TooManyWords(most) => Self::invalid_field("words").message(
                format!("词库最多 {most} 个词（words）"),
                format!("The list has at most {most} words (words)"),
            ),
            ModerationError::Unsearchable(_) => Self::new(ErrorCode::InternalError),
            ModerationError::Db(db) => Self::new(db.into()),
        };
        answer.caused_by(err)
    }
}
