-- Tables of the fence store. In: nothing. Out: nothing. Atomic; processes that start together take turns, for
-- CREATE ... IF NOT EXISTS alone fails when two do it at once. A database of an earlier version gets what it lacks, and
-- processes of that version go on with what they know.
BEGIN;
SELECT pg_advisory_xact_lock(x'696e676f74'::bigint);
CREATE TABLE IF NOT EXISTS ingot_fence_epoch (
  identity text PRIMARY KEY,
  epoch bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  seen timestamptz NOT NULL DEFAULT now()
);
-- One sequence for all keys: a counter for each would grow with the keys for ever.
CREATE SEQUENCE IF NOT EXISTS ingot_fence AS bigint CACHE 1 NO CYCLE;
-- Which server last took an epoch for which counters of a line. A row whose counters have all passed on is deleted.
CREATE TABLE IF NOT EXISTS ingot_fence_tenure (
  line text NOT NULL,
  epoch bigint NOT NULL,
  owner text NOT NULL,
  members bit(1024) NOT NULL,
  PRIMARY KEY (line, epoch)
);
-- Replacing a function takes its owner's rights, so another version of it gets another name.
DO $do$ BEGIN
IF to_regprocedure('ingot_fence_take_1(text, bigint, text, text[], text[])') IS NULL THEN
-- takeTerm of the fence store. In: owner, the epoch to exceed, the mark or null, and line by line the members of the
-- parts as text. Out: the epoch. One call at a time: of two that need a new epoch the second finds that of the first.
CREATE FUNCTION ingot_fence_take_1(by_owner text, above bigint, by_mark text, lines text[], parts text[])
RETURNS bigint LANGUAGE plpgsql AS $take$
DECLARE
  taken bigint;
  greatest_foreign bigint;
  newest bigint;
  wanted bit(1024);
  name text := coalesce(by_mark, by_owner || ' ' || gen_random_uuid());
BEGIN
  PERFORM pg_advisory_xact_lock(x'696e676f746665'::bigint);
  IF by_mark IS NULL THEN
    SELECT max(t.epoch) INTO taken FROM ingot_fence_tenure t WHERE t.owner = by_owner AND t.line = ANY (lines);
    SELECT max(t.epoch) INTO greatest_foreign
    FROM ingot_fence_tenure t JOIN unnest(lines, parts) AS p (line, members) ON p.line = t.line
    WHERE t.owner <> by_owner AND (t.members & p.members::bit(1024)) <> 0::bit(1024);
    IF taken <= above OR taken <= greatest_foreign THEN taken := NULL; END IF;
  ELSE
    SELECT e.epoch INTO taken FROM ingot_fence_epoch e WHERE e.identity = by_mark;
  END IF;

  IF taken IS NULL THEN
    SELECT greatest(max(t.epoch), above, 0) INTO newest FROM ingot_fence_tenure t WHERE t.line = ANY (lines);
    INSERT INTO ingot_fence_epoch AS e (identity) VALUES (name) RETURNING e.epoch INTO taken;
    -- only in a database that was put back in time: the servers have seen greater epochs than it remembers
    IF taken <= newest THEN
      PERFORM setval(pg_get_serial_sequence('ingot_fence_epoch', 'epoch'), newest);
      UPDATE ingot_fence_epoch e SET epoch = DEFAULT WHERE e.identity = name RETURNING e.epoch INTO taken;
    END IF;
  END IF;

  FOR i IN 1 .. coalesce(array_length(lines, 1), 0) LOOP
    wanted := parts[i]::bit(1024);
    SELECT wanted & ~coalesce(bit_or(t.members), 0::bit(1024)) INTO wanted
    FROM ingot_fence_tenure t WHERE t.line = lines[i] AND t.epoch > taken;
    UPDATE ingot_fence_tenure t SET members = t.members & ~wanted
    WHERE t.line = lines[i] AND t.epoch < taken AND (t.members & wanted) <> 0::bit(1024);
    DELETE FROM ingot_fence_tenure t WHERE t.line = lines[i] AND t.members = 0::bit(1024);
    CONTINUE WHEN wanted = 0::bit(1024);
    INSERT INTO ingot_fence_tenure AS t (line, epoch, owner, members) VALUES (lines[i], taken, by_owner, wanted)
    ON CONFLICT (line, epoch) DO UPDATE SET members = t.members | excluded.members;
  END LOOP;
  RETURN taken;
END $take$;
END IF;
END $do$;
COMMIT;
