#!/bin/sh
# Starts a Redis server in the role that its peers give it. No pod makes itself master while anybody may know another.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/plans.sh"
. "${0%/*}/passwords.sh"
. "${0%/*}/guide.sh"

configure() {
  umask 077
  {
    cat /etc/ingot/redis/redis.conf
    echo "replica-announce-ip $SELF"
    echo "masteruser replication"
    echo "masterauth $(secret replication)"
    if [ "$MODE" = cluster ]; then
      echo "cluster-announce-hostname $SELF"
      echo "cluster-announce-human-nodename $NODE_NAME"
      echo "cluster-announce-ip $POD_IP"
    fi
  } >"$RUN/redis.conf"
}

follow() { echo "replicaof $1 $REDIS_PORT" >>"$RUN/redis.conf"; }

# Nobody is known to be the master: follow nobody, so that all can be looked at, and let guide.sh decide.
# The port tells the others what this pod remembers: 2, it was the master; 1, it was not.
be_orphan() {
  remembers=1
  [ "$(cat "$DATA/.followed" 2>/dev/null)" != "$SELF" ] || remembers=2
  echo "replicaof 127.0.0.1 $remembers" >>"$RUN/redis.conf"
}

# Returns when the configuration says whom to follow. Waits as long as it takes: starting wrongly costs data.
find_role() {
  while :; do
    master=$(opinions | agreed)
    case $master in
      '') log 'waiting for a majority of the Sentinels to agree on a master' ;;
      -) be_orphan && return ;;
      "$SELF") ! may_lead || return 0 ;;
      *) follow "$master" && return ;;
    esac
    sleep 1
  done
}

# shellcheck disable=SC2046 # host names are words
await_peers() {
  await_login replication "$REDIS_PORT" $(redis_hosts | grep -vxF "$SELF")
  await_login admin "$REDIS_PORT" $(redis_hosts | grep -vxF "$SELF")
  [ "$MODE" != sentinel ] || await_login admin "$SENTINEL_PORT" $(sentinel_hosts)
}

mkdir -p "$RUN"
own_the_volume
configure
write_acl redis
[ "$MODE" = standalone ] || await_peers
if [ "$MODE" = sentinel ]; then
  # what has no data yet must not be promoted before it has copied them; guide.sh lifts this
  if ! holds_data && [ "$PERSISTENT" = true ]; then echo 'replica-priority 0' >>"$RUN/redis.conf"; fi
  echo "min-replicas-to-write $STARTING" >>"$RUN/redis.conf"
  find_role
fi
exec "$REDIS_SERVER" "$RUN/redis.conf"
