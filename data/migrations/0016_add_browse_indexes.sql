-- For the admin page: lists over all users, orders, jobs and refunds. Each index holds what its lists
-- filter by, so that a filter that fits few rows is answered from the index alone.

CREATE INDEX users_browse_idx
  ON users (created_at DESC, id DESC, vip_level, vip_expire_at, banned_at, deleted_at);
CREATE INDEX users_members_idx
  ON users (vip_level, created_at DESC, id DESC, vip_expire_at, banned_at, deleted_at)
  WHERE vip_level <> 'NORMAL';
CREATE INDEX users_banned_idx
  ON users (created_at DESC, id DESC, vip_level, vip_expire_at, deleted_at)
  WHERE banned_at IS NOT NULL;
CREATE INDEX users_name_browse_idx
  ON users (nick_name, id, created_at, vip_level, vip_expire_at, banned_at, deleted_at)
  WHERE nick_name IS NOT NULL;

CREATE INDEX orders_browse_idx
  ON orders (created_at DESC, id DESC, status, method, kind, amount);
CREATE INDEX orders_status_browse_idx
  ON orders (status, created_at DESC, id DESC, method, kind, amount);

CREATE INDEX generations_browse_idx
  ON generations (created_at DESC, seq DESC, status, upstream, error_code);
CREATE INDEX generations_status_browse_idx
  ON generations (status, created_at DESC, seq DESC, upstream, error_code);

CREATE INDEX refunds_status_idx ON refunds (status, id DESC);
CREATE INDEX refunds_problem_idx ON refunds (id DESC) WHERE problem IS NOT NULL;

CREATE INDEX payment_events_refused_id_idx ON payment_events (id DESC) WHERE state = 'refused';

-- Codes that must not be used any more, one by one or a whole batch.
ALTER TABLE redeem_batches ADD COLUMN revoked_at INTEGER;
ALTER TABLE redeem_codes ADD COLUMN revoked_at INTEGER;

CREATE INDEX redeem_codes_used_idx ON redeem_codes (batch_id) WHERE redeemed_by IS NOT NULL;

-- For the report of what was earned: by day, channel and product, from the index alone.
CREATE INDEX orders_revenue_idx ON orders (paid_at, method, product, product_name, amount)
  WHERE paid_at IS NOT NULL;

-- What WeChat keeps for itself, as its bill of the day says; unknown where there is none.
ALTER TABLE bill_runs ADD COLUMN fee INTEGER;

-- Whether a category may go.
CREATE INDEX gallery_images_any_category_idx ON gallery_images (category_id);
