-- The epoch of a server identity. In: $1 identity. Out: epoch. Atomic: of two callers that bring the same new identity,
-- one inserts it and both read what that one got. A known identity takes no number from the sequence.
WITH known AS (
  SELECT epoch FROM ingot_fence_epoch WHERE identity = $1
), added AS (
  INSERT INTO ingot_fence_epoch (identity)
  SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM known)
  ON CONFLICT (identity) DO UPDATE SET identity = EXCLUDED.identity
  RETURNING epoch
)
SELECT epoch FROM known UNION ALL SELECT epoch FROM added
