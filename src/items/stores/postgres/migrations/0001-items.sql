-- The first shape of the Postgres store. In: nothing. Out: nothing. Atomic: the runner applies it in one transaction.
--
-- Calls go through functions, one statement each: their plans are cached by the server, which prepared statements
-- cannot promise behind a pooler, and a batch costs one round trip. A function that shipped is never changed: a new
-- version gets a new number in its name and a new migration, so that replicas of two versions may run side by side.

CREATE TABLE ingot_collections (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  policy text NOT NULL,
  -- raised in the transaction of each DELETE that removed something
  deletes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- One number for each batch that inserts. CACHE 1: a number that is given later is greater, also in another session.
CREATE SEQUENCE ingot_batches AS bigint CACHE 1 NO CYCLE;

-- The primary key is the only judge of what is a duplicate. Partitioned by id so that partitions (or, with Citus,
-- nodes) share every collection evenly; 16, because a batch of 500 then still has 30 rows for each, and each
-- partition's index stays small enough for memory 16 times as long.
CREATE TABLE ingot_items (
  collection integer NOT NULL,
  -- the version's two characters and the 32 bytes of the digest
  id bytea NOT NULL,
  -- batch << 20 | position in the batch: the order of creation
  place bigint NOT NULL,
  first_seen_ms bigint NOT NULL,
  -- null: application/json
  media text,
  content bytea NOT NULL,
  PRIMARY KEY (collection, id)
) PARTITION BY HASH (id);

DO $$
BEGIN
  FOR part IN 0..15 LOOP
    EXECUTE format(
      'CREATE TABLE ingot_items_%s PARTITION OF ingot_items FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
      lpad(part::text, 2, '0'), part);
  END LOOP;
END $$;

CREATE INDEX ingot_items_by_place ON ingot_items (collection, place);

-- Answers kept under Idempotency-Keys. A row without status is claimed by a transaction under way, which fills it or
-- removes it before it commits.
CREATE TABLE ingot_receipts (
  scope text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  fingerprint text NOT NULL,
  expires_ms bigint NOT NULL,
  status integer,
  body text,
  PRIMARY KEY (scope, key)
) WITH (fillfactor = 70);

CREATE INDEX ingot_receipts_by_expiry ON ingot_receipts (expires_ms);

-- One row: the server as it was when the epoch began. See past.ts.
CREATE TABLE ingot_epoch (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  incarnation text NOT NULL,
  generation bigint NOT NULL,
  token text NOT NULL
);
INSERT INTO ingot_epoch (incarnation, generation, token) VALUES ('', 0, '');

-- The bucket of a collection's advisory lock. Who puts holds it shared from before it takes its batch number until
-- after its commit; who changes a policy holds it alone. Buckets instead of a lock for each collection: a batch may
-- touch hundreds of collections, and the server's lock table is small. 1768843119 is "ingo" in ASCII.
CREATE FUNCTION ingot_bucket_1(in_name text) RETURNS integer LANGUAGE sql IMMUTABLE
AS 'SELECT hashtext(in_name) & 63';

-- The ids of collections, null where there is none of that name and policy.
CREATE FUNCTION ingot_targets_1(in_names text[], in_policies text[]) RETURNS integer[] LANGUAGE sql STABLE
AS $$
  SELECT array_agg(c.id ORDER BY t.ord)
  FROM unnest(in_names, in_policies) WITH ORDINALITY AS t(name, policy, ord)
  LEFT JOIN ingot_collections c ON c.name = t.name AND c.policy = t.policy
$$;

-- Finds ids in collections, given side by side. Out: the positions (from 1) of those that are there, and since when.
CREATE FUNCTION ingot_find_1(in_collections integer[], in_ids bytea[], OUT hits integer[], OUT since bigint[])
LANGUAGE plpgsql STABLE
-- with few rows, or before the first ANALYZE, the planner would read whole tables
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  one bigint;
BEGIN
  -- A join opens every partition, which costs as much as finding some 16 ids one by one in the partition of each.
  IF cardinality(in_ids) > 16 THEN
    SELECT coalesce(array_agg(w.ord::integer), '{}'), coalesce(array_agg(i.first_seen_ms), '{}') INTO hits, since
    FROM unnest(in_collections, in_ids) WITH ORDINALITY AS w(collection, id, ord)
    JOIN ingot_items i ON i.collection = w.collection AND i.id = w.id;
    RETURN;
  END IF;

  hits := '{}';
  since := '{}';
  FOR n IN 1..cardinality(in_ids) LOOP
    SELECT i.first_seen_ms INTO one FROM ingot_items i WHERE i.collection = in_collections[n] AND i.id = in_ids[n];
    IF one IS NOT NULL THEN
      hits := hits || n;
      since := since || one;
    END IF;
  END LOOP;
END $$;

-- Finds rows without storing anything, for batches of which most is expected to be known.
-- In:  targets and rows as in ingot_put_1. Out: the rows (from 1) that are there, and since when.
-- Atomic: what is found is committed.
CREATE FUNCTION ingot_look_1(
  in_names text[], in_policies text[], in_targets integer[], in_ids bytea[],
  OUT known integer[], OUT known_since bigint[]
) LANGUAGE plpgsql STABLE
AS $$
DECLARE
  collections integer[] := ingot_targets_1(in_names, in_policies);
BEGIN
  SELECT f.hits, f.since INTO known, known_since
  FROM ingot_find_1(
    ARRAY(SELECT collections[t.target] FROM unnest(in_targets) WITH ORDINALITY AS t(target, ord) ORDER BY t.ord),
    in_ids) f;
END $$;

-- Stores a batch.
-- In:  targets: collections with the policy that the ids were made under; rows: target (from 1), id, media type,
--      content; a row stands once in a target. media may be null: all JSON.
-- Out: accepted: by target, false where the collection has another policy (nothing of it is stored);
--      known, known_since: the rows (from 1) that were there before, and since when. All others were created.
-- Atomic: in the caller's transaction, which must be READ COMMITTED: each statement here sees what committed before it.
-- Free of deadlocks: buckets, collections and rows are each taken in one order, and buckets before collections before
-- rows. A row that another transaction is inserting or deleting is waited for.
CREATE FUNCTION ingot_put_1(
  in_names text[], in_policies text[],
  in_targets integer[], in_ids bytea[], in_media text[], in_contents bytea[],
  in_now_ms bigint,
  OUT accepted boolean[], OUT known integer[], OUT known_since bigint[]
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  batch bigint;
  collections integer[];
  settled boolean[] := array_fill(false, ARRAY[cardinality(in_ids)]);
  pending integer;
  hits integer[];
  since bigint[];
  left_collections integer[];
  left_ids bytea[];
  left_rows integer[];
  n integer;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1768843119, bucket)
  FROM (SELECT DISTINCT ingot_bucket_1(name) AS bucket FROM unnest(in_names) AS t(name) ORDER BY 1) buckets;

  INSERT INTO ingot_collections (name, policy)
  SELECT DISTINCT ON (t.name COLLATE "C") t.name, t.policy
  FROM unnest(in_names, in_policies) WITH ORDINALITY AS t(name, policy, ord)
  WHERE NOT EXISTS (SELECT FROM ingot_collections c WHERE c.name = t.name)
  ORDER BY t.name COLLATE "C", t.ord
  ON CONFLICT DO NOTHING;

  collections := ingot_targets_1(in_names, in_policies);
  accepted := ARRAY(SELECT c IS NOT NULL FROM unnest(collections) WITH ORDINALITY AS t(c, ord) ORDER BY ord);
  known := '{}';
  known_since := '{}';

  SELECT count(*) INTO pending FROM unnest(in_targets) AS r(target) WHERE accepted[r.target];

  -- A row that refuses the insert and is gone when it is looked for was deleted in between: it is inserted again.
  FOR attempt IN 1..10 LOOP
    EXIT WHEN pending = 0;
    batch := coalesce(batch, nextval('ingot_batches'));
    WITH made AS (
      INSERT INTO ingot_items (collection, id, place, first_seen_ms, media, content)
      SELECT collections[r.target], r.id, batch << 20 | r.ord, in_now_ms, r.media, r.content
      FROM unnest(in_targets, in_ids, in_media, in_contents) WITH ORDINALITY AS r(target, id, media, content, ord)
      WHERE accepted[r.target] AND NOT settled[r.ord]
      ORDER BY collections[r.target], r.id
      ON CONFLICT DO NOTHING
      RETURNING place
    )
    SELECT coalesce(array_agg((place & 1048575)::integer), '{}') INTO hits FROM made;
    pending := pending - cardinality(hits);
    EXIT WHEN pending = 0;
    FOREACH n IN ARRAY hits LOOP settled[n] := true; END LOOP;

    SELECT array_agg(collections[r.target]), array_agg(r.id), array_agg(r.ord::integer)
    INTO left_collections, left_ids, left_rows
    FROM unnest(in_targets, in_ids) WITH ORDINALITY AS r(target, id, ord)
    WHERE accepted[r.target] AND NOT settled[r.ord];
    SELECT f.hits, f.since INTO hits, since FROM ingot_find_1(left_collections, left_ids) f;
    hits := ARRAY(SELECT left_rows[h.at] FROM unnest(hits) WITH ORDINALITY AS h(at, ord) ORDER BY h.ord);
    known := known || hits;
    known_since := known_since || since;
    pending := pending - cardinality(hits);
    EXIT WHEN pending = 0;
    FOREACH n IN ARRAY hits LOOP settled[n] := true; END LOOP;
  END LOOP;

  IF pending > 0 THEN
    RAISE EXCEPTION 'items are created and deleted too fast' USING ERRCODE = 'serialization_failure';
  END IF;
END $$;

-- Claims Idempotency-Keys, in one order; one that another transaction has claimed is waited for.
-- In:  scope, key, fingerprint and end of each key, each once. Out: receipts kept before, by position (from 1);
--      every other key is now claimed. Atomic: in the caller's transaction.
CREATE FUNCTION ingot_claim_1(
  in_scopes text[], in_keys text[], in_fingerprints text[], in_expires_ms bigint[], in_now_ms bigint
) RETURNS TABLE (ord integer, fingerprint text, status integer, body text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO ingot_receipts AS kept (scope, key, fingerprint, expires_ms)
  SELECT c.scope, c.key, c.fingerprint, c.expires_ms
  FROM unnest(in_scopes, in_keys, in_fingerprints, in_expires_ms) AS c(scope, key, fingerprint, expires_ms)
  ORDER BY c.scope COLLATE "C", c.key COLLATE "C"
  ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, expires_ms = excluded.expires_ms, status = NULL, body = NULL
    WHERE kept.expires_ms <= in_now_ms;

  RETURN QUERY
  SELECT c.ord::integer, r.fingerprint, r.status, r.body
  FROM unnest(in_scopes, in_keys) WITH ORDINALITY AS c(scope, key, ord)
  JOIN ingot_receipts r ON r.scope = c.scope AND r.key = c.key
  WHERE r.status IS NOT NULL;
END $$;

-- Fills claimed receipts; a claim without status is given up. Clears some that are over, but waits for nobody's.
-- Atomic: in the caller's transaction.
CREATE FUNCTION ingot_keep_1(
  in_scopes text[], in_keys text[], in_statuses integer[], in_bodies text[], in_now_ms bigint
) RETURNS void LANGUAGE sql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  UPDATE ingot_receipts r SET status = k.status, body = k.body
  FROM unnest(in_scopes, in_keys, in_statuses, in_bodies) AS k(scope, key, status, body)
  WHERE r.scope = k.scope AND r.key = k.key AND k.status IS NOT NULL;

  DELETE FROM ingot_receipts r
  USING unnest(in_scopes, in_keys, in_statuses) AS k(scope, key, status)
  WHERE r.scope = k.scope AND r.key = k.key AND k.status IS NULL;

  DELETE FROM ingot_receipts WHERE (scope, key) IN (
    SELECT scope, key FROM ingot_receipts
    WHERE expires_ms <= in_now_ms AND status IS NOT NULL
    ORDER BY expires_ms LIMIT 64 FOR UPDATE SKIP LOCKED);
$$;

-- Sets a policy. Out: defined, unchanged or immutable. Atomic: puts into the collection are waited for and wait.
CREATE FUNCTION ingot_define_1(in_name text, in_policy text) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
  found_id integer;
  found_policy text;
BEGIN
  PERFORM pg_advisory_xact_lock(1768843119, ingot_bucket_1(in_name));
  SELECT id, policy INTO found_id, found_policy FROM ingot_collections WHERE name = in_name;
  IF found_policy = in_policy THEN
    RETURN 'unchanged';
  ELSIF found_id IS NULL THEN
    INSERT INTO ingot_collections (name, policy) VALUES (in_name, in_policy);
  ELSIF EXISTS (SELECT FROM ingot_items WHERE collection = found_id) THEN
    RETURN 'immutable';
  ELSE
    UPDATE ingot_collections SET policy = in_policy WHERE id = found_id;
  END IF;
  RETURN 'defined';
END $$;

-- Removes an item and counts it. Out: whether there was one. Atomic: in the caller's transaction.
CREATE FUNCTION ingot_delete_1(in_collection text, in_id bytea) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
  found_id integer;
BEGIN
  SELECT id INTO found_id FROM ingot_collections WHERE name = in_collection;
  DELETE FROM ingot_items WHERE collection = found_id AND id = in_id;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE ingot_collections SET deletes = deletes + 1 WHERE id = found_id;
  RETURN true;
END $$;

-- A page in the order of creation: at most in_limit rows, and fewer once they hold in_bytes.
-- In:  the last place seen; a horizon that an earlier page returned, or null.
-- Out: rows, each with the horizon that holds for it, and whether another follows.
--
-- A place is given before its batch commits, so batches become visible out of order, and a page must not go beyond
-- one that is still to come. Up to the horizon none is to come. A horizon is found so: read the last batch number, then
-- who holds the collection's bucket; wait until those have ended. A batch up to that number either had ended before,
-- or held its bucket, for it takes that first and loses it after its commit is visible; and whoever comes later gets
-- a greater number. A horizon stays true for ever, hence the next pages take it over and need not wait.
-- A put ends within its statement timeout and the idle timeout, so the wait is bounded; so is this statement.
CREATE FUNCTION ingot_list_1(in_name text, in_after bigint, in_horizon bigint, in_limit integer, in_bytes bigint)
RETURNS TABLE (
  place bigint, id bytea, media text, first_seen_ms bigint, content bytea, horizon bigint, more boolean
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  found_id integer;
  settled bigint := in_horizon;
  within integer := 0;
  bucket integer := ingot_bucket_1(in_name);
  holders text[];
BEGIN
  SELECT c.id INTO found_id FROM ingot_collections c WHERE c.name = in_name;
  IF found_id IS NULL THEN
    RETURN;
  END IF;

  IF settled IS NOT NULL THEN
    SELECT count(*) INTO within FROM (
      SELECT FROM ingot_items i
      WHERE i.collection = found_id AND i.place > in_after AND i.place <= settled
      ORDER BY i.place LIMIT in_limit + 1) rows;
  END IF;

  IF within <= in_limit THEN
    SELECT CASE WHEN is_called THEN (last_value + 1) << 20 ELSE 0 END - 1 INTO settled FROM ingot_batches;
    SELECT array_agg(l.virtualtransaction) INTO holders FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.classid = 1768843119 AND l.objid = bucket AND l.objsubid = 2 AND l.granted
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    WHILE EXISTS (
      SELECT FROM pg_locks l
      WHERE l.locktype = 'advisory' AND l.classid = 1768843119 AND l.objid = bucket AND l.objsubid = 2 AND l.granted
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.virtualtransaction = ANY (holders))
    LOOP
      PERFORM pg_sleep(0.002);
    END LOOP;
  END IF;

  RETURN QUERY
  SELECT p.place, p.id, p.media, p.first_seen_ms, p.content, settled, p.follows
  FROM (
    SELECT s.*,
      row_number() OVER w AS ord,
      sum(octet_length(s.content)) OVER w - octet_length(s.content) AS bytes_before,
      lead(true, 1, false) OVER w AS follows
    FROM (
      SELECT i.place, i.id, i.media, i.first_seen_ms, i.content
      FROM ingot_items i
      WHERE i.collection = found_id AND i.place > in_after AND i.place <= settled
      ORDER BY i.place LIMIT in_limit + 1) s
    WINDOW w AS (ORDER BY s.place)) p
  WHERE p.ord <= in_limit AND p.bytes_before < in_bytes
  ORDER BY p.place;
END $$;

-- All that tells this server, as it runs, from another one or from itself at another time: see past.ts.
CREATE FUNCTION ingot_incarnation_1() RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
  system text := '-';
BEGIN
  BEGIN
    SELECT system_identifier::text INTO system FROM pg_control_system();
  EXCEPTION WHEN insufficient_privilege THEN
    -- some managed servers refuse it; the start time tells their servers apart too
  END;
  RETURN concat_ws(' ',
    system,
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
    extract(epoch FROM pg_postmaster_start_time()),
    (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()),
    'ingot_epoch'::regclass::oid,
    pg_relation_filenode('ingot_epoch'::regclass));
END $$;

-- What the store says of its past. Out: the epoch; the position in the log, in bytes; the collection's deletions.
-- Begins a new epoch when the server is not the one that was noted. Atomic: of several callers one begins it.
CREATE FUNCTION ingot_past_1(in_collection text, OUT epoch text, OUT log_position numeric, OUT deletes bigint)
LANGUAGE plpgsql
AS $$
DECLARE
  now_is text := ingot_incarnation_1();
BEGIN
  IF EXISTS (SELECT FROM ingot_epoch WHERE incarnation <> now_is) THEN
    UPDATE ingot_epoch SET incarnation = now_is, generation = generation + 1, token = gen_random_uuid()::text
    WHERE incarnation <> now_is;
  END IF;
  -- before the counter is read, so that what is counted lies before the position or is counted next time
  log_position := pg_current_wal_flush_lsn() - '0/0'::pg_lsn;
  SELECT e.generation || '-' || e.token INTO epoch FROM ingot_epoch e;
  SELECT c.deletes INTO deletes FROM ingot_collections c WHERE c.name = in_collection;
  deletes := coalesce(deletes, 0);
END $$;

-- Begins an epoch because somebody knows more than the server does. Out: the epoch.
CREATE FUNCTION ingot_start_epoch_1() RETURNS text LANGUAGE sql
AS $$
  UPDATE ingot_epoch
  SET incarnation = ingot_incarnation_1(), generation = generation + 1, token = gen_random_uuid()::text
  RETURNING generation || '-' || token
$$;
