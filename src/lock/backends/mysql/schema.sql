-- Tables of the MySQL lock. In: nothing. Out: nothing. Repeatable.
CREATE TABLE IF NOT EXISTS ingot_lock (
  key_hash BINARY(32) NOT NULL PRIMARY KEY,
  token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fence BIGINT NOT NULL,
  ends DATETIME(6) NOT NULL,
  ttl_us BIGINT NOT NULL
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS ingot_lock_floor (
  one TINYINT NOT NULL PRIMARY KEY,
  n BIGINT NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO ingot_lock_floor (one, n) VALUES (1, 0);
