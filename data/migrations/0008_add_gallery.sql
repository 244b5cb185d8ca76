-- The gallery as people use it: publishing, likes, reports, lists in two orders, search, and how many
-- pictures there are; and how many favorites a user has.
--
-- `seq` is the place in the order of publication, given once when a picture first becomes public and
-- never again to another: with it a list by time has a key of one number, and the search index is in
-- that order by itself. `hot` is the score of the list "hot" (docs/gallery.md), kept up with the likes.

CREATE TABLE gallery_images_new (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Addresses as of the publication. Where there are keys, these are what counts: an address is made
  -- from them when it is answered.
  image_url     TEXT NOT NULL CHECK (image_url <> ''),
  thumbnail_url TEXT NOT NULL CHECK (thumbnail_url <> ''),
  image_key     TEXT CHECK (image_key <> ''),
  thumbnail_key TEXT CHECK (thumbnail_key <> ''),
  width         INTEGER NOT NULL CHECK (width > 0),
  height        INTEGER NOT NULL CHECK (height > 0),
  prompt        TEXT NOT NULL,
  tags          TEXT NOT NULL DEFAULT '[]' CHECK (json_type(tags) = 'array'),
  category_id   TEXT NOT NULL REFERENCES categories (category_id),
  author_id     INTEGER REFERENCES users (id),
  -- The job it is from, and which of its pictures.
  job_id        TEXT,
  job_index     INTEGER CHECK (job_index >= 0),
  -- Likes: a row each in image_likes, besides `base_likes` that came with the picture.
  likes         INTEGER NOT NULL DEFAULT 0,
  base_likes    INTEGER NOT NULL DEFAULT 0 CHECK (base_likes >= 0),
  hot           INTEGER NOT NULL DEFAULT 0,
  -- Reports that nobody has decided on.
  open_reports  INTEGER NOT NULL DEFAULT 0 CHECK (open_reports >= 0),
  status        TEXT NOT NULL DEFAULT 'PENDING'
                CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED', 'HIDDEN')),
  status_reason TEXT,
  seq           INTEGER UNIQUE CHECK (seq > 0),
  created_at    INTEGER NOT NULL,
  published_at  INTEGER,
  updated_at    INTEGER NOT NULL,
  CHECK (likes >= base_likes),
  CHECK ((seq IS NULL) = (published_at IS NULL)),
  CHECK (status <> 'APPROVED' OR seq IS NOT NULL),
  CHECK ((job_id IS NULL) = (job_index IS NULL)),
  CHECK ((image_key IS NULL) = (thumbnail_key IS NULL))
) STRICT;

-- Pictures that were here before have their place by time. Their score begins at their time; the next
-- like of each puts it right.
INSERT INTO gallery_images_new
  (id, image_url, thumbnail_url, width, height, prompt, category_id, author_id, likes, base_likes,
   hot, status, seq, created_at, published_at, updated_at)
SELECT id, image_url, thumbnail_url, width, height, prompt, category_id, author_id, likes, likes,
       created_at, status,
       CASE WHEN status = 'APPROVED' THEN ROW_NUMBER() OVER (ORDER BY created_at, id) END,
       created_at, CASE WHEN status = 'APPROVED' THEN created_at END, updated_at
  FROM gallery_images;

DROP TABLE gallery_images;
ALTER TABLE gallery_images_new RENAME TO gallery_images;

-- The public lists, in both orders: all, of a category, of an author.
CREATE UNIQUE INDEX gallery_images_new_idx ON gallery_images (seq DESC) WHERE status = 'APPROVED';
CREATE INDEX gallery_images_hot_idx ON gallery_images (hot DESC, seq DESC)
  WHERE status = 'APPROVED';
CREATE INDEX gallery_images_category_new_idx ON gallery_images (category_id, seq DESC)
  WHERE status = 'APPROVED';
CREATE INDEX gallery_images_category_hot_idx ON gallery_images (category_id, hot DESC, seq DESC)
  WHERE status = 'APPROVED';
CREATE INDEX gallery_images_author_new_idx ON gallery_images (author_id, seq DESC)
  WHERE status = 'APPROVED';
CREATE INDEX gallery_images_author_hot_idx ON gallery_images (author_id, hot DESC, seq DESC)
  WHERE status = 'APPROVED';
-- One's own, whatever their status.
CREATE INDEX gallery_images_own_idx ON gallery_images (author_id, id DESC)
  WHERE author_id IS NOT NULL;
-- What reviewers look at, the oldest first.
CREATE INDEX gallery_images_review_idx ON gallery_images (status, id) WHERE status <> 'APPROVED';
CREATE INDEX gallery_images_reported_idx ON gallery_images (id) WHERE open_reports > 0;
-- A picture of a job is published once.
CREATE UNIQUE INDEX gallery_images_job_idx ON gallery_images (job_id, job_index)
  WHERE job_id IS NOT NULL;

CREATE INDEX categories_sort_idx ON categories (sort, category_id);

-- The last place that was given, and the time that went with it. One row.
CREATE TABLE gallery_sequence (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  seq          INTEGER NOT NULL,
  published_at INTEGER NOT NULL
) STRICT;

INSERT INTO gallery_sequence (id, seq, published_at)
SELECT 1, COALESCE(MAX(seq), 0), COALESCE(MAX(published_at), 0) FROM gallery_images;

-- Public pictures by author and category; author 0 is everybody. Triggers, not the code: nothing that
-- shows or hides a picture can forget it.
CREATE TABLE gallery_counts (
  author_id   INTEGER NOT NULL,
  category_id TEXT NOT NULL,
  images      INTEGER NOT NULL CHECK (images >= 0),
  PRIMARY KEY (author_id, category_id)
) STRICT, WITHOUT ROWID;

INSERT INTO gallery_counts (author_id, category_id, images)
SELECT 0, category_id, COUNT(*) FROM gallery_images WHERE status = 'APPROVED' GROUP BY category_id;
INSERT INTO gallery_counts (author_id, category_id, images)
SELECT author_id, category_id, COUNT(*) FROM gallery_images
 WHERE status = 'APPROVED' AND author_id IS NOT NULL GROUP BY author_id, category_id;

CREATE TRIGGER gallery_images_count_insert AFTER INSERT ON gallery_images
WHEN NEW.status = 'APPROVED'
BEGIN
  INSERT INTO gallery_counts (author_id, category_id, images) VALUES (0, NEW.category_id, 1)
  ON CONFLICT (author_id, category_id) DO UPDATE SET images = images + 1;
  INSERT INTO gallery_counts (author_id, category_id, images)
  SELECT NEW.author_id, NEW.category_id, 1 WHERE NEW.author_id IS NOT NULL
  ON CONFLICT (author_id, category_id) DO UPDATE SET images = images + 1;
END;

CREATE TRIGGER gallery_images_count_leave
AFTER UPDATE OF status, category_id, author_id ON gallery_images
WHEN OLD.status = 'APPROVED'
BEGIN
  UPDATE gallery_counts SET images = images - 1
   WHERE category_id = OLD.category_id AND author_id IN (0, OLD.author_id);
END;

CREATE TRIGGER gallery_images_count_enter
AFTER UPDATE OF status, category_id, author_id ON gallery_images
WHEN NEW.status = 'APPROVED'
BEGIN
  INSERT INTO gallery_counts (author_id, category_id, images) VALUES (0, NEW.category_id, 1)
  ON CONFLICT (author_id, category_id) DO UPDATE SET images = images + 1;
  INSERT INTO gallery_counts (author_id, category_id, images)
  SELECT NEW.author_id, NEW.category_id, 1 WHERE NEW.author_id IS NOT NULL
  ON CONFLICT (author_id, category_id) DO UPDATE SET images = images + 1;
END;

CREATE TRIGGER gallery_images_count_delete AFTER DELETE ON gallery_images
WHEN OLD.status = 'APPROVED'
BEGIN
  UPDATE gallery_counts SET images = images - 1
   WHERE category_id = OLD.category_id AND author_id IN (0, OLD.author_id);
END;

-- Who likes what; gallery_images.likes counts it.
CREATE TABLE image_likes (
  user_id    INTEGER NOT NULL REFERENCES users (id),
  image_id   INTEGER NOT NULL REFERENCES gallery_images (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, image_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX image_likes_image_idx ON image_likes (image_id);

-- What users say is wrong with a picture; each says it once.
CREATE TABLE reports (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  image_id   INTEGER NOT NULL REFERENCES gallery_images (id) ON DELETE CASCADE,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  reason     TEXT NOT NULL CHECK (reason <> ''),
  detail     TEXT,
  status     TEXT NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'UPHELD', 'DISMISSED')),
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  CHECK ((status = 'OPEN') = (decided_at IS NULL)),
  UNIQUE (image_id, user_id)
) STRICT;

CREATE INDEX reports_user_idx ON reports (user_id);

-- The words of public pictures by `seq`, made by the program: SQLite cannot tell Chinese words apart.
-- Only which pictures have a word is kept, not where, and not the text.
CREATE VIRTUAL TABLE gallery_search USING fts5 (
  terms, content = '', contentless_delete = 1, detail = 'none', tokenize = "ascii tokenchars ':_'"
);

-- The same for what was here before, by and large: every character, every pair of neighbours, and words
-- between spaces and the usual signs.
INSERT INTO gallery_search (rowid, terms)
SELECT g.seq,
       replace(replace(replace(g.prompt, '，', ' '), '。', ' '), '、', ' ')
         || ' c:' || g.category_id || COALESCE(' a:' || g.author_id, '') || ' ' || COALESCE((
         WITH RECURSIVE place (at) AS (
           SELECT 1 UNION ALL SELECT at + 1 FROM place WHERE at < length(g.prompt)
         )
         SELECT group_concat(substr(g.prompt, at, 1) || ' ' || substr(g.prompt, at, 2), ' ')
           FROM place
       ), '')
  FROM gallery_images g WHERE g.status = 'APPROVED';

-- How many favorites a user has, by type.
CREATE TABLE favorite_counts (
  user_id   INTEGER NOT NULL REFERENCES users (id),
  type      TEXT NOT NULL,
  favorites INTEGER NOT NULL CHECK (favorites >= 0),
  PRIMARY KEY (user_id, type)
) STRICT, WITHOUT ROWID;

INSERT INTO favorite_counts (user_id, type, favorites)
SELECT user_id, type, COUNT(*) FROM favorites GROUP BY user_id, type;

CREATE TRIGGER favorites_count_insert AFTER INSERT ON favorites
BEGIN
  INSERT INTO favorite_counts (user_id, type, favorites) VALUES (NEW.user_id, NEW.type, 1)
  ON CONFLICT (user_id, type) DO UPDATE SET favorites = favorites + 1;
END;

CREATE TRIGGER favorites_count_delete AFTER DELETE ON favorites
BEGIN
  UPDATE favorite_counts SET favorites = favorites - 1
   WHERE user_id = OLD.user_id AND type = OLD.type;
END;
