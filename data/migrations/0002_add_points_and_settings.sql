-- What an operator tunes while the server runs, the first answers of repeated requests, and all ways
-- to points besides payment: packs, daily check-in, redeem codes, invitations. The ledger itself
-- stands in 0001; here it gets running totals and the results of the books check.

-- One row per section that was ever changed; what is not here has the program's default.
CREATE TABLE settings (
  key        TEXT PRIMARY KEY CHECK (key <> ''),
  value      TEXT NOT NULL CHECK (json_type(value) = 'object'),
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL CHECK (updated_by <> '')
) STRICT;

-- The first answer to a request that came with an `Idempotency-Key`, kept for a day. Written in the
-- transaction of the effect, so a crash cannot come between the two.
CREATE TABLE idempotency_keys (
  id         INTEGER PRIMARY KEY,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  key        TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 64),
  path       TEXT NOT NULL,
  body_hash  BLOB NOT NULL CHECK (length(body_hash) = 32),
  status     INTEGER NOT NULL CHECK (status BETWEEN 200 AND 299),
  answer     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (user_id, key)
) STRICT;

CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- Points for sale. Prices in fen.
CREATE TABLE points_packs (
  pack_id        TEXT PRIMARY KEY CHECK (pack_id <> ''),
  name           TEXT NOT NULL,
  points         INTEGER NOT NULL CHECK (points > 0),
  bonus_points   INTEGER NOT NULL DEFAULT 0 CHECK (bonus_points >= 0),
  original_price INTEGER NOT NULL,
  current_price  INTEGER NOT NULL CHECK (current_price > 0),
  popular        INTEGER NOT NULL DEFAULT 0 CHECK (popular IN (0, 1)),
  on_sale        INTEGER NOT NULL DEFAULT 1 CHECK (on_sale IN (0, 1)),
  sort           INTEGER NOT NULL DEFAULT 0,
  CHECK (original_price >= current_price)
) STRICT;

INSERT INTO points_packs
  (pack_id, name, points, bonus_points, original_price, current_price, popular, sort)
VALUES
  ('points_100', '100 积分', 100, 0, 1000, 1000, 0, 1),
  ('points_500', '500 积分', 500, 50, 5000, 4800, 1, 2),
  ('points_1000', '1000 积分', 1000, 200, 10000, 9000, 0, 3),
  ('points_5000', '5000 积分', 5000, 1500, 50000, 42000, 0, 4);

-- What a user's ledger comes to and how many rows it has, by type: both are asked for often, and
-- adding up a long ledger each time would make its owner slow. A trigger, not the code: nothing
-- that writes the ledger can forget it.
CREATE TABLE points_totals (
  user_id      INTEGER PRIMARY KEY REFERENCES users (id),
  earned       INTEGER NOT NULL DEFAULT 0,
  spent        INTEGER NOT NULL DEFAULT 0,
  refunded     INTEGER NOT NULL DEFAULT 0,
  earn_count   INTEGER NOT NULL DEFAULT 0,
  spend_count  INTEGER NOT NULL DEFAULT 0,
  refund_count INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO points_totals
  (user_id, earned, spent, refunded, earn_count, spend_count, refund_count)
SELECT user_id,
       SUM(CASE type WHEN 'EARN' THEN amount ELSE 0 END),
       SUM(CASE type WHEN 'SPEND' THEN amount ELSE 0 END),
       SUM(CASE type WHEN 'REFUND' THEN amount ELSE 0 END),
       SUM(CASE type WHEN 'EARN' THEN 1 ELSE 0 END),
       SUM(CASE type WHEN 'SPEND' THEN 1 ELSE 0 END),
       SUM(CASE type WHEN 'REFUND' THEN 1 ELSE 0 END)
  FROM points_transactions GROUP BY user_id;

CREATE TRIGGER points_transactions_totals AFTER INSERT ON points_transactions
BEGIN
  INSERT INTO points_totals
    (user_id, earned, spent, refunded, earn_count, spend_count, refund_count)
  VALUES (NEW.user_id,
          CASE NEW.type WHEN 'EARN' THEN NEW.amount ELSE 0 END,
          CASE NEW.type WHEN 'SPEND' THEN NEW.amount ELSE 0 END,
          CASE NEW.type WHEN 'REFUND' THEN NEW.amount ELSE 0 END,
          CASE NEW.type WHEN 'EARN' THEN 1 ELSE 0 END,
          CASE NEW.type WHEN 'SPEND' THEN 1 ELSE 0 END,
          CASE NEW.type WHEN 'REFUND' THEN 1 ELSE 0 END)
  ON CONFLICT (user_id) DO UPDATE SET
    earned = earned + excluded.earned,
    spent = spent + excluded.spent,
    refunded = refunded + excluded.refunded,
    earn_count = earn_count + excluded.earn_count,
    spend_count = spend_count + excluded.spend_count,
    refund_count = refund_count + excluded.refund_count;
END;

-- For the books check, which reads a user's ledger in the order of its writing.
CREATE INDEX points_transactions_order_idx ON points_transactions (user_id, id);

-- For the cap of the invitation reward.
CREATE INDEX points_transactions_invite_idx ON points_transactions (user_id)
  WHERE reason = 'invite';

-- One row per user and day (`YYYY-MM-DD` in Asia/Shanghai): whoever inserts it has checked in.
CREATE TABLE check_ins (
  user_id    INTEGER NOT NULL REFERENCES users (id),
  day        TEXT NOT NULL CHECK (day GLOB '????-??-??'),
  streak     INTEGER NOT NULL CHECK (streak > 0),
  points     INTEGER NOT NULL CHECK (points >= 0),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, day)
) STRICT, WITHOUT ROWID;

-- Codes are made in batches that share what they give and until when.
CREATE TABLE redeem_batches (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL,
  points     INTEGER NOT NULL CHECK (points > 0),
  expires_at INTEGER,
  created_by TEXT NOT NULL CHECK (created_by <> ''),
  created_at INTEGER NOT NULL
) STRICT;

-- A code is used once. It is kept as it is, not hashed: the admin must be able to show it.
CREATE TABLE redeem_codes (
  code        TEXT PRIMARY KEY CHECK (code <> ''),
  batch_id    INTEGER NOT NULL REFERENCES redeem_batches (id),
  redeemed_by INTEGER REFERENCES users (id),
  redeemed_at INTEGER,
  CHECK ((redeemed_by IS NULL) = (redeemed_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX redeem_codes_batch_idx ON redeem_codes (batch_id, code);
CREATE INDEX redeem_codes_user_idx ON redeem_codes (redeemed_by) WHERE redeemed_by IS NOT NULL;

-- What the books check found: every user's balance against his ledger. `differences` is JSON, cut to
-- the first ones; `wrong_users` counts all.
CREATE TABLE books_checks (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  checked_at  INTEGER NOT NULL,
  users       INTEGER NOT NULL CHECK (users >= 0),
  wrong_users INTEGER NOT NULL CHECK (wrong_users >= 0),
  differences TEXT NOT NULL CHECK (json_type(differences) = 'array')
) STRICT;
