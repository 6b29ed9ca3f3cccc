-- Tables of the fence store. In: nothing. Out: nothing. Atomic; processes that start together take turns, for
-- CREATE ... IF NOT EXISTS alone fails when two do it at once.
BEGIN;
SELECT pg_advisory_xact_lock(x'696e676f74'::bigint);
CREATE TABLE IF NOT EXISTS ingot_fence_epoch (
  identity text PRIMARY KEY,
  epoch bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  seen timestamptz NOT NULL DEFAULT now()
);
-- One sequence for all keys: a counter for each would grow with the keys for ever.
CREATE SEQUENCE IF NOT EXISTS ingot_fence AS bigint CACHE 1 NO CYCLE;
COMMIT;
