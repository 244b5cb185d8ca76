//! Counting uses in memory, and writing them down.
//!
//! Once a template was used, its count here is the truth: it begins with what is written and only
//! grows, so that an answer never goes back while a batch is being written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Templates;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::features::templates::model::TemplateError;
use crate::features::templates::store;

/// Between two writes; what a crash can lose.
const EVERY: Duration = Duration::from_millis(900);

/// The uses of templates. One entry for each template that was used since the start.
#[derive(Default)]
pub(super) struct Usage {
    counts: Mutex<HashMap<String, Count>>,
    /// One batch at a time.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Count {
    all: i64,
    unwritten: i64,
}

impl Usage {
    /// How often it was used, if that is known here.
    pub(super) fn count(&self, id: &str) -> Option<i64> {
        self.counts.lock().get(id).map(|count| count.all)
    }

    /// One use more; `false` when nothing is known of the template.
    fn add(&self, id: &str) -> bool {
        self.counts.lock().get_mut(id).map(Count::add).is_some()
    }

    /// The first use of a template of which so many are written. Another one may have been first.
    fn begin(&self, id: String, written: i64) {
        let begun = Count { all: written, unwritten: 0 };
        self.counts.lock().entry(id).or_insert(begun).add();
    }

    /// The template is gone.
    pub(super) fn forget(&self, id: &str) {
        self.counts.lock().remove(id);
    }

    fn unwritten(&self) -> Vec<(String, i64)> {
        let counts = self.counts.lock();
        let due = counts.iter().filter(|(_, count)| count.unwritten > 0);
        due.map(|(id, count)| (id.clone(), count.unwritten)).collect()
    }

    fn written(&self, batch: &[(String, i64)]) {
        let mut counts = self.counts.lock();
        for (id, uses) in batch {
            if let Some(count) = counts.get_mut(id) {
                count.unwritten = count.unwritten.saturating_sub(*uses);
            }
        }
    }
}

impl Count {
    fn add(&mut self) {
        self.all = self.all.saturating_add(1);
        self.unwritten = self.unwritten.saturating_add(1);
    }
}

/// Counts a use. It is on disk within a second.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(in crate::features::templates) fn used(app: &App, id: &str) -> Result<(), TemplateError> {
    let state = app.states.get::<Templates>();
    if !state.usage.add(id) {
        let written = app.db.read_inline("templates.usage", |tx| store::usage_count(tx, id))?;
        state.usage.begin(id.to_owned(), written.ok_or(TemplateError::NotFound)?);
    }
    state.generation.changes_soon(app.clock.now());
    Ok(())
}

/// Writes down what was used since the last time, if anything was.
///
/// # Errors
/// What the database fails with; the next call writes it.
pub async fn flush(app: &App) -> Result<(), TemplateError> {
    let state = app.states.get::<Templates>();
    let _one = state.usage.writing.lock().await;
    let batch = state.usage.unwritten();
    if batch.is_empty() {
        return Ok(());
    }
    let batch = app
        .db
        .write("templates.usage", move |tx| {
            for (id, uses) in &batch {
                store::add_usage(tx, id, *uses)?;
            }
            Ok::<_, TemplateError>(batch)
        })
        .await?;
    state.usage.written(&batch);
    Ok(())
}

/// Writes once a second until `stop`. Requests may still come then: whoever stops calls [`flush`] when
/// the last was answered.
pub async fn keep_flushing(app: Arc<App>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(err) = flush(&app).await {
            tracing::warn!(
                problem = error_chain(&err),
                "the uses of templates are not written yet"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_a_batch_is_written_is_in_the_next() {
        let usage = Usage::default();
        assert!(!usage.add("a"));
        usage.begin("a".to_owned(), 7);
        // Two first uses at once: the second finds the first.
        usage.begin("a".to_owned(), 7);
        let batch = usage.unwritten();
        assert_eq!(batch, [("a".to_owned(), 2)]);
        assert!(usage.add("a"));
        usage.written(&batch);
        assert_eq!(usage.unwritten(), [("a".to_owned(), 1)]);
        assert_eq!(usage.count("a"), Some(10));
        usage.forget("a");
        assert_eq!((usage.count("a"), usage.unwritten()), (None, vec![]));
    }
}
