-- Bans and deletions of accounts: what is still to be done for them, and who comes back.

-- Whose account was deleted, by a keyed hash of the openid: nobody can be named by it, but whoever
-- comes back is known again and gets no second welcome. `user_id` is the deleted account, for as long
-- as its free pictures of the month count against the new one.
CREATE TABLE former_users (
  openid_mark BLOB PRIMARY KEY CHECK (length(openid_mark) = 32),
  user_id     INTEGER REFERENCES users (id),
  deleted_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX former_users_user_idx ON former_users (user_id);
CREATE INDEX former_users_linked_idx ON former_users (deleted_at) WHERE user_id IS NOT NULL;

-- Accounts that are being closed: a row from the transaction that bans or deletes until everything
-- that follows is done, so that a crash in between is made good.
CREATE TABLE account_closures (
  user_id  INTEGER PRIMARY KEY REFERENCES users (id),
  kind     TEXT NOT NULL CHECK (kind IN ('BAN', 'DELETION')),
  begun_at INTEGER NOT NULL
) STRICT;

-- For the export of what is held of a user.
CREATE INDEX active_days_user_idx ON active_days (user_id, day);
