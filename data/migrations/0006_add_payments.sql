-- Payment of orders: what each order sells (copied, so that later changes of a plan or a price do not
-- reach it), how it is being paid and when WeChat is asked about it next; every notification as it
-- came; and the audit log.

-- `product` names what is bought among a user's pending orders: 'plan:…', 'pack:…', 'amount:…'.
ALTER TABLE orders ADD COLUMN product TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN plan_level TEXT CHECK (plan_level IN ('VIP', 'SVIP'));
ALTER TABLE orders ADD COLUMN plan_days INTEGER CHECK (plan_days BETWEEN 1 AND 36500);

UPDATE orders SET
  product = CASE
    WHEN plan_id IS NOT NULL THEN 'plan:' || plan_id
    WHEN pack_id IS NOT NULL THEN 'pack:' || pack_id
    ELSE 'amount:' || amount END,
  plan_level = (SELECT level FROM vip_plans WHERE vip_plans.plan_id = orders.plan_id),
  plan_days = (SELECT duration FROM vip_plans WHERE vip_plans.plan_id = orders.plan_id);

-- What the goods are called at virtual payment, where it is not the id.
ALTER TABLE vip_plans ADD COLUMN virtual_product TEXT CHECK (virtual_product <> '');
ALTER TABLE points_packs ADD COLUMN virtual_product TEXT CHECK (virtual_product <> '');

-- One order of a user, product and method waits for payment; of two requests at once one makes it.
CREATE UNIQUE INDEX orders_pending_product_idx ON orders (user_id, product, method)
  WHERE status = 'PENDING';
CREATE INDEX orders_user_kind_idx ON orders (user_id, kind, created_at DESC, id DESC);
CREATE INDEX orders_user_kind_status_idx
  ON orders (user_id, kind, status, created_at DESC, id DESC);

-- How an order is being paid. `next_ask_at` is when the reconciler looks at it again, NULL when there
-- is nothing left to find out; it is the only thing that the reconciler goes by, so a crash between
-- two steps is followed by the step that was due.
CREATE TABLE order_payments (
  order_id        TEXT PRIMARY KEY REFERENCES orders (order_id),
  platform        TEXT NOT NULL CHECK (platform IN ('ios', 'android', 'other')),
  payer_openid    TEXT,
  -- What WeChat Pay was asked to prepare, sent again to the letter: another text under the same
  -- number is refused there.
  prepay_request  TEXT CHECK (json_type(prepay_request) = 'object'),
  prepay_id       TEXT,
  -- Virtual payment: the goods as published there.
  virtual_product TEXT,
  -- Since when the user can have been paying; the rhythm of the questions counts from it.
  started_at      INTEGER,
  next_ask_at     INTEGER,
  asked_at        INTEGER,
  failed_asks     INTEGER NOT NULL DEFAULT 0 CHECK (failed_asks >= 0),
  -- Ended here, still to be closed there.
  close_pending   INTEGER NOT NULL DEFAULT 0 CHECK (close_pending IN (0, 1)),
  -- Paid, still to be reported as delivered.
  next_ship_at    INTEGER,
  ship_attempts   INTEGER NOT NULL DEFAULT 0 CHECK (ship_attempts >= 0),
  -- Paid, but not to be kept: why the whole amount goes back.
  refund_due      TEXT,
  updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX order_payments_ask_idx ON order_payments (next_ask_at) WHERE next_ask_at IS NOT NULL;
CREATE INDEX order_payments_ship_idx ON order_payments (next_ship_at)
  WHERE next_ship_at IS NOT NULL;
CREATE INDEX order_payments_refund_idx ON order_payments (updated_at)
  WHERE refund_due IS NOT NULL;

-- What came in at the addresses that WeChat calls, as it came, before anything was made of it.
-- 'refused' was not from WeChat, so far as one can tell; of those only some are kept, and cut.
-- 'flagged' is genuine and does not fit: somebody must look at it.
CREATE TABLE payment_events (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  source       TEXT NOT NULL CHECK (source IN ('notify', 'refund_notify', 'push', 'query')),
  received_at  INTEGER NOT NULL,
  headers      TEXT NOT NULL CHECK (json_type(headers) = 'object'),
  body         BLOB NOT NULL,
  state        TEXT NOT NULL
               CHECK (state IN ('received', 'refused', 'done', 'repeated', 'flagged', 'resolved')),
  event_id     TEXT,
  event_type   TEXT,
  -- The order or refund it is about, as it says.
  reference    TEXT,
  -- What it says, decrypted.
  content      TEXT,
  -- Why it was refused or flagged.
  problem      TEXT,
  processed_at INTEGER,
  CHECK ((state = 'received') = (processed_at IS NULL))
) STRICT;

CREATE INDEX payment_events_open_idx ON payment_events (id) WHERE state = 'received';
CREATE INDEX payment_events_flagged_idx ON payment_events (id DESC) WHERE state = 'flagged';
CREATE INDEX payment_events_refused_idx ON payment_events (received_at) WHERE state = 'refused';
CREATE INDEX payment_events_reference_idx ON payment_events (reference, id)
  WHERE reference IS NOT NULL;
CREATE INDEX payment_events_received_idx ON payment_events (received_at);

-- Who changed what. Only ever added to.
CREATE TABLE audit_log (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at     INTEGER NOT NULL,
  actor  TEXT NOT NULL CHECK (actor <> ''),
  action TEXT NOT NULL CHECK (action <> ''),
  object TEXT NOT NULL CHECK (object <> ''),
  before TEXT NOT NULL CHECK (json_valid(before)),
  after  TEXT NOT NULL CHECK (json_valid(after))
) STRICT;

CREATE INDEX audit_log_object_idx ON audit_log (object, id DESC);
CREATE INDEX audit_log_actor_idx ON audit_log (actor, id DESC);

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log is only added to');
END;
