-- Deletion of collections. In: nothing. Out: nothing. Atomic: the runner applies it in one transaction.
--
-- Items refer to the number of their collection, and every other function finds that number by name. So a collection gets
-- a new number to detach all its items in one step, and a purge removes the items of the old number later. Replicas of
-- older versions need no change: they find the new number as well.

CREATE TABLE ingot_deletions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  -- the old number of the collection; no row of ingot_collections has it
  collection integer NOT NULL,
  started_ms bigint NOT NULL,
  -- null: the purge has not ended
  ended_ms bigint,
  -- number of items that were removed
  deleted bigint NOT NULL DEFAULT 0,
  -- items up to this place were removed, so a step does not read the index entries of the steps before
  reached bigint NOT NULL DEFAULT -1
) WITH (fillfactor = 50);

CREATE INDEX ingot_deletions_open ON ingot_deletions (id) WHERE ended_ms IS NULL;

-- Detaches the items of a collection.
-- Out: outcome (started, joined, empty, unknown, busy), and for the first two the deletion.
-- Atomic: the lock of the bucket waits for running puts, and later puts wait for it. So no put has the old number
-- afterwards. Lock -2 makes the count of open deletions exact; it is always taken last.
CREATE FUNCTION ingot_remove_1(
  in_name text, in_now_ms bigint, in_max_open integer,
  OUT outcome text, OUT id bigint, OUT name text, OUT started_ms bigint, OUT ended_ms bigint, OUT deleted bigint
) LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
  old_number integer;
BEGIN
  PERFORM pg_advisory_xact_lock(1768843119, ingot_bucket_1(in_name));
  SELECT c.id INTO old_number FROM ingot_collections c WHERE c.name = in_name;
  IF old_number IS NULL THEN
    outcome := 'unknown';
    RETURN;
  END IF;

  IF NOT EXISTS (SELECT FROM ingot_items i WHERE i.collection = old_number) THEN
    SELECT d.id, d.name, d.started_ms, d.ended_ms, d.deleted INTO id, name, started_ms, ended_ms, deleted
    FROM ingot_deletions d WHERE d.name = in_name AND d.ended_ms IS NULL ORDER BY d.id DESC LIMIT 1;
    outcome := CASE WHEN FOUND THEN 'joined' ELSE 'empty' END;
    RETURN;
  END IF;

  PERFORM pg_advisory_xact_lock(1768843119, -2);
  IF (SELECT count(*) FROM ingot_deletions d WHERE d.ended_ms IS NULL) >= in_max_open THEN
    outcome := 'busy';
    RETURN;
  END IF;
  outcome := 'started';
  INSERT INTO ingot_deletions AS d (name, collection, started_ms) VALUES (in_name, old_number, in_now_ms)
  RETURNING d.id, d.name, d.started_ms, d.ended_ms, d.deleted INTO id, name, started_ms, ended_ms, deleted;
  UPDATE ingot_collections c SET id = DEFAULT, deletes = c.deletes + 1 WHERE c.id = old_number;
END $$;

-- Removes some items of the open deletion that follows in_after in the order of ids, or of the first one.
-- In:  at most in_limit items, and fewer once they hold in_bytes; the number of ended deletions to keep.
-- Out: the deletion (null: none is open, or other replicas are at work on all), the removed items, the open deletions.
-- Atomic: the progress is recorded in the transaction that removes the items. Replicas do not wait for each other.
CREATE FUNCTION ingot_purge_1(
  in_now_ms bigint, in_after bigint, in_limit integer, in_bytes bigint, in_keep bigint,
  OUT deletion bigint, OUT removed integer, OUT still_open integer
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
DECLARE
  number integer;
  since bigint;
  upto bigint;
BEGIN
  removed := 0;
  SELECT d.id, d.collection, d.reached INTO deletion, number, since
  FROM ingot_deletions d WHERE d.ended_ms IS NULL
  ORDER BY d.id <= in_after, d.id LIMIT 1 FOR UPDATE SKIP LOCKED;

  -- a collection that has the number would lose its items
  IF deletion IS NOT NULL AND EXISTS (SELECT FROM ingot_collections c WHERE c.id = number) THEN
    RAISE EXCEPTION 'deletion % names the number of a collection', deletion USING ERRCODE = 'data_corrupted';
  END IF;

  IF deletion IS NOT NULL THEN
    SELECT max(s.place) INTO upto FROM (
      SELECT i.place, sum(octet_length(i.content)) OVER (ORDER BY i.place) - octet_length(i.content) AS bytes_before
      FROM (
        SELECT o.place, o.content FROM ingot_items o
        WHERE o.collection = number AND o.place > since ORDER BY o.place LIMIT in_limit) i) s
    WHERE s.bytes_before < in_bytes;

    IF upto IS NOT NULL THEN
      DELETE FROM ingot_items i WHERE i.collection = number AND i.place > since AND i.place <= upto;
      GET DIAGNOSTICS removed = ROW_COUNT;
      UPDATE ingot_deletions d SET deleted = d.deleted + removed, reached = upto WHERE d.id = deletion;
    ELSE
      UPDATE ingot_deletions d SET ended_ms = in_now_ms WHERE d.id = deletion;
      DELETE FROM ingot_deletions d
      WHERE d.ended_ms IS NOT NULL AND d.id <= (SELECT max(m.id) FROM ingot_deletions m) - in_keep;
    END IF;
  END IF;
  SELECT count(*) INTO still_open FROM ingot_deletions d WHERE d.ended_ms IS NULL;
END $$;
