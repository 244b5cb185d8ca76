-- Statistics, kept as things happen so that nothing is counted when somebody asks.
--
-- Triggers, not the code: whatever changes a row is counted, and in the same transaction. What a
-- counter should be is a view over the rows that it counts; the counters are filled from the views
-- here, compared with them by the check, and made anew from them by the repair (docs/statistics.md).
--
-- A day is `YYYY-MM-DD` in Asia/Shanghai: 28800000 ms ahead of UTC, without daylight saving. Counters
-- have no CHECKs: a wrong statistic must not fail what it counts. All of it is written by the stats
-- feature and by triggers.

-- The whole service, by day. `revenue` and `refunded` are fen, the latter on the day of the refund.
CREATE TABLE daily_stats (
  day             TEXT PRIMARY KEY,
  new_users       INTEGER NOT NULL DEFAULT 0,
  active_users    INTEGER NOT NULL DEFAULT 0,
  jobs_succeeded  INTEGER NOT NULL DEFAULT 0,
  jobs_failed     INTEGER NOT NULL DEFAULT 0,
  jobs_canceled   INTEGER NOT NULL DEFAULT 0,
  points_earned   INTEGER NOT NULL DEFAULT 0,
  points_spent    INTEGER NOT NULL DEFAULT 0,
  points_refunded INTEGER NOT NULL DEFAULT 0,
  orders_paid     INTEGER NOT NULL DEFAULT 0,
  revenue         INTEGER NOT NULL DEFAULT 0,
  refunded        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The whole service, ever. One row. Deleted users are not among `users`.
CREATE TABLE stats_totals (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  users          INTEGER NOT NULL DEFAULT 0,
  jobs_succeeded INTEGER NOT NULL DEFAULT 0,
  templates      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A user's ended jobs by the day they ended; and of these, jobs whose rows are gone.
CREATE TABLE user_job_days (
  user_id   INTEGER NOT NULL,
  day       TEXT NOT NULL,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  canceled  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE removed_job_days (
  user_id   INTEGER NOT NULL,
  day       TEXT NOT NULL,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  canceled  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, day)
) STRICT, WITHOUT ROWID;

-- A user's ended jobs and orders (of whatever status), ever.
CREATE TABLE user_totals (
  user_id   INTEGER PRIMARY KEY,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  canceled  INTEGER NOT NULL DEFAULT 0,
  orders    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Who was here on which day, for some months; and how many were on days that are no longer kept.
CREATE TABLE active_days (
  day     TEXT NOT NULL,
  user_id INTEGER NOT NULL,
  PRIMARY KEY (day, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE removed_active_days (
  day   TEXT PRIMARY KEY,
  users INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What was given back of an order, by day: the order itself knows only the sum.
CREATE TABLE refund_days (
  order_id TEXT NOT NULL,
  day      TEXT NOT NULL,
  amount   INTEGER NOT NULL,
  PRIMARY KEY (order_id, day)
) STRICT, WITHOUT ROWID;

-- What was given back of an order and no day knows of.
CREATE VIEW missing_refund_days (order_id, day, missing) AS
SELECT o.order_id, date((o.updated_at + 28800000) / 1000, 'unixepoch'),
       o.refunded_amount - COALESCE(
         (SELECT SUM(r.amount) FROM refund_days r WHERE r.order_id = o.order_id), 0)
  FROM orders o WHERE o.refunded_amount > 0;

INSERT INTO refund_days (order_id, day, amount)
SELECT order_id, day, missing FROM missing_refund_days;

-- What the counters should be.
CREATE VIEW counted_user_job_days (user_id, day, succeeded, failed, canceled) AS
SELECT user_id, day, SUM(succeeded), SUM(failed), SUM(canceled) FROM (
  SELECT user_id, date((completed_at + 28800000) / 1000, 'unixepoch') AS day,
         status = 'SUCCEEDED' AS succeeded, status = 'FAILED' AS failed,
         status = 'CANCELED' AS canceled
    FROM generations WHERE completed_at IS NOT NULL
  UNION ALL
  SELECT user_id, day, succeeded, failed, canceled FROM removed_job_days
) GROUP BY user_id, day;

CREATE VIEW counted_user_totals (user_id, succeeded, failed, canceled, orders) AS
SELECT user_id, SUM(succeeded), SUM(failed), SUM(canceled), SUM(orders) FROM (
  SELECT user_id, succeeded, failed, canceled, 0 AS orders FROM counted_user_job_days
  UNION ALL
  SELECT user_id, 0, 0, 0, 1 FROM orders
) GROUP BY user_id;

CREATE VIEW counted_daily_stats
  (day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled, points_earned,
   points_spent, points_refunded, orders_paid, revenue, refunded) AS
SELECT day, SUM(users), SUM(active), SUM(succeeded), SUM(failed), SUM(canceled), SUM(earned),
       SUM(spent), SUM(points_back), SUM(paid), SUM(revenue), SUM(refunded)
  FROM (
  SELECT date((created_at + 28800000) / 1000, 'unixepoch') AS day, 1 AS users, 0 AS active,
         0 AS succeeded, 0 AS failed, 0 AS canceled, 0 AS earned, 0 AS spent, 0 AS points_back,
         0 AS paid, 0 AS revenue, 0 AS refunded
    FROM users
  UNION ALL
  SELECT day, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM active_days
  UNION ALL
  SELECT day, 0, users, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM removed_active_days
  UNION ALL
  SELECT day, 0, 0, succeeded, failed, canceled, 0, 0, 0, 0, 0, 0 FROM counted_user_job_days
  UNION ALL
  SELECT date((created_at + 28800000) / 1000, 'unixepoch'), 0, 0, 0, 0, 0,
         (type = 'EARN') * amount, (type = 'SPEND') * amount, (type = 'REFUND') * amount, 0, 0, 0
    FROM points_transactions
  UNION ALL
  SELECT date((paid_at + 28800000) / 1000, 'unixepoch'), 0, 0, 0, 0, 0, 0, 0, 0, 1, amount, 0
    FROM orders WHERE paid_at IS NOT NULL
  UNION ALL
  SELECT day, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, amount FROM refund_days
) GROUP BY day;

CREATE VIEW counted_totals (id, users, jobs_succeeded, templates) AS
SELECT 1, (SELECT COUNT(*) FROM users WHERE deleted_at IS NULL),
       (SELECT COALESCE(SUM(succeeded), 0) FROM counted_user_job_days),
       (SELECT COUNT(*) FROM prompt_templates);

INSERT INTO user_job_days (user_id, day, succeeded, failed, canceled)
SELECT user_id, day, succeeded, failed, canceled FROM counted_user_job_days;

INSERT INTO user_totals (user_id, succeeded, failed, canceled, orders)
SELECT user_id, succeeded, failed, canceled, orders FROM counted_user_totals;

INSERT INTO daily_stats
  (day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled, points_earned,
   points_spent, points_refunded, orders_paid, revenue, refunded)
SELECT day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled, points_earned,
       points_spent, points_refunded, orders_paid, revenue, refunded
  FROM counted_daily_stats;

INSERT INTO stats_totals (id, users, jobs_succeeded, templates)
SELECT id, users, jobs_succeeded, templates FROM counted_totals;

-- Users.
CREATE TRIGGER users_stats_insert AFTER INSERT ON users
BEGIN
  INSERT INTO daily_stats (day, new_users)
  VALUES (date((NEW.created_at + 28800000) / 1000, 'unixepoch'), 1)
  ON CONFLICT (day) DO UPDATE SET new_users = new_users + 1;
  UPDATE stats_totals SET users = users + (NEW.deleted_at IS NULL) WHERE id = 1;
END;

CREATE TRIGGER users_stats_delete AFTER UPDATE OF deleted_at ON users
WHEN (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
BEGIN
  UPDATE stats_totals SET users = users + (NEW.deleted_at IS NULL) - (OLD.deleted_at IS NULL)
   WHERE id = 1;
END;

CREATE TRIGGER active_days_stats AFTER INSERT ON active_days
BEGIN
  INSERT INTO daily_stats (day, active_users) VALUES (NEW.day, 1)
  ON CONFLICT (day) DO UPDATE SET active_users = active_users + 1;
END;

CREATE TRIGGER active_days_removed AFTER DELETE ON active_days
BEGIN
  INSERT INTO removed_active_days (day, users) VALUES (OLD.day, 1)
  ON CONFLICT (day) DO UPDATE SET users = users + 1;
END;

-- Jobs. One that is delivered after it had failed leaves the day of its failure.
CREATE TRIGGER generations_stats_insert AFTER INSERT ON generations
WHEN NEW.completed_at IS NOT NULL
BEGIN
  INSERT INTO user_job_days (user_id, day)
  VALUES (NEW.user_id, date((NEW.completed_at + 28800000) / 1000, 'unixepoch'))
  ON CONFLICT (user_id, day) DO NOTHING;
  UPDATE user_job_days
     SET succeeded = succeeded + (NEW.status = 'SUCCEEDED'),
         failed = failed + (NEW.status = 'FAILED'),
         canceled = canceled + (NEW.status = 'CANCELED')
   WHERE user_id = NEW.user_id
     AND day = date((NEW.completed_at + 28800000) / 1000, 'unixepoch');
END;

CREATE TRIGGER generations_stats_leave AFTER UPDATE OF status, completed_at ON generations
WHEN OLD.completed_at IS NOT NULL
BEGIN
  UPDATE user_job_days
     SET succeeded = succeeded - (OLD.status = 'SUCCEEDED'),
         failed = failed - (OLD.status = 'FAILED'),
         canceled = canceled - (OLD.status = 'CANCELED')
   WHERE user_id = OLD.user_id
     AND day = date((OLD.completed_at + 28800000) / 1000, 'unixepoch');
END;

CREATE TRIGGER generations_stats_enter AFTER UPDATE OF status, completed_at ON generations
WHEN NEW.completed_at IS NOT NULL
BEGIN
  INSERT INTO user_job_days (user_id, day)
  VALUES (NEW.user_id, date((NEW.completed_at + 28800000) / 1000, 'unixepoch'))
  ON CONFLICT (user_id, day) DO NOTHING;
  UPDATE user_job_days
     SET succeeded = succeeded + (NEW.status = 'SUCCEEDED'),
         failed = failed + (NEW.status = 'FAILED'),
         canceled = canceled + (NEW.status = 'CANCELED')
   WHERE user_id = NEW.user_id
     AND day = date((NEW.completed_at + 28800000) / 1000, 'unixepoch');
END;

-- A job that goes with its owner's history has been all the same.
CREATE TRIGGER generations_stats_removed AFTER DELETE ON generations
WHEN OLD.completed_at IS NOT NULL
BEGIN
  INSERT INTO removed_job_days (user_id, day, succeeded, failed, canceled)
  VALUES (OLD.user_id, date((OLD.completed_at + 28800000) / 1000, 'unixepoch'),
          OLD.status = 'SUCCEEDED', OLD.status = 'FAILED', OLD.status = 'CANCELED')
  ON CONFLICT (user_id, day) DO UPDATE
    SET succeeded = succeeded + (OLD.status = 'SUCCEEDED'),
        failed = failed + (OLD.status = 'FAILED'),
        canceled = canceled + (OLD.status = 'CANCELED');
END;

CREATE TRIGGER user_job_days_sums AFTER UPDATE ON user_job_days
BEGIN
  INSERT INTO user_totals (user_id) VALUES (NEW.user_id) ON CONFLICT (user_id) DO NOTHING;
  UPDATE user_totals
     SET succeeded = succeeded + NEW.succeeded - OLD.succeeded,
         failed = failed + NEW.failed - OLD.failed,
         canceled = canceled + NEW.canceled - OLD.canceled
   WHERE user_id = NEW.user_id;
  INSERT INTO daily_stats (day) VALUES (NEW.day) ON CONFLICT (day) DO NOTHING;
  UPDATE daily_stats
     SET jobs_succeeded = jobs_succeeded + NEW.succeeded - OLD.succeeded,
         jobs_failed = jobs_failed + NEW.failed - OLD.failed,
         jobs_canceled = jobs_canceled + NEW.canceled - OLD.canceled
   WHERE day = NEW.day;
  UPDATE stats_totals SET jobs_succeeded = jobs_succeeded + NEW.succeeded - OLD.succeeded
   WHERE id = 1;
END;

-- Points. The ledger is only added to.
CREATE TRIGGER points_transactions_stats AFTER INSERT ON points_transactions
BEGIN
  INSERT INTO daily_stats (day)
  VALUES (date((NEW.created_at + 28800000) / 1000, 'unixepoch'))
  ON CONFLICT (day) DO NOTHING;
  UPDATE daily_stats
     SET points_earned = points_earned + (NEW.type = 'EARN') * NEW.amount,
         points_spent = points_spent + (NEW.type = 'SPEND') * NEW.amount,
         points_refunded = points_refunded + (NEW.type = 'REFUND') * NEW.amount
   WHERE day = date((NEW.created_at + 28800000) / 1000, 'unixepoch');
END;

-- Orders: counted when placed, revenue when paid, refunds as the refunded sum grows.
CREATE TRIGGER orders_stats_insert AFTER INSERT ON orders
BEGIN
  INSERT INTO user_totals (user_id, orders) VALUES (NEW.user_id, 1)
  ON CONFLICT (user_id) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER orders_stats_insert_paid AFTER INSERT ON orders WHEN NEW.paid_at IS NOT NULL
BEGIN
  INSERT INTO daily_stats (day, orders_paid, revenue)
  VALUES (date((NEW.paid_at + 28800000) / 1000, 'unixepoch'), 1, NEW.amount)
  ON CONFLICT (day) DO UPDATE SET orders_paid = orders_paid + 1, revenue = revenue + NEW.amount;
END;

CREATE TRIGGER orders_stats_insert_refunded AFTER INSERT ON orders WHEN NEW.refunded_amount > 0
BEGIN
  INSERT INTO refund_days (order_id, day, amount)
  VALUES (NEW.order_id, date((NEW.updated_at + 28800000) / 1000, 'unixepoch'),
          NEW.refunded_amount);
END;

CREATE TRIGGER orders_stats_unpaid AFTER UPDATE OF paid_at, amount ON orders
WHEN OLD.paid_at IS NOT NULL
BEGIN
  UPDATE daily_stats SET orders_paid = orders_paid - 1, revenue = revenue - OLD.amount
   WHERE day = date((OLD.paid_at + 28800000) / 1000, 'unixepoch');
END;

CREATE TRIGGER orders_stats_paid AFTER UPDATE OF paid_at, amount ON orders
WHEN NEW.paid_at IS NOT NULL
BEGIN
  INSERT INTO daily_stats (day, orders_paid, revenue)
  VALUES (date((NEW.paid_at + 28800000) / 1000, 'unixepoch'), 1, NEW.amount)
  ON CONFLICT (day) DO UPDATE SET orders_paid = orders_paid + 1, revenue = revenue + NEW.amount;
END;

CREATE TRIGGER orders_stats_refunded AFTER UPDATE OF refunded_amount ON orders
WHEN NEW.refunded_amount <> OLD.refunded_amount
BEGIN
  INSERT INTO refund_days (order_id, day, amount)
  VALUES (NEW.order_id, date((NEW.updated_at + 28800000) / 1000, 'unixepoch'), 0)
  ON CONFLICT (order_id, day) DO NOTHING;
  UPDATE refund_days SET amount = amount + NEW.refunded_amount - OLD.refunded_amount
   WHERE order_id = NEW.order_id
     AND day = date((NEW.updated_at + 28800000) / 1000, 'unixepoch');
END;

CREATE TRIGGER refund_days_insert AFTER INSERT ON refund_days
BEGIN
  INSERT INTO daily_stats (day, refunded) VALUES (NEW.day, NEW.amount)
  ON CONFLICT (day) DO UPDATE SET refunded = refunded + NEW.amount;
END;

CREATE TRIGGER refund_days_update AFTER UPDATE ON refund_days
BEGIN
  UPDATE daily_stats SET refunded = refunded + NEW.amount - OLD.amount WHERE day = NEW.day;
END;

-- Templates.
CREATE TRIGGER prompt_templates_stats_insert AFTER INSERT ON prompt_templates
BEGIN
  UPDATE stats_totals SET templates = templates + 1 WHERE id = 1;
END;

CREATE TRIGGER prompt_templates_stats_delete AFTER DELETE ON prompt_templates
BEGIN
  UPDATE stats_totals SET templates = templates - 1 WHERE id = 1;
END;
