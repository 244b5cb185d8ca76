//! A call that came with a key, and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::body::Bytes;
use sha2::{Digest as _, Sha256};

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::DbError;

/// How long an answer is kept, in seconds: a day.
pub(super) const LIFE_S: i64 = 24 * 3600;

/// The longest key, in characters.
pub(super) const KEY_MAX: usize = 64;

/// SHA-256 of a body.
pub(super) type BodyHash = [u8; 32];

/// A request that came with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) body_hash: BodyHash,
}

impl KeyedRequest {
    /// `None` when the key does not have 1–64 characters. `path` is without the query.
    pub fn new(key: &str, path: &str, body: &[u8]) -> Option<Self> {
        (1..=KEY_MAX).contains(&key.chars().count()).then(|| Self {
            key: key.to_owned(),
            path: path.to_owned(),
            body_hash: Sha256::digest(body).into(),
        })
    }

    /// As this user's.
    pub fn of(self, user: UserId) -> KeyedCall {
        KeyedCall { user, request: self }
    }
}

/// A request that came with a key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedCall {
    pub(super) user: UserId,
    pub(super) request: KeyedRequest,
}

/// An answer as it is sent: JSON with a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A kept answer, and to what.
pub(super) struct Stored {
    pub(super) request: KeyedRequest,
    pub(super) answer: Answer,
}

/// The right to store the answer of the call under way; empty for a call without a key. Clones are
/// the same right.
#[derive(Clone, Debug, Default)]
pub struct Ticket(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    call: KeyedCall,
    is_stored: AtomicBool,
}

impl Ticket {
    /// For a call that came without a key, or for effects that nobody asked for.
    pub fn none() -> Self {
        Self::default()
    }

    pub(super) fn of(call: KeyedCall) -> Self {
        Self(Some(Arc::new(Held { call, is_stored: AtomicBool::new(false) })))
    }

    pub(super) fn call(&self) -> Option<&KeyedCall> {
        self.0.as_ref().map(|held| &held.call)
    }

    pub(super) fn set_stored(&self) {
        if let Some(held) = &self.0 {
            held.is_stored.store(true, Ordering::SeqCst);
        }
    }

    /// Whether an answer was written. It stands if the transaction around it was committed, which is
    /// so when the effect succeeded.
    pub(super) fn is_stored(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.is_stored.load(Ordering::SeqCst))
    }
}

/// Answers that were stored until then are forgotten.
pub(super) fn expiry(now: UnixMillis) -> UnixMillis {
    now.plus_seconds(-LIFE_S)
}

/// Why a call with a key has no answer.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// The key came with another path or body before.
    #[error("the key was used for another request")]
    KeyReused,
    /// The first call with this key still runs, or another process has just answered it.
    #[error("the first request with this key has not been answered yet")]
    Running,
    #[error(transparent)]
    Db(#[from] DbError),
}
