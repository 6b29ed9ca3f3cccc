-- Adds a number and renews the expiry of its key. Returns OK.
--
-- KEYS[1]  a hash whose fields are the numbers
-- ARGV[1]  the number
-- ARGV[2]  time to live of the key, in ms
redis.call('HSET', KEYS[1], ARGV[1], '1')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'OK'
