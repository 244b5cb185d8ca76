//! The word list: kept in the database, searched in memory.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use crate::app::App;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::moderation::model::{
    Found, ListedWord, Matcher, ModerationError, WordsChange, normalised,
};
use crate::features::moderation::store;

/// Words of the list. All of them take a few megabytes to search with.
const WORDS_MAX: usize = 20_000;

/// The length of a word, in characters, when it is normal. One alone would be part of too much.
const WORD_CHARS: std::ops::RangeInclusive<usize> = 2..=64;

/// Places shown of one text.
const FOUND_MAX: usize = 100;

/// Words of one change that the audit log names; the rest it counts.
const AUDITED_MAX: usize = 200;

/// The list as it is searched with.
#[derive(Default)]
struct InForce {
    matcher: RwLock<Option<Arc<Matcher>>>,
    /// Held while reading the table and putting the result in force, so that of two changes the one
    /// that reads later is also the one that stays.
    reading: Mutex<()>,
}

/// Puts what is stored in force. To be called before serving.
///
/// # Errors
/// What the database fails with, `Unsearchable`; what was in force stays.
pub fn load(app: &App) -> Result<(), ModerationError> {
    let in_force = app.states.get::<InForce>();
    let _reading = in_force.reading.lock();
    let most = i64::try_from(WORDS_MAX).unwrap_or(i64::MAX);
    let words = app.db.read_inline("moderation.words", |tx| store::words::list(tx, "", most))?;
    let matcher = Matcher::of(words).map_err(ModerationError::Unsearchable)?;
    *in_force.matcher.write() = Some(Arc::new(matcher));
    Ok(())
}

/// Whether the text holds a word of the list.
pub(super) fn is_in(app: &App, text: &str) -> bool {
    in_force(app).is_some_and(|matcher| matcher.is_in(text))
}

/// Which words a text holds and where, for whoever tries the list out; the first hundred.
pub fn try_out(app: &App, text: &str) -> Vec<Found> {
    in_force(app).map_or_else(Vec::new, |matcher| matcher.find(text, FOUND_MAX))
}

/// Words of the list behind the one with this key, in the order of their keys.
///
/// # Errors
/// What the database fails with.
pub fn list(tx: &Tx<'_>, after: &str, fetch: i64) -> Result<Vec<ListedWord>, DbError> {
    store::words::list(tx, after, fetch)
}

/// Adds words; they hold when this returns. Words that are the same to the list are one.
///
/// # Errors
/// `Word` naming the first that cannot be on it, `TooManyWords`; nothing has changed then. What the
/// database fails with.
pub async fn add(
    app: &App,
    actor: &Actor,
    words: &[String],
) -> Result<WordsChange, ModerationError> {
    let now = app.clock.now();
    let listed = |text: &String| -> Result<ListedWord, ModerationError> {
        let (text, added_by) = (text.trim().to_owned(), actor.to_string());
        Ok(ListedWord { word: key(&text)?, text, added_by, added_at: now })
    };
    let listed: Vec<ListedWord> = words.iter().map(listed).collect::<Result<_, _>>()?;
    if listed.len() > WORDS_MAX {
        return Err(ModerationError::TooManyWords(WORDS_MAX));
    }
    let actor = actor.clone();
    let done = app
        .db
        .write("moderation.add_words", move |tx| {
            let mut added = Vec::new();
            for word in &listed {
                if store::words::insert(tx, word)? {
                    added.push(word.text.clone());
                }
            }
            let one_more = i64::try_from(WORDS_MAX).unwrap_or(i64::MAX - 1) + 1;
            if store::words::list(tx, "", one_more)?.len() > WORDS_MAX {
                return Err(ModerationError::TooManyWords(WORDS_MAX));
            }
            let change =
                WordsChange { changed: added.len(), unchanged: listed.len() - added.len() };
            if !added.is_empty() {
                let after = named(&added);
                let entry = entry(actor, "moderation.words_added", Value::Null, after);
                audit::service::record(tx, &entry, now)?;
            }
            Ok(change)
        })
        .await?;
    load(app)?;
    Ok(done)
}

/// Adds the words of a text, one a line; empty lines and those that begin with `#` are none.
///
/// # Errors
/// Like [`add`].
pub async fn import(app: &App, actor: &Actor, lines: &str) -> Result<WordsChange, ModerationError> {
    add(app, actor, &words_of(lines)).await
}

/// Makes the words of a text, one a line, the whole list, in one step.
///
/// # Errors
/// Like [`add`].
pub async fn replace(
    app: &App,
    actor: &Actor,
    lines: &str,
) -> Result<WordsChange, ModerationError> {
    let now = app.clock.now();
    let (mut listed, mut seen) = (Vec::new(), HashSet::new());
    for text in words_of(lines) {
        let (word, added_by) = (key(&text)?, actor.to_string());
        if seen.insert(word.clone()) {
            listed.push(ListedWord { word, text, added_by, added_at: now });
        }
        if listed.len() > WORDS_MAX {
            return Err(ModerationError::TooManyWords(WORDS_MAX));
        }
    }
    let actor = actor.clone();
    let done = app
        .db
        .write("moderation.replace_words", move |tx| {
            let most = i64::try_from(WORDS_MAX).unwrap_or(i64::MAX - 1) + 1;
            let before = store::words::list(tx, "", most)?;
            let (mut added, mut removed) = (Vec::new(), Vec::new());
            for word in &before {
                if !seen.contains(&word.word) {
                    store::words::delete(tx, &word.word)?;
                    removed.push(word.text.clone());
                }
            }
            for word in &listed {
                if store::words::insert(tx, word)? {
                    added.push(word.text.clone());
                }
            }
            let changed = added.len() + removed.len();
            if changed > 0 {
                let entry =
                    entry(actor, "moderation.words_replaced", named(&removed), named(&added));
                audit::service::record(tx, &entry, now)?;
            }
            let unchanged = before.len() - removed.len();
            Ok::<_, ModerationError>(WordsChange { changed, unchanged })
        })
        .await?;
    load(app)?;
    Ok(done)
}

/// The words of a text, one a line; empty lines and those that begin with `#` are none.
fn words_of(lines: &str) -> Vec<String> {
    let lines = lines.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Removes words, however they are written; the rest holds when this returns.
///
/// # Errors
/// What the database fails with.
pub async fn remove(
    app: &App,
    actor: &Actor,
    words: &[String],
) -> Result<WordsChange, ModerationError> {
    let now = app.clock.now();
    let keys: Vec<String> = words.iter().map(|word| normalised(word)).collect();
    let actor = actor.clone();
    let done = app
        .db
        .write("moderation.remove_words", move |tx| {
            let mut removed = Vec::new();
            for word in &keys {
                if store::words::delete(tx, word)? {
                    removed.push(word.clone());
                }
            }
            let change =
                WordsChange { changed: removed.len(), unchanged: keys.len() - removed.len() };
            if !removed.is_empty() {
                let before = named(&removed);
                let entry = entry(actor, "moderation.words_removed", before, Value::Null);
                audit::service::record(tx, &entry, now)?;
            }
            Ok::<_, ModerationError>(change)
        })
        .await?;
    load(app)?;
    Ok(done)
}

fn in_force(app: &App) -> Option<Arc<Matcher>> {
    app.states.get::<InForce>().matcher.read().clone()
}

/// What a word is to the list.
fn key(text: &str) -> Result<String, ModerationError> {
    let word = normalised(text);
    let is_good = WORD_CHARS.contains(&word.chars().count());
    if is_good { Ok(word) } else { Err(ModerationError::Word(text.to_owned())) }
}

fn named(words: &[String]) -> Value {
    let named: Vec<&String> = words.iter().take(AUDITED_MAX).collect();
    json!({ "words": named, "count": words.len() })
}

fn entry(actor: Actor, action: &'static str, before: Value, after: Value) -> AuditEntry {
    AuditEntry { actor, action, object: "moderation:words".to_owned(), before, after }
}
