#!/bin/sh
# Starts a Sentinel with what it knew before: its configuration is on its volume, for after the loss of all pods it is
# what tells the newest data from older ones. Names come before `monitor`, or Sentinel keeps addresses (redis#8300).
set -eu
. "${0%/*}/lib.sh"
STATE=$DATA/sentinel.conf

settings() {
  cat /etc/ingot/redis/sentinel.conf
  echo "sentinel announce-ip $SELF"
  echo 'sentinel sentinel-user sentinel'
  echo "sentinel sentinel-pass $(secret sentinel)"
  # the same identity after the loss of the volume, so that the others do not count two
  echo "sentinel myid $(printf %s "$SELF" | sha1sum | cut -d ' ' -f 1)"
}

master_settings() {
  cat <<END
auth-user sentinel
auth-pass $(secret sentinel)
down-after-milliseconds $DOWN_AFTER_MS
failover-timeout $FAILOVER_TIMEOUT_MS
parallel-syncs 1
quorum $QUORUM
END
}

# What Sentinel itself wrote down. The quorum is the chart's to say.
remembered() {
  [ -s "$STATE" ] || return 0
  awk -v quorum="$QUORUM" '
    $1 == "sentinel" && $2 == "monitor" { $6 = quorum; print }
    $1 == "sentinel" && $2 ~ /^(config-epoch|leader-epoch|current-epoch|known-replica|known-sentinel)$/ { print }
  ' "$STATE"
}

configure() {
  umask 077
  memory=$(remembered)
  {
    settings
    echo "$memory" | grep '^sentinel monitor' || :
    if echo "$memory" | grep -q '^sentinel monitor'; then
      master_settings | awk -v name="$MASTER_NAME" '$1 != "quorum" { print "sentinel", $1, name, $2 }'
      echo "$memory" | grep -v '^sentinel monitor' || :
    fi
  } >"$STATE.new"
  mv "$STATE.new" "$STATE"
}

# The only server that calls itself master, when there is exactly one.
only_master() {
  redis_hosts | while read -r host; do
    [ "$(redis_at "$host" ROLE | head -n 1)" != master ] || echo "$host"
  done | awk '{ name = $1 } END { if (NR == 1) print name }'
}

# Whom to watch: the other Sentinels' master; while none of them knows one, the only master there is.
find_master() {
  known=$(opinions | grep -v '^[-?]' | sort -u)
  if [ -n "$known" ]; then
    [ "$(echo "$known" | wc -l)" -gt 1 ] || echo "$known"
  elif [ "$(opinions | agreed)" = - ]; then
    only_master
  fi
}

watch() {
  log "watching $1"
  self SENTINEL MONITOR "$MASTER_NAME" "$1" "$REDIS_PORT" "$QUORUM" >/dev/null
  master_settings | while read -r name value; do
    self SENTINEL SET "$MASTER_NAME" "$name" "$value" >/dev/null
  done
}

self() { sentinel_at localhost "$@"; }

# Beside the server, until it watches a master.
learn() {
  until [ "$(self PING)" = PONG ]; do sleep 1; done
  while [ -z "$(self SENTINEL GET-MASTER-ADDR-BY-NAME "$MASTER_NAME")" ]; do
    master=$(find_master)
    if [ -n "$master" ]; then watch "$master"; else log 'waiting for one Redis server to be master'; fi
    sleep 1
  done
}

mkdir -p "$RUN"
own_the_volume
write_acl users.sentinel
configure
learn &
exec "$REDIS_SERVER" "$STATE" --sentinel
