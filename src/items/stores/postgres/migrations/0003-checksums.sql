-- Checksums beside items, collections and kept answers, computed by the service (checksum.ts) and compared when a row is
-- read. In: nothing. Out: nothing. Atomic: the runner applies it in one transaction.
--
-- The columns are nullable and have no default, so no row is rewritten, however many there are. A row without a checksum
-- was stored by a version that knows none, which may run beside this one during a rollout.
--
-- Adding a column needs each table for a moment. Where somebody holds one for longer, everybody who comes later would wait
-- behind this; so it gives up after some seconds, and the runner tries again.
SET LOCAL lock_timeout = '3s';

ALTER TABLE ingot_items ADD COLUMN checksum integer;
ALTER TABLE ingot_collections ADD COLUMN checksum integer;
ALTER TABLE ingot_receipts ADD COLUMN checksum integer;

-- The functions of an older version change rows and leave the checksum of what was there before. Such rows lose it.
CREATE FUNCTION ingot_drop_checksum_1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
  NEW.checksum := NULL;
  RETURN NEW;
END $$;

CREATE TRIGGER ingot_collections_checksum BEFORE UPDATE OF policy ON ingot_collections FOR EACH ROW
WHEN (NEW.policy IS DISTINCT FROM OLD.policy AND NEW.checksum IS NOT DISTINCT FROM OLD.checksum)
EXECUTE FUNCTION ingot_drop_checksum_1();

-- A key that is claimed anew.
CREATE TRIGGER ingot_receipts_checksum BEFORE UPDATE OF status ON ingot_receipts FOR EACH ROW
WHEN (NEW.status IS NULL AND NEW.checksum IS NOT NULL)
EXECUTE FUNCTION ingot_drop_checksum_1();

-- As ingot_put_2, with a checksum for each target and each row.
CREATE FUNCTION ingot_put_3(
  in_names text[], in_policies text[],
  in_targets integer[], in_ids bytea[], in_media text[], in_contents bytea[],
  in_now_ms bigint, in_target_sums integer[], in_sums integer[],
  OUT accepted boolean[], OUT known integer[], OUT known_since bigint[]
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  batch bigint;
  collections integer[];
  one integer;
  settled boolean[] := array_fill(false, ARRAY[cardinality(in_ids)]);
  pending integer := cardinality(in_ids);
  hits integer[];
  since bigint[];
  left_collections integer[];
  left_ids bytea[];
  left_rows integer[];
  n integer;
BEGIN
  IF cardinality(in_names) = 1 THEN
    PERFORM pg_advisory_xact_lock_shared(1768843119, hashtext(in_names[1]) & 63);
    SELECT c.id INTO one FROM ingot_collections c WHERE c.name = in_names[1] AND c.policy = in_policies[1];
    collections := ARRAY[one];
  ELSE
    PERFORM pg_advisory_xact_lock_shared(1768843119, bucket)
    FROM (SELECT DISTINCT ingot_bucket_1(name) AS bucket FROM unnest(in_names) AS t(name) ORDER BY 1) buckets;
  END IF;

  IF one IS NULL THEN
    INSERT INTO ingot_collections (name, policy, checksum)
    SELECT DISTINCT ON (t.name COLLATE "C") t.name, t.policy, t.checksum
    FROM unnest(in_names, in_policies, in_target_sums) WITH ORDINALITY AS t(name, policy, checksum, ord)
    WHERE NOT EXISTS (SELECT FROM ingot_collections c WHERE c.name = t.name)
    ORDER BY t.name COLLATE "C", t.ord
    ON CONFLICT DO NOTHING;

    SELECT coalesce(array_agg(c.id ORDER BY t.ord), '{}') INTO collections
    FROM unnest(in_names, in_policies) WITH ORDINALITY AS t(name, policy, ord)
    LEFT JOIN ingot_collections c ON c.name = t.name AND c.policy = t.policy;
  END IF;

  IF array_position(collections, NULL) IS NULL THEN
    accepted := array_fill(true, ARRAY[cardinality(collections)]);
  ELSE
    accepted := ARRAY(SELECT c IS NOT NULL FROM unnest(collections) WITH ORDINALITY AS t(c, ord) ORDER BY ord);
    SELECT count(*) INTO pending FROM unnest(in_targets) AS r(target) WHERE accepted[r.target];
  END IF;
  known := '{}';
  known_since := '{}';

  -- A row that refuses the insert and is gone when it is looked for was deleted in between: it is inserted again.
  FOR attempt IN 1..10 LOOP
    EXIT WHEN pending = 0;
    batch := coalesce(batch, nextval('ingot_batches'));
    WITH made AS (
      INSERT INTO ingot_items (collection, id, place, first_seen_ms, media, content, checksum)
      SELECT collections[r.target], r.id, batch << 20 | r.ord, in_now_ms, r.media, r.content, r.checksum
      FROM unnest(in_targets, in_ids, in_media, in_contents, in_sums)
        WITH ORDINALITY AS r(target, id, media, content, checksum, ord)
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
    SELECT f.hits, f.since INTO hits, since FROM ingot_find_2(left_collections, left_ids) f;
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

-- As ingot_claim_1; also out: the end and the checksum of each receipt.
CREATE FUNCTION ingot_claim_2(
  in_scopes text[], in_keys text[], in_fingerprints text[], in_expires_ms bigint[], in_now_ms bigint
) RETURNS TABLE (
  ord integer, fingerprint text, status integer, body text, expires_ms bigint, checksum integer
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO ingot_receipts AS kept (scope, key, fingerprint, expires_ms)
  SELECT c.scope, c.key, c.fingerprint, c.expires_ms
  FROM unnest(in_scopes, in_keys, in_fingerprints, in_expires_ms) AS c(scope, key, fingerprint, expires_ms)
  ORDER BY c.scope COLLATE "C", c.key COLLATE "C"
  ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, expires_ms = excluded.expires_ms, status = NULL, body = NULL, checksum = NULL
    WHERE kept.expires_ms <= in_now_ms;

  RETURN QUERY
  SELECT c.ord::integer, r.fingerprint, r.status, r.body, r.expires_ms, r.checksum
  FROM unnest(in_scopes, in_keys) WITH ORDINALITY AS c(scope, key, ord)
  JOIN ingot_receipts r ON r.scope = c.scope AND r.key = c.key
  WHERE r.status IS NOT NULL;
END $$;

-- As ingot_keep_1, with a checksum for each receipt.
CREATE FUNCTION ingot_keep_2(
  in_scopes text[], in_keys text[], in_statuses integer[], in_bodies text[], in_sums integer[], in_now_ms bigint
) RETURNS void LANGUAGE sql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  UPDATE ingot_receipts r SET status = k.status, body = k.body, checksum = k.checksum
  FROM unnest(in_scopes, in_keys, in_statuses, in_bodies, in_sums) AS k(scope, key, status, body, checksum)
  WHERE r.scope = k.scope AND r.key = k.key AND k.status IS NOT NULL;

  DELETE FROM ingot_receipts r
  USING unnest(in_scopes, in_keys, in_statuses) AS k(scope, key, status)
  WHERE r.scope = k.scope AND r.key = k.key AND k.status IS NULL;

  DELETE FROM ingot_receipts WHERE (scope, key) IN (
    SELECT scope, key FROM ingot_receipts
    WHERE expires_ms <= in_now_ms AND status IS NOT NULL
    ORDER BY expires_ms LIMIT 64 FOR UPDATE SKIP LOCKED);
$$;

-- As ingot_define_1, with the checksum of the collection under its new policy.
CREATE FUNCTION ingot_define_2(in_name text, in_policy text, in_sum integer) RETURNS text LANGUAGE plpgsql
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
    INSERT INTO ingot_collections (name, policy, checksum) VALUES (in_name, in_policy, in_sum);
  ELSIF EXISTS (SELECT FROM ingot_items WHERE collection = found_id) THEN
    RETURN 'immutable';
  ELSE
    UPDATE ingot_collections SET policy = in_policy, checksum = in_sum WHERE id = found_id;
  END IF;
  RETURN 'defined';
END $$;

-- As ingot_list_1; also out: the checksum of each row.
CREATE FUNCTION ingot_list_2(in_name text, in_after bigint, in_horizon bigint, in_limit integer, in_bytes bigint)
RETURNS TABLE (
  place bigint, id bytea, media text, first_seen_ms bigint, content bytea, checksum integer, horizon bigint, more boolean
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
  SELECT p.place, p.id, p.media, p.first_seen_ms, p.content, p.checksum, settled, p.follows
  FROM (
    SELECT s.*,
      row_number() OVER w AS ord,
      sum(octet_length(s.content)) OVER w - octet_length(s.content) AS bytes_before,
      lead(true, 1, false) OVER w AS follows
    FROM (
      SELECT i.place, i.id, i.media, i.first_seen_ms, i.content, i.checksum
      FROM ingot_items i
      WHERE i.collection = found_id AND i.place > in_after AND i.place <= settled
      ORDER BY i.place LIMIT in_limit + 1) s
    WINDOW w AS (ORDER BY s.place)) p
  WHERE p.ord <= in_limit AND p.bytes_before < in_bytes
  ORDER BY p.place;
END $$;

-- Gives items the checksums that were computed for them, unless they have one or are gone. Out: how many it gave one.
CREATE FUNCTION ingot_fill_1(in_collections integer[], in_ids bytea[], in_sums integer[]) RETURNS integer LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  filled integer;
BEGIN
  UPDATE ingot_items i SET checksum = f.checksum
  FROM unnest(in_collections, in_ids, in_sums) AS f(collection, id, checksum)
  WHERE i.collection = f.collection AND i.id = f.id AND i.checksum IS NULL;
  GET DIAGNOSTICS filled = ROW_COUNT;
  RETURN filled;
END $$;
