-- What the first page of the operator shows besides the counters of a day: who paid, how many points were
-- sold, and how far a day was at each moment, so that today is compared with yesterday at the same hour.
-- Written by the stats feature and by triggers.

-- Who paid on which day; a user counts once.
CREATE TABLE day_payers (
  day     TEXT NOT NULL,
  user_id INTEGER NOT NULL,
  PRIMARY KEY (day, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_sales (
  day          TEXT PRIMARY KEY,
  paying_users INTEGER NOT NULL DEFAULT 0,
  -- Of paid orders, whatever was refunded since.
  points_sold  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What they should be.
CREATE VIEW counted_day_payers (day, user_id) AS
SELECT DISTINCT date((paid_at + 28800000) / 1000, 'unixepoch'), user_id
  FROM orders WHERE paid_at IS NOT NULL;

CREATE VIEW counted_daily_sales (day, paying_users, points_sold) AS
SELECT date((paid_at + 28800000) / 1000, 'unixepoch'), COUNT(DISTINCT user_id), SUM(points)
  FROM orders WHERE paid_at IS NOT NULL GROUP BY 1;

INSERT INTO day_payers (day, user_id) SELECT day, user_id FROM counted_day_payers;
INSERT INTO daily_sales (day, paying_users, points_sold)
SELECT day, paying_users, points_sold FROM counted_daily_sales;

CREATE TRIGGER day_payers_sales AFTER INSERT ON day_payers
BEGIN
  INSERT INTO daily_sales (day, paying_users) VALUES (NEW.day, 1)
  ON CONFLICT (day) DO UPDATE SET paying_users = paying_users + 1;
END;

CREATE TRIGGER orders_sales_insert AFTER INSERT ON orders WHEN NEW.paid_at IS NOT NULL
BEGIN
  INSERT INTO day_payers (day, user_id)
  VALUES (date((NEW.paid_at + 28800000) / 1000, 'unixepoch'), NEW.user_id)
  ON CONFLICT (day, user_id) DO NOTHING;
  UPDATE daily_sales SET points_sold = points_sold + NEW.points
   WHERE day = date((NEW.paid_at + 28800000) / 1000, 'unixepoch');
END;

-- An order is paid once, and its points stay what they were.
CREATE TRIGGER orders_sales_paid AFTER UPDATE OF paid_at ON orders
WHEN OLD.paid_at IS NULL AND NEW.paid_at IS NOT NULL
BEGIN
  INSERT INTO day_payers (day, user_id)
  VALUES (date((NEW.paid_at + 28800000) / 1000, 'unixepoch'), NEW.user_id)
  ON CONFLICT (day, user_id) DO NOTHING;
  UPDATE daily_sales SET points_sold = points_sold + NEW.points
   WHERE day = date((NEW.paid_at + 28800000) / 1000, 'unixepoch');
END;

-- How far a day was, minute by minute, for a week. `figures` is what the operator's page shows.
CREATE TABLE stats_moments (
  at      INTEGER PRIMARY KEY,
  day     TEXT NOT NULL,
  figures TEXT NOT NULL CHECK (json_type(figures) = 'object')
) STRICT;

CREATE INDEX stats_moments_day_idx ON stats_moments (day, at DESC);

-- A request is found again by its id: what it made knows it.
ALTER TABLE orders ADD COLUMN request_id TEXT;
ALTER TABLE generations ADD COLUMN request_id TEXT;

CREATE INDEX orders_request_idx ON orders (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX generations_request_idx ON generations (request_id) WHERE request_id IS NOT NULL;

-- What is searched for by its number alone.
CREATE INDEX orders_transaction_only_idx ON orders (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX refunds_wechat_idx ON refunds (wechat_id) WHERE wechat_id IS NOT NULL;
-- By the beginning of a name; capitals do not matter.
CREATE INDEX users_nick_name_idx ON users (nick_name COLLATE NOCASE, id) WHERE nick_name IS NOT NULL;
