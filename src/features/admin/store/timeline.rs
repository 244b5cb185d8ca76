//! What happened to a user, kind by kind, a page of each: of other features' tables this only reads.

use serde_json::Value;

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::admin::model::timeline::{Behind, Entry, EntryKind};

/// A page of one kind: behind which entry, and how many.
#[derive(Clone, Copy)]
pub(in crate::features::admin) struct Part<'a> {
    pub(in crate::features::admin) behind: &'a Behind,
    pub(in crate::features::admin) most: i64,
}

/// Rows of time, number and JSON.
pub(super) fn entry(kind: EntryKind, row: &Row<'_>) -> Result<Entry, DbError> {
    let json: String = row.get(2)?;
    let data = serde_json::from_str(&json).unwrap_or(Value::Null);
    Ok(Entry { at: row.get(0)?, kind, id: row.get(1)?, data })
}

/// Everything that a user's rows tell.
pub(in crate::features::admin) fn of_user(
    tx: &Tx<'_>,
    user: UserId,
    part: Part<'_>,
) -> Result<Vec<Entry>, DbError> {
    let mut all = Vec::new();
    for (kind, sql) in OF_USER {
        let below = part.behind.below(*kind);
        all.extend(tx.query_all(sql, params![user, part.behind.at, below, part.most], |row| {
            entry(*kind, row)
        })?);
    }
    all.extend(audit(tx, &format!("user:{user}"), part)?);
    Ok(all)
}

/// The audit log of one object.
pub(super) fn audit(tx: &Tx<'_>, object: &str, part: Part<'_>) -> Result<Vec<Entry>, DbError> {
    let (at, below): (UnixMillis, i64) = (part.behind.at, part.behind.below(EntryKind::Audit));
    tx.query_all(
        "SELECT at, id, json_object('actor', actor, 'action', action, 'object', object,
                  'before', json(before), 'after', json(after), 'requestId', request_id,
                  'address', address)
           FROM audit_log
          WHERE object = ?1 AND (at < ?2 OR (at = ?2 AND id < ?3))
          ORDER BY id DESC LIMIT ?4",
        params![object, at, below, part.most],
        |row| entry(EntryKind::Audit, row),
    )
}

/// For each kind: ?1 is the user, ?2 and ?3 behind what, ?4 how many.
const OF_USER: &[(EntryKind, &str)] = &[
    (
        EntryKind::Login,
        "SELECT created_at, 0, json_object('endedAt', revoked_at)
           FROM token_families
          WHERE user_id = ?1 AND created_at <= ?2 AND (created_at < ?2 OR 0 < ?3)
          ORDER BY created_at DESC LIMIT ?4",
    ),
    (
        EntryKind::Order,
        "SELECT created_at, id, json_object('orderId', order_id, 'status', status,
                  'product', product_name, 'amount', amount, 'method', method,
                  'requestId', request_id, 'expiresAt', expires_at)
           FROM orders
          WHERE user_id = ?1 AND created_at <= ?2 AND (created_at < ?2 OR id < ?3)
          ORDER BY created_at DESC, id DESC LIMIT ?4",
    ),
    (
        EntryKind::Payment,
        "SELECT paid_at, id, json_object('orderId', order_id, 'product', product_name,
                  'amount', amount, 'method', method, 'transactionId', transaction_id,
                  'points', points)
           FROM orders
          WHERE user_id = ?1 AND paid_at <= ?2 AND (paid_at < ?2 OR id < ?3)
          ORDER BY paid_at DESC, id DESC LIMIT ?4",
    ),
    (
        EntryKind::Notification,
        "SELECT e.received_at, e.id, json_object('source', e.source, 'type', e.event_type,
                  'state', e.state, 'reference', e.reference, 'problem', e.problem,
                  'content', e.content, 'bytes', length(e.body), 'processedAt', e.processed_at)
           FROM (SELECT order_id AS reference FROM orders WHERE user_id = ?1
                 UNION ALL
                 SELECT r.refund_id FROM orders o JOIN refunds r ON r.order_id = o.order_id
                  WHERE o.user_id = ?1) m
           JOIN payment_events e ON e.reference = m.reference
          WHERE e.received_at < ?2 OR (e.received_at = ?2 AND e.id < ?3)
          ORDER BY e.received_at DESC, e.id DESC LIMIT ?4",
    ),
    (
        EntryKind::Refund,
        "SELECT r.created_at, r.id, json_object('refundId', r.refund_id, 'orderId', r.order_id,
                  'status', r.status, 'amount', r.amount, 'reason', r.reason, 'actor', r.actor,
                  'points', r.points_taken, 'wechatId', r.wechat_id, 'problem', r.problem,
                  'endedAt', r.ended_at)
           FROM orders o JOIN refunds r ON r.order_id = o.order_id
          WHERE o.user_id = ?1 AND (r.created_at < ?2 OR (r.created_at = ?2 AND r.id < ?3))
          ORDER BY r.created_at DESC, r.id DESC LIMIT ?4",
    ),
    (
        EntryKind::Ledger,
        "SELECT created_at, id, json_object('type', type, 'amount', amount, 'reason', reason,
                  'reference', reference, 'description', description, 'balance', balance_after)
           FROM points_transactions
          WHERE user_id = ?1 AND created_at <= ?2 AND (created_at < ?2 OR id < ?3)
          ORDER BY created_at DESC, id DESC LIMIT ?4",
    ),
    (
        EntryKind::Membership,
        "SELECT granted_at, id, json_object('level', level, 'source', source,
                  'reference', reference, 'durationMs', duration_ms, 'revokedMs', revoked_ms,
                  'revokedAt', revoked_at)
           FROM vip_grants
          WHERE user_id = ?1 AND granted_at <= ?2 AND (granted_at < ?2 OR id < ?3)
          ORDER BY granted_at DESC, id DESC LIMIT ?4",
    ),
    (
        EntryKind::Job,
        "SELECT created_at, seq, json_object('jobId', job_id, 'status', status, 'mode', mode,
                  'resolution', resolution, 'pictures', sample_count, 'upstream', upstream,
                  'attempts', attempts, 'points', points_charged, 'pointsBack', points_refunded,
                  'errorCode', error_code, 'startedAt', started_at, 'completedAt', completed_at,
                  'requestId', request_id)
           FROM generations
          WHERE user_id = ?1 AND created_at <= ?2 AND (created_at < ?2 OR seq < ?3)
          ORDER BY created_at DESC, seq DESC LIMIT ?4",
    ),
    (
        EntryKind::Image,
        "SELECT created_at, id, json_object('imageId', id, 'status', status, 'jobId', job_id,
                  'thumbnailUrl', thumbnail_url, 'likes', likes)
           FROM gallery_images
          WHERE author_id = ?1 AND (created_at < ?2 OR (created_at = ?2 AND id < ?3))
          ORDER BY id DESC LIMIT ?4",
    ),
];
