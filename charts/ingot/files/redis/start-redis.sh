#!/bin/sh
# Starts a Redis server in the role that its peers give it. No pod makes itself master while anybody may know another.
set -eu
. "${0%/*}/lib.sh"

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

# May this pod, which the Sentinels call master, serve? An empty volume would be copied over the others' data.
may_lead() {
  if failover_under_way; then log 'the Sentinels are choosing another master: waiting for the outcome' && return 1; fi
  if holds_data || [ "$PERSISTENT" = false ]; then return 0; fi
  log 'the Sentinels call this pod master but its volume is empty: waiting until they choose a pod that has the data'
  return 1
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

mkdir -p "$RUN"
own_the_volume
configure
write_acl users.redis
case $MODE in
  sentinel)
    # what has no data yet must not be promoted before it has copied them; guide.sh lifts this
    if ! holds_data && [ "$PERSISTENT" = true ]; then echo 'replica-priority 0' >>"$RUN/redis.conf"; fi
    # more than there are: no write before guide.sh knows that it will be kept
    echo 'min-replicas-to-write 1000' >>"$RUN/redis.conf"
    find_role
    "${0%/*}/guide.sh" &
    ;;
  cluster) "${0%/*}/cluster.sh" & ;;
esac
exec "$REDIS_SERVER" "$RUN/redis.conf"
