-- What became of each attempt to have a job made: which image API, how far it came, how long it took and
-- what went wrong. And, of orders of deleted users, how long it is kept who paid.

-- One row for each attempt of a job, written when it ends, in the transaction that changes the job;
-- removed with the job. Nothing in it is the user's: what an image API says is cut where it quotes the
-- prompt.
CREATE TABLE generation_attempts (
  job_id              TEXT NOT NULL REFERENCES generations (job_id),
  -- Counted from 1, as generations.attempts is.
  number              INTEGER NOT NULL CHECK (number > 0),
  upstream            TEXT NOT NULL,
  -- How far it came: handing the job in, asking about it, fetching the pictures.
  phase               TEXT NOT NULL CHECK (phase IN ('submit', 'poll', 'fetch')),
  started_at          INTEGER NOT NULL,
  took_ms             INTEGER NOT NULL CHECK (took_ms >= 0),
  -- As jobs fail with; NULL: it worked.
  error_code          TEXT CHECK (error_code <> ''),
  -- Of the last answer that said no, if one came.
  http_status         INTEGER CHECK (http_status BETWEEN 100 AND 999),
  upstream_job_id     TEXT CHECK (length(upstream_job_id) <= 128),
  upstream_request_id TEXT CHECK (length(upstream_request_id) <= 128),
  message             TEXT CHECK (length(message) <= 300),
  PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- Virtual payment gives money back only to a named payer. When the user of a payment is deleted, who paid
-- is kept until then, as long as the money can go back; NULL while the user is there.
ALTER TABLE order_payments ADD COLUMN payer_until INTEGER;

CREATE INDEX order_payments_payer_idx ON order_payments (payer_until) WHERE payer_until IS NOT NULL;

-- What WeChat told that names no order, such as complaints: few, and looked through when somebody leaves.
CREATE INDEX payment_events_loose_idx ON payment_events (id)
  WHERE reference IS NULL AND state <> 'refused';
