-- Pictures in the media storage, and who needs them.
--
-- A key is derived from SHA-256 of the bytes, so equal pictures are one object. Who needs an object
-- is one row a holder: the same holder holding twice is the same as once, and the object may go
-- when nobody holds it. The row of an object stands before its bytes are stored and until they are
-- removed, so that nothing lies in the storage that no row knows of.

CREATE TABLE media_objects (
  key          TEXT PRIMARY KEY CHECK (key <> ''),
  kind         TEXT NOT NULL CHECK (kind IN ('result', 'thumbnail', 'upload')),
  bytes        INTEGER NOT NULL CHECK (bytes > 0),
  width        INTEGER NOT NULL CHECK (width > 0),
  height       INTEGER NOT NULL CHECK (height > 0),
  created_at   INTEGER NOT NULL,
  -- Since when nobody holds it; NULL while somebody does.
  unused_since INTEGER,
  -- Its bytes are being removed: it cannot be held any more.
  removing     INTEGER NOT NULL DEFAULT 0 CHECK (removing IN (0, 1)),
  CHECK (removing = 0 OR unused_since IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX media_objects_unused_idx ON media_objects (unused_since)
  WHERE unused_since IS NOT NULL;

-- `holder` is a kind and an id: 'job:…', 'user:…', 'gallery:…'.
CREATE TABLE media_holds (
  holder     TEXT NOT NULL CHECK (holder <> ''),
  key        TEXT NOT NULL REFERENCES media_objects (key),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (holder, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX media_holds_key_idx ON media_holds (key);
CREATE INDEX media_holds_holder_idx ON media_holds (holder, created_at);
