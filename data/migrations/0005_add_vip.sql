-- Memberships: what was granted to whom, and what was taken back. `users.vip_level` and
-- `users.vip_expire_at` are no more than the result of adding these rows up in order of time, so
-- taking a grant back leaves what there would be without it. With it the points that members get
-- each month, and who is to be reminded that his membership ends.

-- One row per grant. `rate_fen` for `rate_ms` is what its time is worth when it is converted to
-- another level: the price paid, or the cheapest plan of the level at that time. An order, a code or
-- an entry of the audit log grants once.
CREATE TABLE vip_grants (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id     INTEGER NOT NULL REFERENCES users (id),
  source      TEXT NOT NULL CHECK (source IN ('order', 'admin', 'code')),
  reference   TEXT NOT NULL CHECK (reference <> ''),
  plan_id     TEXT REFERENCES vip_plans (plan_id),
  level       TEXT NOT NULL CHECK (level IN ('VIP', 'SVIP')),
  duration_ms INTEGER NOT NULL CHECK (duration_ms BETWEEN 1 AND 3153600000000),
  price       INTEGER CHECK (price > 0),
  rate_fen    INTEGER NOT NULL CHECK (rate_fen BETWEEN 1 AND 100000000),
  rate_ms     INTEGER NOT NULL CHECK (rate_ms BETWEEN 1 AND 3153600000000),
  granted_at  INTEGER NOT NULL,
  revoked_ms  INTEGER NOT NULL DEFAULT 0,
  revoked_at  INTEGER,
  UNIQUE (source, reference),
  CHECK (source <> 'order' OR price IS NOT NULL),
  CHECK (revoked_ms BETWEEN 0 AND duration_ms),
  CHECK ((revoked_ms = 0) = (revoked_at IS NULL))
) STRICT;

CREATE INDEX vip_grants_user_idx ON vip_grants (user_id, granted_at, id);

-- Like the ledger of points: what was granted stays on record; it is only ever taken back.
CREATE TRIGGER vip_grants_no_delete BEFORE DELETE ON vip_grants
BEGIN
  SELECT RAISE(ABORT, 'vip_grants keeps what was granted');
END;
CREATE TRIGGER vip_grants_no_change
BEFORE UPDATE OF id, user_id, source, reference, plan_id, level, duration_ms, price, rate_fen,
                 rate_ms, granted_at ON vip_grants
BEGIN
  SELECT RAISE(ABORT, 'vip_grants keeps what was granted');
END;
CREATE TRIGGER vip_grants_no_giving_back BEFORE UPDATE OF revoked_ms ON vip_grants
WHEN NEW.revoked_ms < OLD.revoked_ms
BEGIN
  SELECT RAISE(ABORT, 'what was taken back of a grant stays taken back');
END;

-- The points of each month of a membership. The next are due at `next_at`, which is `months` months
-- after `anchor_at`; NULL when the membership ended before. One row per user, for ever: whoever comes
-- back, or gets his money back and buys again, has no month twice.
CREATE TABLE vip_monthly_points (
  user_id   INTEGER PRIMARY KEY REFERENCES users (id),
  anchor_at INTEGER NOT NULL,
  months    INTEGER NOT NULL CHECK (months >= 0),
  next_at   INTEGER
) STRICT;

CREATE INDEX vip_monthly_points_due_idx ON vip_monthly_points (next_at, user_id)
  WHERE next_at IS NOT NULL;

-- Memberships about to end, each once: `sent_at` when the user was told.
CREATE TABLE vip_reminders (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  sent_at    INTEGER,
  UNIQUE (user_id, expires_at)
) STRICT;

CREATE INDEX vip_reminders_unsent_idx ON vip_reminders (expires_at, id) WHERE sent_at IS NULL;
CREATE INDEX vip_reminders_expires_idx ON vip_reminders (expires_at);
CREATE INDEX users_vip_expire_idx ON users (vip_expire_at, id) WHERE vip_level <> 'NORMAL';
