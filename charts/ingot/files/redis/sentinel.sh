# shellcheck shell=sh disable=SC2153
# Configures Sentinels: start-sentinel.sh before the server runs, keeper.sh while it runs. Sourced.

# master_settings: prints the settings of `sentinel set`, a line each: name, value.
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

# only_primary: prints the only server that reports the role of primary. Prints nothing if there are none or several.
only_primary() {
  redis_hosts | while read -r host; do
    [ "$(redis_at "$host" ROLE | head -n 1)" != master ] || echo "$host"
  done | awk '{ name = $1 } END { if (NR == 1) print name }'
}

# find_primary: prints the primary that this Sentinel should monitor. That is the one that the other Sentinels name. If
# none of them knows one, it is the only primary that exists.
find_primary() {
  known=$(sentinel_views | grep -v '^[-?]' | sort -u)
  if [ -n "$known" ]; then
    [ "$(echo "$known" | wc -l)" -gt 1 ] || echo "$known"
  elif [ "$(sentinel_views | majority_view)" = - ]; then
    only_primary
  fi
}

# monitor_primary HOST
monitor_primary() {
  log "monitoring $1"
  local_sentinel SENTINEL MONITOR "$MASTER_NAME" "$1" "$REDIS_PORT" "$QUORUM" >/dev/null
  master_settings | while read -r name value; do
    local_sentinel SENTINEL SET "$MASTER_NAME" "$name" "$value" >/dev/null
  done
}

# local_sentinel COMMAND...: runs the command on this pod's Sentinel.
local_sentinel() { sentinel_at localhost "$@"; }

learn_primary() {
  primary=$(find_primary)
  if [ -n "$primary" ]; then monitor_primary "$primary"; else log 'waiting until exactly one Redis server is primary'; fi
}

# --- Peers that have left the deployment ------------------------------------------------------------------------------

# entries_of SENTINEL: prints a line for each Sentinel and replica that it knows: host, flags.
entries_of() {
  for kind in SENTINELS REPLICAS; do sentinel_at "$1" SENTINEL "$kind" "$MASTER_NAME"; done | awk '
    NR % 2 { key = $0; next }
    key == "ip" { host = $0 }
    key == "flags" { print host, $0 }'
}

# count_entries HOSTS: reads entries from standard input. Prints four numbers: Sentinels alive, replicas alive, departed
# peers, departing peers. A departed peer is not in HOSTS and down. A departing peer is not in HOSTS and still alive.
count_entries() {
  awk -v hosts="$1" '
    BEGIN { n = split(hosts, list); for (i = 1; i <= n; i++) deployed[list[i]] = 1 }
    { alive = $2 !~ /down|disconnected/ }
    $1 in deployed && alive && $2 ~ /sentinel/ { sentinels++ }
    $1 in deployed && alive && $2 ~ /slave/ { replicas++ }
    !($1 in deployed) { if (alive) departing++; else departed++ }
    END { print sentinels + 0, replicas + 0, departed + 0, departing + 0 }'
}

# sentinel_report_of SENTINEL: prints its line for plan_reset.
sentinel_report_of() {
  status=$(primary_status_of "$1")
  [ -n "$status" ] || return 0
  case $(sentinel_at "$1" SENTINEL CKQUORUM "$MASTER_NAME") in OK*) quorum=yes ;; *) quorum=no ;; esac
  echo "$1 ${status% *} $(entries_of "$1" | count_entries "$(redis_hosts) $(sentinel_hosts)") $quorum"
}

# forget_departed: a Sentinel never forgets peers by itself, and they count for its majorities. If two of five Sentinels
# are removed, the other three could not spare one. The operator does the same while it steers.
# shellcheck disable=SC2046 # host names are words
forget_departed() {
  ! operator_steers || return 0
  departed=$(entries_of localhost | count_entries "$(redis_hosts) $(sentinel_hosts)" | awk '{ print $3 }')
  [ "$departed" -gt 0 ] || return 0
  [ "$(in_parallel sentinel_report_of $(sentinel_hosts) | plan_reset)" = "$SELF" ] || return 0
  log "forgetting $departed Sentinels and replicas that have left the deployment"
  local_sentinel SENTINEL RESET "$MASTER_NAME" >/dev/null
}

# --- A Sentinel that missed a failover --------------------------------------------------------------------------------

# follow_majority: Sentinel gives a primary that it learns from the others its epoch before it resolves the host name. If
# the name cannot be resolved at that moment, it keeps the former primary at the new epoch, and no message corrects that:
# Sentinels then name different primaries for ever. If the primary that this Sentinel names is a replica, and that of the
# majority is a primary, in two rounds of slow work, it monitors the latter.
follow_majority() {
  mine=$(sentinel_view_of localhost)
  theirs=$(sentinel_views | majority_view)
  seen=''
  case $theirs in
    '' | - | "$mine") ;;
    *)
      if [ "$(redis_at "$mine" ROLE | head -n 1)" = slave ] && [ "$(redis_at "$theirs" ROLE | head -n 1)" = master ]; then
        seen="$mine $theirs"
      fi
      ;;
  esac
  if [ -n "$seen" ] && [ "$seen" = "$diverged" ]; then
    log "names $mine, a replica, and not $theirs like the other Sentinels: monitoring their primary"
    local_sentinel SENTINEL REMOVE "$MASTER_NAME" >/dev/null
    monitor_primary "$theirs"
    seen=''
  fi
  diverged=$seen
}

# --- A changed password -----------------------------------------------------------------------------------------------

# Uses the Secret's password as soon as no server and no Sentinel refuses it.
# shellcheck disable=SC2046 # host names are words
use_sentinel_password() {
  [ "$(cat "$RUN/used-password" 2>/dev/null)" != "$(digest sentinel)" ] || return 0
  [ -z "$(refusing sentinel "$REDIS_PORT" $(redis_hosts))$(refusing sentinel "$SENTINEL_PORT" $(sentinel_hosts))" ] || return 0
  [ "$(local_sentinel SENTINEL SET "$MASTER_NAME" auth-pass "$(secret sentinel)")" = OK ] || return 0
  [ "$(local_sentinel SENTINEL CONFIG SET sentinel-pass "$(secret sentinel)")" = OK ] || return 0
  digest sentinel >"$RUN/used-password"
}
