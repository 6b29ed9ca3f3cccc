-- Keeps a number.
--
-- KEYS[1]  the numbers, a hash
-- ARGV[1]  the number
-- ARGV[2]  how long the key is kept from now on, in ms
redis.call('HSET', KEYS[1], ARGV[1], '1')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'OK'
