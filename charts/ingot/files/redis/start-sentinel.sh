#!/bin/sh
# Starts a Sentinel with what it knew before: its configuration is on its volume, for after the loss of all pods it is
# what tells the newest data from older ones. Names come before `monitor`, or Sentinel keeps addresses (redis#8300).
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/plans.sh"
. "${0%/*}/passwords.sh"
. "${0%/*}/sentinel.sh"
STATE=$DATA/sentinel.conf

settings() {
  cat /etc/ingot/redis/sentinel.conf
  echo "sentinel announce-ip $SELF"
  echo 'sentinel sentinel-user sentinel'
  echo "sentinel sentinel-pass $(secret sentinel)"
  # the same identity after the loss of the volume, so that the others do not count two
  echo "sentinel myid $(printf %s "$SELF" | sha1sum | cut -d ' ' -f 1)"
}

# What Sentinel itself wrote down. The quorum is the chart's to say, and so is who there is: a Sentinel that is gone for
# good would count for the majority for ever.
remembered() {
  [ -s "$STATE" ] || return 0
  awk -v quorum="$QUORUM" -v hosts="$(redis_hosts) $(sentinel_hosts)" '
    BEGIN { n = split(hosts, list); for (i = 1; i <= n; i++) there[list[i]] = 1 }
    $1 == "sentinel" && $2 == "monitor" { $6 = quorum; print }
    $1 == "sentinel" && $2 ~ /^(config-epoch|leader-epoch|current-epoch)$/ { print }
    $1 == "sentinel" && $2 ~ /^known-(replica|sentinel)$/ && $4 in there { print }
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

# shellcheck disable=SC2046 # host names are words
await_peers() {
  for user in sentinel admin; do
    await_login "$user" "$REDIS_PORT" $(redis_hosts)
    await_login "$user" "$SENTINEL_PORT" $(sentinel_hosts | grep -vxF "$SELF")
  done
}

mkdir -p "$RUN"
own_the_volume
write_acl sentinel
await_peers
configure
exec "$REDIS_SERVER" "$STATE" --sentinel
