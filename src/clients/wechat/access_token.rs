//! The access token of server calls (`POST /cgi-bin/stable_token`).
//!
//! Guarantees: however many callers need a token at once, one of them fetches it; it is dropped only
//! by whoever saw this very token fail; when the fetch fails, those who waited for it fail with it
//! instead of trying one after the other.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::answer::{TokenAnswer, WechatError};
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;

/// A token is fetched anew this long before its end, when WeChat still accepts both
/// (documentation of stable_token: in the last 5 minutes old and new live side by side).
const MARGIN_S: i64 = 300;

/// One token and how long it is used.
#[derive(Clone)]
pub(super) struct AccessToken {
    pub(super) value: Secret<String>,
    expires_at: UnixMillis,
}

impl AccessToken {
    /// What WeChat answered at `now`.
    ///
    /// # Errors
    /// `Garbled` when there is no token in it.
    pub(super) fn answered(answer: TokenAnswer, now: UnixMillis) -> Result<Self, WechatError> {
        let value =
            answer.access_token.filter(|token| !token.is_empty()).ok_or(WechatError::Garbled)?;
        let life = answer.expires_in.saturating_sub(MARGIN_S).max(1);
        Ok(Self { value: Secret::new(value), expires_at: now.plus_seconds(life) })
    }
}

/// The kept token.
#[derive(Default)]
pub(super) struct TokenKeeper {
    /// Held while fetching, so that many callers fetch once.
    kept: Mutex<Option<AccessToken>>,
    /// Fetches that failed.
    failures: AtomicU64,
    successes: AtomicU64,
}

impl TokenKeeper {
    /// The kept token, or what `fetch` brings.
    ///
    /// # Errors
    /// What `fetch` fails with; `TokenUnavailable` when the fetch that this call waited for failed.
    pub(super) async fn get<F>(
        &self,
        now: UnixMillis,
        fetch: impl FnOnce() -> F,
    ) -> Result<AccessToken, WechatError>
    where
        F: Future<Output = Result<AccessToken, WechatError>>,
    {
        let failures = self.failures.load(Ordering::Acquire);
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.expires_at > now) {
            return Ok(token.clone());
        }
        if self.failures.load(Ordering::Acquire) != failures {
            return Err(WechatError::TokenUnavailable);
        }
        match fetch().await {
            Ok(token) => {
                *kept = Some(token.clone());
                self.successes.fetch_add(1, Ordering::Relaxed);
                Ok(token)
            }
            Err(err) => {
                self.failures.fetch_add(1, Ordering::AcqRel);
                Err(err)
            }
        }
    }

    /// Fetches that brought a token, and those that failed.
    pub(super) fn fetches(&self) -> (u64, u64) {
        (self.successes.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// Drops the kept token if it is still the one that failed.
    pub(super) async fn forget(&self, failed: &AccessToken) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|token| token.value == failed.value) {
            *kept = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_760_000_000_000);

    fn token(value: &str, expires_in: i64) -> AccessToken {
        let answer = TokenAnswer { access_token: Some(value.to_owned()), expires_in };
        AccessToken::answered(answer, NOW).unwrap()
    }

    #[tokio::test]
    async fn it_is_used_until_five_minutes_before_its_end() {
        let keeper = TokenKeeper::default();
        keeper.get(NOW, || async { Ok(token("first", 7200)) }).await.unwrap();
        let almost = NOW.plus_seconds(6900 - 1);
        let same = keeper.get(almost, || async { Ok(token("second", 7200)) }).await.unwrap();
        assert_eq!(same.value.expose(), "first");
        let then = NOW.plus_seconds(6900);
        let next = keeper.get(then, || async { Ok(token("second", 7200)) }).await.unwrap();
        assert_eq!(next.value.expose(), "second");
    }

    #[tokio::test]
    async fn a_late_complaint_about_an_older_token_drops_nothing() {
        let keeper = TokenKeeper::default();
        let first = keeper.get(NOW, || async { Ok(token("first", 7200)) }).await.unwrap();
        keeper.forget(&first).await;
        keeper.get(NOW, || async { Ok(token("second", 7200)) }).await.unwrap();
        keeper.forget(&first).await;
        let kept = keeper.get(NOW, || async { Ok(token("third", 7200)) }).await.unwrap();
        assert_eq!(kept.value.expose(), "second");
    }

    #[tokio::test]
    async fn those_who_wait_for_a_fetch_that_fails_fail_with_it() {
        let keeper = Arc::new(TokenKeeper::default());
        let fetches = Arc::new(AtomicUsize::new(0));
        let (go, gate) = tokio::sync::watch::channel(false);
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let (keeper, fetches, mut gate) =
                    (Arc::clone(&keeper), Arc::clone(&fetches), gate.clone());
                tokio::spawn(async move {
                    keeper
                        .get(NOW, || async {
                            fetches.fetch_add(1, Ordering::SeqCst);
                            gate.wait_for(|open| *open).await.unwrap();
                            Err(WechatError::Busy)
                        })
                        .await
                        .is_err()
                })
            })
            .collect();
        // One of them holds the fetch, all others stand behind it.
        tokio::task::yield_now().await;
        go.send_replace(true);
        for caller in callers {
            assert!(caller.await.unwrap());
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        // The next one tries again.
        assert!(keeper.get(NOW, || async { Ok(token("good", 7200)) }).await.is_ok());
    }
}
