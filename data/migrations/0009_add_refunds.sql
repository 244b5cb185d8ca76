-- Refunds; and reconciliation: the bills of WeChat compared with what we know, and the money check of
-- the books.

-- Money that goes back, or went. `refund_id` is what WeChat knows it by. TOLD: it went back without us
-- (at Apple, in the merchant's console) and is not booked yet; REFUNDING: we have asked, or are about to.
-- What is taken back of the order's points is taken with the row, and given back when it fails;
-- membership days are taken when the money has gone.
CREATE TABLE refunds (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  refund_id    TEXT NOT NULL UNIQUE CHECK (length(refund_id) BETWEEN 1 AND 64),
  order_id     TEXT NOT NULL REFERENCES orders (order_id),
  -- Asked for by an admin; due because its user is gone; told by WeChat.
  origin       TEXT NOT NULL CHECK (origin IN ('asked', 'due', 'told')),
  actor        TEXT NOT NULL CHECK (actor <> ''),
  reason       TEXT NOT NULL CHECK (length(reason) <= 80),
  amount       INTEGER NOT NULL CHECK (amount > 0),
  -- Of the order, as WeChat is told.
  total        INTEGER NOT NULL CHECK (total >= amount),
  -- Days of membership to take back; NULL is all that is left of them.
  vip_days     INTEGER CHECK (vip_days >= 0),
  -- Points to take back, and how many of them there were.
  points       INTEGER NOT NULL CHECK (points >= 0),
  points_taken INTEGER NOT NULL CHECK (points_taken BETWEEN 0 AND points),
  status       TEXT NOT NULL CHECK (status IN ('TOLD', 'REFUNDING', 'REFUNDED', 'FAILED')),
  -- WeChat's number of it.
  wechat_id    TEXT CHECK (wechat_id <> ''),
  accepted_at  INTEGER,
  -- Virtual payment: what was left of the payment when it was first asked, and whether an earlier
  -- refund of it had failed: the same is sent again.
  left_fen     INTEGER,
  had_failed   INTEGER NOT NULL DEFAULT 0 CHECK (had_failed IN (0, 1)),
  -- What is wrong, or was.
  problem      TEXT,
  -- When it is looked at next; the only thing that the work goes by.
  next_look_at INTEGER,
  looks        INTEGER NOT NULL DEFAULT 0 CHECK (looks >= 0),
  -- The bill that has it.
  billed_day   TEXT,
  created_at   INTEGER NOT NULL,
  ended_at     INTEGER,
  CHECK ((status IN ('REFUNDED', 'FAILED')) = (ended_at IS NOT NULL)),
  CHECK ((ended_at IS NULL) = (next_look_at IS NOT NULL))
) STRICT;

CREATE INDEX refunds_order_idx ON refunds (order_id, id);
-- One at a time.
CREATE UNIQUE INDEX refunds_under_way_idx ON refunds (order_id) WHERE status = 'REFUNDING';
CREATE INDEX refunds_look_idx ON refunds (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX refunds_accepted_idx ON refunds (accepted_at) WHERE accepted_at IS NOT NULL;

-- One row per day and channel whose bill was asked for. `compared_at` is NULL until it was compared.
CREATE TABLE bill_runs (
  channel     TEXT NOT NULL CHECK (channel IN ('wechat', 'virtual')),
  day         TEXT NOT NULL CHECK (length(day) = 10),
  tried_at    INTEGER NOT NULL,
  compared_at INTEGER,
  -- What WeChat lists, and what of it was found to differ by this comparison.
  listed      INTEGER NOT NULL DEFAULT 0 CHECK (listed >= 0),
  differing   INTEGER NOT NULL DEFAULT 0 CHECK (differing >= 0),
  problem     TEXT,
  PRIMARY KEY (channel, day)
) STRICT, WITHOUT ROWID;

-- What WeChat says otherwise than we. A difference is noted once, however often a day is compared.
CREATE TABLE differences (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  channel     TEXT NOT NULL CHECK (channel IN ('wechat', 'virtual')),
  day         TEXT NOT NULL CHECK (length(day) = 10),
  kind        TEXT NOT NULL
              CHECK (kind IN ('unknown_order', 'not_credited', 'not_paid', 'amount', 'payment',
                              'unknown_refund', 'refund_missing', 'refund_amount', 'refund_state')),
  -- The order, or the refund of the last four kinds.
  reference   TEXT NOT NULL,
  order_id    TEXT NOT NULL,
  ours        INTEGER,
  theirs      INTEGER,
  found_at    INTEGER NOT NULL,
  state       TEXT NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'RESOLVED')),
  resolution  TEXT,
  resolved_by TEXT,
  resolved_at INTEGER,
  UNIQUE (channel, kind, reference),
  CHECK ((state = 'RESOLVED') = (resolved_at IS NOT NULL)),
  CHECK ((state = 'RESOLVED') = (resolution IS NOT NULL))
) STRICT;

CREATE INDEX differences_state_idx ON differences (state, id DESC);
CREATE INDEX differences_day_idx ON differences (channel, day, id);

-- For the comparison of a day.
CREATE INDEX orders_method_paid_idx ON orders (method, paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX orders_method_created_idx ON orders (method, created_at);

-- Results of the money check, newest last.
CREATE TABLE money_checks (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  checked_at INTEGER NOT NULL,
  orders     INTEGER NOT NULL,
  wrong      INTEGER NOT NULL,
  findings   TEXT NOT NULL CHECK (json_type(findings) = 'array')
) STRICT;
