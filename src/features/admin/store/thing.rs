//! What happened to one order or one job: few rows each, of other features' tables.

use super::timeline::{Part, audit, entry};
use crate::db::prelude::*;
use crate::features::admin::model::timeline::{Behind, Entry, EntryKind};

/// More rows of one kind than one thing ever has.
const MOST: i64 = 500;

/// An order's rows, in no order; none when there is no such order.
pub(in crate::features::admin) fn of_order(
    tx: &Tx<'_>,
    order: &str,
) -> Result<Vec<Entry>, DbError> {
    let mut all = Vec::new();
    for (kind, sql) in OF_ORDER {
        all.extend(tx.query_all(sql, params![order, MOST], |row| entry(*kind, row))?);
    }
    if !all.is_empty() {
        let everything = Behind::new(None);
        let part = Part { behind: &everything, most: MOST };
        all.extend(audit(tx, &format!("order:{order}"), part)?);
    }
    Ok(all)
}

/// A job's rows, in no order; none when there is no such job.
pub(in crate::features::admin) fn of_job(tx: &Tx<'_>, job: &str) -> Result<Vec<Entry>, DbError> {
    let mut all = Vec::new();
    for (kind, sql) in OF_JOB {
        all.extend(tx.query_all(sql, params![job, MOST], |row| entry(*kind, row))?);
    }
    if !all.is_empty() {
        let everything = Behind::new(None);
        let part = Part { behind: &everything, most: MOST };
        all.extend(audit(tx, &format!("job:{job}"), part)?);
    }
    Ok(all)
}

/// For each kind: ?1 is the order, ?2 how many.
const OF_ORDER: &[(EntryKind, &str)] = &[
    (
        EntryKind::Order,
        "SELECT created_at, id, json_object('orderId', order_id, 'userId', user_id,
                  'status', status, 'product', product_name, 'amount', amount, 'method', method,
                  'requestId', request_id, 'expiresAt', expires_at, 'changedAt', updated_at)
           FROM orders WHERE order_id = ?1 LIMIT ?2",
    ),
    (
        EntryKind::Payment,
        "SELECT paid_at, id, json_object('orderId', order_id, 'amount', amount, 'method', method,
                  'transactionId', transaction_id, 'points', points)
           FROM orders WHERE order_id = ?1 AND paid_at IS NOT NULL LIMIT ?2",
    ),
    (
        EntryKind::Notification,
        "SELECT e.received_at, e.id, json_object('source', e.source, 'type', e.event_type,
                  'state', e.state, 'reference', e.reference, 'problem', e.problem,
                  'content', e.content, 'bytes', length(e.body), 'processedAt', e.processed_at)
           FROM (SELECT ?1 AS reference
                 UNION ALL SELECT refund_id FROM refunds WHERE order_id = ?1) m
           JOIN payment_events e ON e.reference = m.reference LIMIT ?2",
    ),
    (
        EntryKind::Refund,
        "SELECT created_at, id, json_object('refundId', refund_id, 'orderId', order_id,
                  'status', status, 'amount', amount, 'reason', reason, 'actor', actor,
                  'points', points_taken, 'wechatId', wechat_id, 'problem', problem,
                  'endedAt', ended_at)
           FROM refunds WHERE order_id = ?1 LIMIT ?2",
    ),
    (
        EntryKind::Ledger,
        "SELECT p.created_at, p.id, json_object('type', p.type, 'amount', p.amount,
                  'reason', p.reason, 'reference', p.reference, 'description', p.description,
                  'balance', p.balance_after)
           FROM (SELECT 'order' AS reason, ?1 AS reference
                 UNION ALL SELECT 'order_refund', refund_id FROM refunds WHERE order_id = ?1
                 UNION ALL SELECT 'order_refund_failed', refund_id FROM refunds
                            WHERE order_id = ?1) m
           JOIN points_transactions p ON p.reason = m.reason AND p.reference = m.reference
          LIMIT ?2",
    ),
    (
        EntryKind::Membership,
        "SELECT granted_at, id, json_object('level', level, 'source', source,
                  'reference', reference, 'durationMs', duration_ms, 'revokedMs', revoked_ms,
                  'revokedAt', revoked_at)
           FROM vip_grants WHERE source = 'order' AND reference = ?1 LIMIT ?2",
    ),
];

/// For each kind: ?1 is the job, ?2 how many.
const OF_JOB: &[(EntryKind, &str)] = &[
    (
        EntryKind::Job,
        "SELECT created_at, seq, json_object('jobId', job_id, 'userId', user_id, 'status', status,
                  'mode', mode, 'resolution', resolution, 'pictures', sample_count,
                  'points', points_charged, 'deadlineAt', deadline_at, 'requestId', request_id)
           FROM generations WHERE job_id = ?1 LIMIT ?2",
    ),
    (
        EntryKind::JobStarted,
        "SELECT started_at, seq, json_object('upstream', upstream,
                  'upstreamJobId', upstream_job_id, 'attempts', attempts,
                  'nextAttemptAt', next_attempt_at)
           FROM generations WHERE job_id = ?1 AND started_at IS NOT NULL LIMIT ?2",
    ),
    (
        EntryKind::Attempt,
        "SELECT started_at, number, json_object('number', number, 'upstream', upstream,
                  'phase', phase, 'tookMs', took_ms, 'errorCode', error_code,
                  'httpStatus', http_status, 'upstreamJobId', upstream_job_id,
                  'upstreamRequestId', upstream_request_id, 'message', message)
           FROM generation_attempts WHERE job_id = ?1 LIMIT ?2",
    ),
    (
        EntryKind::JobEnded,
        "SELECT completed_at, seq, json_object('status', status, 'errorCode', error_code,
                  'errorMessage', error_message, 'pointsBack', points_refunded,
                  'pictures', (SELECT COUNT(*) FROM generation_images i
                                WHERE i.job_id = generations.job_id))
           FROM generations WHERE job_id = ?1 AND completed_at IS NOT NULL LIMIT ?2",
    ),
    (
        EntryKind::Ledger,
        "SELECT created_at, id, json_object('type', type, 'amount', amount, 'reason', reason,
                  'reference', reference, 'description', description, 'balance', balance_after)
           FROM points_transactions
          WHERE reason IN ('job', 'job_refund', 'job_late') AND reference = ?1 LIMIT ?2",
    ),
];
