-- For the timeline of a user on the operator's page: his log-ins and his payments by time.
CREATE INDEX token_families_user_created_idx ON token_families (user_id, created_at DESC);
DROP INDEX token_families_user_idx;

CREATE INDEX orders_user_paid_idx ON orders (user_id, paid_at DESC, id DESC)
  WHERE paid_at IS NOT NULL;
