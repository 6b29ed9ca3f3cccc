#!/bin/sh
# Starts the cache: a Redis server without peers and without persistence.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"
. "${0%/*}/passwords.sh"
mkdir -p "$RUN"
write_acl cache
exec "$REDIS_SERVER" /etc/ingot/redis/cache.conf
