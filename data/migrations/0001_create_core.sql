-- The core of the product: users and their sessions, plans, orders, the points ledger, the gallery,
-- favorites, prompt templates, and who created which job of the image API.
--
-- Times are integer milliseconds since 1970 UTC, money is integer fen, flags are 0 or 1, lists are
-- JSON arrays. Rows that lists show newest first are found by (created_at, id), so that rows of
-- one millisecond come in the order of their insertion. What money depends on is checked here as
-- well as in the code: a bug must fail, not book.

-- One row per openid. A deleted user keeps the row, for the books, without its openid: the same
-- person coming back is a new user.
CREATE TABLE users (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  openid             TEXT UNIQUE CHECK (openid <> ''),
  unionid            TEXT,
  nick_name          TEXT,
  avatar_url         TEXT,
  phone              TEXT,
  vip_level          TEXT NOT NULL DEFAULT 'NORMAL' CHECK (vip_level IN ('NORMAL', 'VIP', 'SVIP')),
  vip_expire_at      INTEGER,
  points_balance     INTEGER NOT NULL DEFAULT 0 CHECK (points_balance >= 0),
  token_version      INTEGER NOT NULL DEFAULT 0 CHECK (token_version >= 0),
  invite_code        TEXT UNIQUE,
  invited_by         INTEGER REFERENCES users (id),
  session_key_sealed BLOB,
  session_key_at     INTEGER,
  banned_at          INTEGER,
  deleted_at         INTEGER,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  CHECK (openid IS NOT NULL OR deleted_at IS NOT NULL),
  CHECK (vip_level = 'NORMAL' OR vip_expire_at IS NOT NULL),
  CHECK ((session_key_sealed IS NULL) = (session_key_at IS NULL))
) STRICT;

CREATE INDEX users_invited_by_idx ON users (invited_by, created_at DESC, id DESC)
  WHERE invited_by IS NOT NULL;

-- What can be bought for a membership. `duration` is in days, `points` come on top.
CREATE TABLE vip_plans (
  plan_id        TEXT PRIMARY KEY CHECK (plan_id <> ''),
  name           TEXT NOT NULL,
  level          TEXT NOT NULL CHECK (level IN ('VIP', 'SVIP')),
  duration       INTEGER NOT NULL CHECK (duration BETWEEN 1 AND 36500),
  original_price INTEGER NOT NULL,
  current_price  INTEGER NOT NULL CHECK (current_price > 0),
  benefits       TEXT NOT NULL DEFAULT '[]' CHECK (json_type(benefits) = 'array'),
  popular        INTEGER NOT NULL DEFAULT 0 CHECK (popular IN (0, 1)),
  points         INTEGER NOT NULL DEFAULT 0 CHECK (points >= 0),
  on_sale        INTEGER NOT NULL DEFAULT 1 CHECK (on_sale IN (0, 1)),
  sort           INTEGER NOT NULL DEFAULT 0,
  CHECK (original_price >= current_price)
) STRICT;

INSERT INTO vip_plans
  (plan_id, name, level, duration, original_price, current_price, benefits, popular, sort)
VALUES
  ('vip_month', 'VIP 月卡', 'VIP', 30, 2999, 1999,
   '["每日生成不限次数","支持 4K 高清","优先排队","作品永久保存"]', 0, 1),
  ('vip_year', 'VIP 年卡', 'VIP', 365, 29990, 19990,
   '["每日生成不限次数","支持 4K 高清","优先排队","作品永久保存"]', 1, 2),
  ('svip_lifetime', 'SVIP 终身卡', 'SVIP', 36500, 299900, 199900,
   '["每日生成不限次数","支持 4K 高清","最优先排队","作品永久保存","更多任务同时进行"]', 0, 3);

-- What was or may be paid. `order_id` is the number both payment channels know. An order of kind
-- POINTS has a pack or a free amount. Paid means: paid at least once, whatever was refunded since.
CREATE TABLE orders (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id        TEXT NOT NULL UNIQUE
                  CHECK (length(order_id) BETWEEN 20 AND 32 AND order_id NOT GLOB '*[^0-9A-Za-z]*'),
  user_id         INTEGER NOT NULL REFERENCES users (id),
  kind            TEXT NOT NULL CHECK (kind IN ('VIP', 'POINTS')),
  plan_id         TEXT REFERENCES vip_plans (plan_id),
  pack_id         TEXT,
  product_name    TEXT NOT NULL,
  status          TEXT NOT NULL DEFAULT 'PENDING'
                  CHECK (status IN ('PENDING', 'PAID', 'CANCELLED', 'EXPIRED',
                                    'REFUNDING', 'REFUNDED', 'PARTIALLY_REFUNDED')),
  method          TEXT NOT NULL CHECK (method IN ('wechat', 'virtual')),
  amount          INTEGER NOT NULL CHECK (amount > 0),
  refunded_amount INTEGER NOT NULL DEFAULT 0,
  points          INTEGER NOT NULL DEFAULT 0 CHECK (points >= 0),
  transaction_id  TEXT CHECK (transaction_id <> ''),
  paid_at         INTEGER,
  vip_expire_at   INTEGER,
  expires_at      INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  CHECK ((kind = 'VIP') = (plan_id IS NOT NULL)),
  CHECK (kind = 'POINTS' OR pack_id IS NULL),
  CHECK ((status IN ('PENDING', 'CANCELLED', 'EXPIRED')) = (paid_at IS NULL)),
  CHECK (refunded_amount BETWEEN 0 AND amount),
  CHECK (CASE status
           WHEN 'REFUNDED' THEN refunded_amount = amount
           WHEN 'PARTIALLY_REFUNDED' THEN refunded_amount > 0 AND refunded_amount < amount
           WHEN 'REFUNDING' THEN 1
           ELSE refunded_amount = 0
         END)
) STRICT;

CREATE INDEX orders_user_created_idx ON orders (user_id, created_at DESC, id DESC);
CREATE INDEX orders_user_status_idx ON orders (user_id, status, created_at DESC, id DESC);
CREATE INDEX orders_pending_idx ON orders (expires_at) WHERE status = 'PENDING';
-- One payment pays one order.
CREATE UNIQUE INDEX orders_transaction_idx ON orders (method, transaction_id)
  WHERE transaction_id IS NOT NULL;

-- The ledger behind users.points_balance: it equals the sum of EARN and REFUND less SPEND, and the
-- newest balance_after. `reason` and `reference` (an order, a job, a day) book a thing only once.
CREATE TABLE points_transactions (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id       INTEGER NOT NULL REFERENCES users (id),
  type          TEXT NOT NULL CHECK (type IN ('EARN', 'SPEND', 'REFUND')),
  amount        INTEGER NOT NULL CHECK (amount > 0),
  description   TEXT NOT NULL,
  reason        TEXT NOT NULL CHECK (reason <> ''),
  reference     TEXT CHECK (reference <> ''),
  balance_after INTEGER NOT NULL CHECK (balance_after >= 0),
  created_at    INTEGER NOT NULL,
  CHECK (type = 'SPEND' OR balance_after >= amount)
) STRICT;

CREATE UNIQUE INDEX points_transactions_once_idx ON points_transactions (reason, reference)
  WHERE reference IS NOT NULL;
CREATE INDEX points_transactions_user_idx
  ON points_transactions (user_id, created_at DESC, id DESC);
CREATE INDEX points_transactions_user_type_idx
  ON points_transactions (user_id, type, created_at DESC, id DESC);

-- A ledger is only ever added to; a mistake is corrected by another row.
CREATE TRIGGER points_transactions_no_update BEFORE UPDATE ON points_transactions
BEGIN
  SELECT RAISE(ABORT, 'points_transactions is append-only');
END;
CREATE TRIGGER points_transactions_no_delete BEFORE DELETE ON points_transactions
BEGIN
  SELECT RAISE(ABORT, 'points_transactions is append-only');
END;

-- How the gallery is divided.
CREATE TABLE categories (
  category_id TEXT PRIMARY KEY CHECK (category_id <> '' AND category_id <> 'all'),
  name        TEXT NOT NULL,
  icon        TEXT NOT NULL DEFAULT '',
  sort        INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO categories (category_id, name, icon, sort) VALUES
  ('portrait', '人物', '👤', 1),
  ('landscape', '风景', '🏞️', 2),
  ('cartoon', '卡通', '🎨', 3),
  ('abstract', '抽象', '🌀', 4);

-- Published pictures; only APPROVED ones are public.
CREATE TABLE gallery_images (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  image_url     TEXT NOT NULL CHECK (image_url <> ''),
  thumbnail_url TEXT NOT NULL CHECK (thumbnail_url <> ''),
  width         INTEGER NOT NULL CHECK (width > 0),
  height        INTEGER NOT NULL CHECK (height > 0),
  prompt        TEXT NOT NULL,
  category_id   TEXT NOT NULL REFERENCES categories (category_id),
  author_id     INTEGER REFERENCES users (id),
  likes         INTEGER NOT NULL DEFAULT 0 CHECK (likes >= 0),
  status        TEXT NOT NULL DEFAULT 'PENDING'
                CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED', 'HIDDEN')),
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX gallery_images_status_idx ON gallery_images (status, created_at DESC, id DESC);
CREATE INDEX gallery_images_category_idx ON gallery_images (category_id, created_at DESC, id DESC)
  WHERE status = 'APPROVED';
CREATE INDEX gallery_images_hot_idx
  ON gallery_images (status, likes DESC, created_at DESC, id DESC);
CREATE INDEX gallery_images_author_idx ON gallery_images (author_id, created_at DESC, id DESC)
  WHERE author_id IS NOT NULL;

-- What users keep. `resource_id` names an image or a template that may be gone by now.
CREATE TABLE favorites (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id     INTEGER NOT NULL REFERENCES users (id),
  type        TEXT NOT NULL CHECK (type IN ('image', 'prompt')),
  resource_id TEXT NOT NULL CHECK (resource_id <> ''),
  created_at  INTEGER NOT NULL,
  UNIQUE (user_id, type, resource_id)
) STRICT;

CREATE INDEX favorites_user_idx ON favorites (user_id, created_at DESC, id DESC);
CREATE INDEX favorites_user_type_idx ON favorites (user_id, type, created_at DESC, id DESC);

-- Prompts to start from; `category` is a word of its own, not one of the gallery's.
CREATE TABLE prompt_templates (
  template_id    TEXT PRIMARY KEY CHECK (template_id <> ''),
  title          TEXT NOT NULL,
  description    TEXT NOT NULL DEFAULT '',
  prompt         TEXT NOT NULL,
  category       TEXT NOT NULL,
  thumbnail_url  TEXT NOT NULL DEFAULT '',
  preview_images TEXT NOT NULL DEFAULT '[]' CHECK (json_type(preview_images) = 'array'),
  usage_count    INTEGER NOT NULL DEFAULT 0 CHECK (usage_count >= 0),
  is_hot         INTEGER NOT NULL DEFAULT 0 CHECK (is_hot IN (0, 1)),
  sort           INTEGER NOT NULL DEFAULT 0,
  created_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX prompt_templates_list_idx ON prompt_templates (sort, created_at DESC, template_id);

-- A session: the family of refresh tokens that descend from one login (`sid` in access tokens).
CREATE TABLE token_families (
  family_id  TEXT PRIMARY KEY CHECK (family_id <> ''),
  user_id    INTEGER NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE INDEX token_families_user_idx ON token_families (user_id);

-- Refresh tokens by their hash. A spent one is kept until it expires: its second use means theft.
CREATE TABLE refresh_tokens (
  token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
  family_id  TEXT NOT NULL REFERENCES token_families (family_id) ON DELETE CASCADE,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  issued_at  INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  spent_at   INTEGER,
  CHECK (expires_at > issued_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user_idx ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expires_idx ON refresh_tokens (expires_at);

-- Access tokens (`jti`) that were logged out before they expire.
CREATE TABLE revoked_tokens (
  token_id   TEXT PRIMARY KEY CHECK (token_id <> ''),
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_tokens_expires_idx ON revoked_tokens (expires_at);

-- Who created which job of the image API through the pass-through: only he may reach it.
CREATE TABLE proxy_jobs (
  job_id     TEXT PRIMARY KEY CHECK (job_id <> ''),
  user_id    INTEGER NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX proxy_jobs_user_idx ON proxy_jobs (user_id, created_at DESC);
