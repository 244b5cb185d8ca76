//! Which request a task works for: what it makes is found again by the request's id.
//!
//! It is set around the handler and read where something is made, so that the layers between need not
//! hand it down. A task that is spawned on the way does not know it: read it before.

use std::sync::Arc;

tokio::task_local! {
    static REQUEST: Arc<str>;
}

/// Does `work` for the request with this id.
pub async fn within<F: Future>(id: &str, work: F) -> F::Output {
    REQUEST.scope(Arc::from(id), work).await
}

/// The id of the request that is being worked for; none in the background.
pub fn current() -> Option<Arc<str>> {
    REQUEST.try_with(Arc::clone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_known_within_and_nowhere_else() {
        assert_eq!(current(), None);
        let seen = within("r-1", async {
            tokio::task::yield_now().await;
            let inner = within("r-2", async { current() }).await;
            (inner, current(), tokio::spawn(async { current() }).await.unwrap())
        });
        let (inner, outer, spawned) = seen.await;
        assert_eq!((inner.as_deref(), outer.as_deref(), spawned), (Some("r-2"), Some("r-1"), None));
    }
}
