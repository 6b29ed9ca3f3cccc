-- Tables and functions of the Postgres lock. In: nothing. Out: nothing. Atomic. Does nothing if they exist, so a role
-- without the right to create them can use them.
DO $do$ BEGIN
-- processes that start together take turns: CREATE ... IF NOT EXISTS alone fails when two do it at once
PERFORM pg_advisory_xact_lock(x'696e676f746c'::bigint);
-- 42501: the sequence exists, and this role may not create it
BEGIN
  CREATE SEQUENCE IF NOT EXISTS ingot_fence AS bigint CACHE 1 NO CYCLE;
EXCEPTION WHEN insufficient_privilege THEN
  IF to_regclass('ingot_fence') IS NULL THEN RAISE; END IF;
END;
IF to_regprocedure('ingot_lock_take_1(bytea[], text[], bigint[], text[])') IS NOT NULL THEN RETURN; END IF;
-- A row is a held key (token, fence, ends), or a free key that is kept for one waiter (heir, kept). No row: free.
CREATE TABLE ingot_lock (
  key bytea PRIMARY KEY,
  token text,
  fence bigint NOT NULL,
  ends timestamptz NOT NULL,
  -- the longest length of the lease, because a clock that goes back must not make it longer
  ttl interval NOT NULL,
  heir text,
  kept timestamptz
) WITH (fillfactor = 50);
-- Unlogged: a crash may forget the queue, because waiters ask again every second.
CREATE UNLOGGED TABLE ingot_lock_waiter (
  key bytea NOT NULL,
  place bigint GENERATED ALWAYS AS IDENTITY,
  token text NOT NULL,
  channel text NOT NULL,
  seen timestamptz NOT NULL,
  PRIMARY KEY (key, place),
  UNIQUE (key, token)
) WITH (fillfactor = 50);

-- Serialises the calls on a key until the transaction ends. All functions take it before they read.
CREATE FUNCTION ingot_lock_turn_1(by_key bytea) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT hashtextextended(encode(by_key, 'hex'), 7) $$;

-- Gives a free key to its first waiter that was seen within five seconds, and notifies it. Without one, deletes the row.
CREATE FUNCTION ingot_lock_pass_1(by_key bytea) RETURNS void LANGUAGE plpgsql AS $pass$
DECLARE
  waiter record;
BEGIN
  LOOP
    DELETE FROM ingot_lock_waiter w
    WHERE w.key = by_key AND w.place = (SELECT min(f.place) FROM ingot_lock_waiter f WHERE f.key = by_key)
    RETURNING w.token, w.channel, w.seen INTO waiter;
    EXIT WHEN NOT FOUND OR abs(extract(epoch FROM clock_timestamp() - waiter.seen)) <= 5;
  END LOOP;
  IF waiter.token IS NULL THEN
    DELETE FROM ingot_lock l WHERE l.key = by_key;
  ELSE
    UPDATE ingot_lock l SET token = NULL, heir = waiter.token, kept = clock_timestamp() + interval '1 second'
    WHERE l.key = by_key;
    PERFORM pg_notify(waiter.channel, encode(by_key, 'hex') || ' ' || waiter.token);
  END IF;
END $pass$;

-- One attempt for each key. In: keys, tokens, leases in microseconds, and the channel of a caller that waits, else ''.
-- Out: in order, a word (granted, repeated, held), the fence, and the remaining microseconds of the lease.
CREATE FUNCTION ingot_lock_take_1(by_keys bytea[], by_tokens text[], by_ttls bigint[], by_channels text[])
RETURNS TABLE (word text, fence bigint, left_us bigint) LANGUAGE plpgsql AS $take$
DECLARE
  turn bigint;
  own record;
  moment timestamptz;
  wanted interval;
BEGIN
  -- in the order of the hashes, so that two calls never wait for each other
  FOR turn IN SELECT DISTINCT ingot_lock_turn_1(k) AS t FROM unnest(by_keys) k ORDER BY t LOOP
    PERFORM pg_advisory_xact_lock(turn);
  END LOOP;
  FOR i IN 1 .. coalesce(array_length(by_keys, 1), 0) LOOP
    wanted := by_ttls[i] * interval '1 microsecond';
    moment := clock_timestamp();
    SELECT * INTO own FROM ingot_lock l WHERE l.key = by_keys[i];
    -- the clock went back: the lease ends after its own length, and not later
    IF own.token IS NOT NULL AND own.ends > moment + own.ttl THEN
      own.ends := moment + own.ttl;
      UPDATE ingot_lock l SET ends = own.ends WHERE l.key = by_keys[i];
    END IF;
    IF own.kept > moment + interval '1 second' THEN own.kept := moment; END IF;
    IF own.token = by_tokens[i] AND own.ends > moment THEN
      word := 'repeated';
      fence := own.fence;
    ELSIF own.token IS NOT NULL AND own.ends > moment THEN
      word := 'held';
    ELSE
      -- the lease of a dead holder, or the turn of a waiter that did not come, has ended: the next waiter is first
      IF own.key IS NOT NULL AND (own.token IS NOT NULL OR own.kept <= moment) AND own.heir IS DISTINCT FROM by_tokens[i] THEN
        PERFORM ingot_lock_pass_1(by_keys[i]);
        SELECT * INTO own FROM ingot_lock l WHERE l.key = by_keys[i];
      END IF;
      IF own.heir IS NOT NULL AND own.heir <> by_tokens[i] THEN
        word := 'held';
        own.ends := own.kept;
      ELSE
        word := 'granted';
        -- after exclusion: a number that is drawn before it would let fences fall
        fence := nextval('ingot_fence');
        own.ends := moment + wanted;
        INSERT INTO ingot_lock AS l (key, token, fence, ends, ttl)
        VALUES (by_keys[i], by_tokens[i], ingot_lock_take_1.fence, own.ends, wanted)
        ON CONFLICT (key) DO UPDATE SET token = excluded.token, fence = excluded.fence, ends = excluded.ends,
          ttl = excluded.ttl, heir = NULL, kept = NULL;
        DELETE FROM ingot_lock_waiter w WHERE w.key = by_keys[i] AND w.token = by_tokens[i];
      END IF;
    END IF;
    IF word = 'held' THEN
      fence := NULL;
      IF by_channels[i] <> '' THEN
        INSERT INTO ingot_lock_waiter AS w (key, token, channel, seen)
        VALUES (by_keys[i], by_tokens[i], by_channels[i], moment)
        ON CONFLICT ON CONSTRAINT ingot_lock_waiter_key_token_key
        DO UPDATE SET seen = excluded.seen, channel = excluded.channel;
      END IF;
    END IF;
    left_us := greatest(0, extract(epoch FROM own.ends - moment) * 1000000);
    RETURN NEXT;
  END LOOP;
END $take$;

-- In: key, token, the lease in microseconds. Out: its remaining microseconds, or null if the token has no lease.
CREATE FUNCTION ingot_lock_extend_1(by_key bytea, by_token text, by_ttl bigint)
RETURNS bigint LANGUAGE plpgsql AS $extend$
DECLARE
  wanted interval := by_ttl * interval '1 microsecond';
  moment timestamptz;
  ending timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(ingot_lock_turn_1(by_key));
  moment := clock_timestamp();
  UPDATE ingot_lock l
  SET ends = least(greatest(l.ends, moment + wanted), moment + greatest(l.ttl, wanted)), ttl = greatest(l.ttl, wanted)
  WHERE l.key = by_key AND l.token = by_token AND l.ends > moment
  RETURNING l.ends INTO ending;
  RETURN extract(epoch FROM ending - moment) * 1000000;
END $extend$;

-- Frees the key of this token, and gives it to the next waiter. Without a lease, removes its place in the queue, and
-- passes on a key that is kept for it. only_heir: keeps a lease. Out: true if the token held the key until now.
CREATE FUNCTION ingot_lock_release_1(by_key bytea, by_token text, only_heir boolean)
RETURNS boolean LANGUAGE plpgsql AS $release$
DECLARE
  own record;
BEGIN
  PERFORM pg_advisory_xact_lock(ingot_lock_turn_1(by_key));
  DELETE FROM ingot_lock_waiter w WHERE w.key = by_key AND w.token = by_token;
  SELECT * INTO own FROM ingot_lock l WHERE l.key = by_key;
  IF own.heir = by_token OR (own.token = by_token AND NOT only_heir) THEN
    PERFORM ingot_lock_pass_1(by_key);
  END IF;
  RETURN coalesce(own.token = by_token AND own.ends > clock_timestamp(), false);
END $release$;
END $do$;
