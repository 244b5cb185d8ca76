-- Administrators: who they are, where they are logged in, and who tried to be one.

-- `username` is in lower case. `password_hash` says how it was made. The secret of the second factor is
-- sealed with the server's key; until it is confirmed it asks for nothing. `totp_step` is the last
-- time step whose code was taken: a code is good once.
CREATE TABLE admins (
  id                INTEGER PRIMARY KEY AUTOINCREMENT,
  username          TEXT NOT NULL UNIQUE CHECK (username <> ''),
  role              TEXT NOT NULL CHECK (role IN ('OWNER', 'OPERATOR', 'CONTENT', 'VIEWER')),
  password_hash     TEXT NOT NULL CHECK (password_hash <> ''),
  password_at       INTEGER NOT NULL,
  totp_sealed       BLOB,
  totp_confirmed_at INTEGER,
  totp_step         INTEGER NOT NULL DEFAULT 0,
  disabled_at       INTEGER,
  last_login_at     INTEGER,
  created_by        TEXT NOT NULL CHECK (created_by <> ''),
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL,
  CHECK (totp_confirmed_at IS NULL OR totp_sealed IS NOT NULL)
) STRICT;

-- Owners that can act: there is always one, once there is any.
CREATE INDEX admins_role_idx ON admins (role) WHERE disabled_at IS NULL;

-- One row for each log-in, kept for a while after its end: an address from which somebody was logged in
-- is not locked out by what others try.
CREATE TABLE admin_sessions (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  admin_id         INTEGER NOT NULL REFERENCES admins (id),
  token_hash       BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  address          TEXT,
  user_agent       TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  seen_at          INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL,
  stepped_up_until INTEGER,
  ended_at         INTEGER
) STRICT;

CREATE INDEX admin_sessions_admin_idx ON admin_sessions (admin_id, id DESC);
CREATE INDEX admin_sessions_address_idx ON admin_sessions (admin_id, address);
CREATE INDEX admin_sessions_expires_idx ON admin_sessions (expires_at);

-- For whoever has lost the second factor: each code is good once.
CREATE TABLE admin_recovery_codes (
  admin_id  INTEGER NOT NULL REFERENCES admins (id),
  code_hash BLOB NOT NULL CHECK (length(code_hash) = 32),
  used_at   INTEGER,
  PRIMARY KEY (admin_id, code_hash)
) STRICT, WITHOUT ROWID;

-- Failed log-ins in a row, by name (also names that nobody has) and by address.
CREATE TABLE admin_login_failures (
  subject      TEXT PRIMARY KEY CHECK (subject <> ''),
  failures     INTEGER NOT NULL CHECK (failures >= 0),
  last_at      INTEGER NOT NULL,
  locked_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX admin_login_failures_last_idx ON admin_login_failures (last_at);

-- The link by which the first owner is made.
CREATE TABLE admin_setup (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
  expires_at INTEGER NOT NULL
) STRICT;

-- With an administrator's change goes the request it came by, and from where.
ALTER TABLE audit_log ADD COLUMN request_id TEXT;
ALTER TABLE audit_log ADD COLUMN address TEXT;

CREATE INDEX audit_log_action_idx ON audit_log (action, id DESC);
CREATE INDEX audit_log_at_idx ON audit_log (at);
CREATE INDEX audit_log_request_idx ON audit_log (request_id) WHERE request_id IS NOT NULL;
