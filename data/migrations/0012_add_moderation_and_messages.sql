-- Moderation: the word list and what WeChat says about published pictures. Messages: what users agreed
-- to be told, and what is to be told them.

-- Words that no prompt and no tag may hold. `word` is what texts are compared with: `text` with case,
-- width, spacing and look-alikes taken away (docs/moderation.md). Edited by operators.
CREATE TABLE moderation_words (
  word     TEXT PRIMARY KEY CHECK (word <> ''),
  text     TEXT NOT NULL CHECK (text <> ''),
  added_by TEXT NOT NULL,
  added_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is plainly unlawful in an image prompt, and hardly ever part of another word. An operator knows
-- his users better and adds or removes.
INSERT INTO moderation_words (word, text, added_by, added_at) VALUES
  ('儿童色情', '儿童色情', 'system', 0),
  ('幼女裸体', '幼女裸体', 'system', 0),
  ('未成年裸体', '未成年裸体', 'system', 0),
  ('裸体幼女', '裸体幼女', 'system', 0),
  ('淫秽', '淫秽', 'system', 0),
  ('淫穢', '淫穢', 'system', 0),
  ('性交', '性交', 'system', 0),
  ('轮奸', '轮奸', 'system', 0),
  ('輪姦', '輪姦', 'system', 0),
  ('强奸', '强奸', 'system', 0),
  ('強姦', '強姦', 'system', 0),
  ('兽交', '兽交', 'system', 0),
  ('裸聊', '裸聊', 'system', 0),
  ('招嫖', '招嫖', 'system', 0),
  ('援交', '援交', 'system', 0),
  ('赌博网站', '赌博网站', 'system', 0),
  ('网络赌场', '网络赌场', 'system', 0),
  ('六合彩', '六合彩', 'system', 0),
  ('冰毒', '冰毒', 'system', 0),
  ('海洛因', '海洛因', 'system', 0),
  ('制毒', '制毒', 'system', 0),
  ('贩毒', '贩毒', 'system', 0),
  ('炸药配方', '炸药配方', 'system', 0),
  ('自制炸弹', '自制炸弹', 'system', 0),
  ('枪支买卖', '枪支买卖', 'system', 0),
  ('办假证', '办假证', 'system', 0),
  ('代开发票', '代开发票', 'system', 0),
  ('恐怖袭击', '恐怖袭击', 'system', 0),
  ('chlldporn', 'child porn', 'system', 0),
  ('pornhub', 'pornhub', 'system', 0);

-- Checks of published pictures by WeChat. WANTED: to be asked at `due_at`. ASKED: the verdict is waited
-- for until then. HELD: none came, a reviewer decides. Else the verdict. One per picture.
CREATE TABLE media_checks (
  image_id   INTEGER PRIMARY KEY REFERENCES gallery_images (id) ON DELETE CASCADE,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  media_key  TEXT NOT NULL CHECK (media_key <> ''),
  state      TEXT NOT NULL CHECK (state IN ('WANTED', 'ASKED', 'HELD', 'PASS', 'REVIEW', 'RISKY')),
  attempts   INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  due_at     INTEGER NOT NULL,
  label      INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX media_checks_due_idx ON media_checks (due_at) WHERE state IN ('WANTED', 'ASKED');
CREATE INDEX media_checks_user_idx ON media_checks (user_id);

-- WeChat's number of each question, with the picture once the answer is here and with the verdict once
-- the push is: either may be first. `verdict` FAILED is that it could not be checked.
CREATE TABLE media_traces (
  trace_id TEXT PRIMARY KEY CHECK (trace_id <> ''),
  image_id INTEGER,
  verdict  TEXT CHECK (verdict IN ('PASS', 'REVIEW', 'RISKY', 'FAILED')),
  label    INTEGER,
  made_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX media_traces_made_idx ON media_traces (made_at);

-- How many more messages of a kind a user agreed to get: one tap, one message.
CREATE TABLE message_consents (
  user_id    INTEGER NOT NULL REFERENCES users (id),
  kind       TEXT NOT NULL CHECK (kind IN ('IMAGE_READY', 'MEMBERSHIP_ENDS')),
  consents   INTEGER NOT NULL CHECK (consents >= 0),
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, kind)
) STRICT, WITHOUT ROWID;

-- Messages to be sent, and for a while what became of them. `details` is what the template's fields are
-- filled with. A row that is SENDING is never sent again: nobody knows whether it was.
CREATE TABLE messages (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users (id),
  kind       TEXT NOT NULL CHECK (kind IN ('IMAGE_READY', 'MEMBERSHIP_ENDS')),
  reference  TEXT NOT NULL CHECK (reference <> ''),
  details    TEXT NOT NULL CHECK (json_type(details) = 'object'),
  state      TEXT NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENDING', 'SENT', 'DROPPED')),
  attempts   INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  due_at     INTEGER NOT NULL,
  outcome    TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (kind, reference)
) STRICT;

CREATE INDEX messages_due_idx ON messages (due_at) WHERE state = 'WAITING';
CREATE INDEX messages_created_idx ON messages (created_at);
CREATE INDEX messages_user_idx ON messages (user_id);
