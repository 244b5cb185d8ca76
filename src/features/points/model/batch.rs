//! Batches of redeem codes as an administrator sees them.

use super::BatchId;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// A batch, and what became of it.
#[derive(Clone, Debug)]
pub struct BatchRecord {
    pub id: BatchId,
    pub name: String,
    /// What each code gives.
    pub points: i64,
    pub expires_at: Option<UnixMillis>,
    pub created_by: String,
    pub created_at: UnixMillis,
    /// Since when none of its codes can be used.
    pub revoked_at: Option<UnixMillis>,
    pub codes: i64,
    pub redeemed: i64,
}

/// A code, and what became of it.
#[derive(Clone, Debug)]
pub struct CodeRecord {
    pub code: String,
    pub batch: BatchId,
    pub redeemed_by: Option<UserId>,
    pub redeemed_at: Option<UnixMillis>,
    pub revoked_at: Option<UnixMillis>,
}
