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
CREATE INDEX users_nick_name_idx
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
