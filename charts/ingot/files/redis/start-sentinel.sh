#!/bin/sh
# Starts a Sentinel with the state that it had before. The state is on its volume: after the loss of all pods, only the
# Sentinels know which server has the newest data. The settings for host names come before `monitor`, otherwise Sentinel
# stores addresses (redis#8300).
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"
. "${0%/*}/passwords.sh"
. "${0%/*}/sentinel.sh"
STATE=$DATA/sentinel.conf

settings() {
  cat /etc/ingot/redis/sentinel.conf
  echo "sentinel announce-ip $SELF"
  echo 'sentinel sentinel-user sentinel'
  echo "sentinel sentinel-pass $(secret sentinel)"
  # the same id after the loss of the volume, so that the others do not count this Sentinel twice
  echo "sentinel myid $(printf %s "$SELF" | sha1sum | cut -d ' ' -f 1)"
}

# saved_state: prints the state that Sentinel itself wrote. The quorum and the list of peers come from the chart
# instead: a Sentinel that has left the deployment would count for the majority for ever.
saved_state() {
  [ -s "$STATE" ] || return 0
  awk -v quorum="$QUORUM" -v hosts="$(redis_hosts) $(sentinel_hosts)" '
    BEGIN { n = split(hosts, list); for (i = 1; i <= n; i++) deployed[list[i]] = 1 }
    $1 == "sentinel" && $2 == "monitor" { $6 = quorum; print }
    $1 == "sentinel" && $2 ~ /^(config-epoch|leader-epoch|current-epoch)$/ { print }
    $1 == "sentinel" && $2 ~ /^known-(replica|sentinel)$/ && $4 in deployed { print }
  ' "$STATE"
}

configure() {
  umask 077
  state=$(saved_state)
  {
    settings
    echo "$state" | grep '^sentinel monitor' || :
    if echo "$state" | grep -q '^sentinel monitor'; then
      master_settings | awk -v name="$MASTER_NAME" '$1 != "quorum" { print "sentinel", $1, name, $2 }'
      echo "$state" | grep -v '^sentinel monitor' || :
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
lock_volume
write_acl sentinel
await_peers
configure
exec "$REDIS_SERVER" "$STATE" --sentinel
