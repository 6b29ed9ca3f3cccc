-- The put, the look and the find function anew, for less work in the server per call. In: nothing. Out: nothing.
-- Atomic: the runner applies it in one transaction.
--
-- What a small batch paid for in their first versions: a function in language sql is parsed and planned at every call
-- (before Postgres 18), and statements that only matter for a new collection, or after a deletion in between, ran each
-- time. plan_cache_mode: their plans depend on no value, and the planner would otherwise weigh that at each call.

-- As ingot_find_1.
CREATE FUNCTION ingot_find_2(in_collections integer[], in_ids bytea[], OUT hits integer[], OUT since bigint[])
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

-- As ingot_look_1.
CREATE FUNCTION ingot_look_2(
  in_names text[], in_policies text[], in_targets integer[], in_ids bytea[],
  OUT known integer[], OUT known_since bigint[]
) LANGUAGE plpgsql STABLE
AS $$
DECLARE
  collections integer[];
BEGIN
  SELECT coalesce(array_agg(c.id ORDER BY t.ord), '{}') INTO collections
  FROM unnest(in_names, in_policies) WITH ORDINALITY AS t(name, policy, ord)
  LEFT JOIN ingot_collections c ON c.name = t.name AND c.policy = t.policy;

  IF cardinality(collections) = 1 THEN
    collections := array_fill(collections[1], ARRAY[cardinality(in_ids)]);
  ELSE
    collections := ARRAY(SELECT collections[t.target] FROM unnest(in_targets) WITH ORDINALITY AS t(target, ord) ORDER BY t.ord);
  END IF;
  SELECT f.hits, f.since INTO known, known_since FROM ingot_find_2(collections, in_ids) f;
END $$;

-- As ingot_put_1.
CREATE FUNCTION ingot_put_2(
  in_names text[], in_policies text[],
  in_targets integer[], in_ids bytea[], in_media text[], in_contents bytea[],
  in_now_ms bigint,
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
    INSERT INTO ingot_collections (name, policy)
    SELECT DISTINCT ON (t.name COLLATE "C") t.name, t.policy
    FROM unnest(in_names, in_policies) WITH ORDINALITY AS t(name, policy, ord)
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
