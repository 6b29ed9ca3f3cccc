# shellcheck shell=sh disable=SC2153
# What Sentinels are told, by start-sentinel.sh before the server runs and by keeper.sh while it does. Sourced.

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

learn() {
  master=$(find_master)
  if [ -n "$master" ]; then watch "$master"; else log 'waiting for one Redis server to be master'; fi
}

# --- who is gone for good ---------------------------------------------------------------------------------------------

# entries_of SENTINEL: a line for each Sentinel and replica that it knows: host, flags
entries_of() {
  for kind in SENTINELS REPLICAS; do sentinel_at "$1" SENTINEL "$kind" "$MASTER_NAME"; done | awk '
    NR % 2 { key = $0; next }
    key == "ip" { host = $0 }
    key == "flags" { print host, $0 }'
}

# tally HOSTS: from entries on standard input: Sentinels and replicas that are alive, who is gone for good, who is leaving
tally() {
  awk -v hosts="$1" '
    BEGIN { n = split(hosts, list); for (i = 1; i <= n; i++) there[list[i]] = 1 }
    { alive = $2 !~ /down|disconnected/ }
    $1 in there && alive && $2 ~ /sentinel/ { sentinels++ }
    $1 in there && alive && $2 ~ /slave/ { replicas++ }
    !($1 in there) { if (alive) leaving++; else gone++ }
    END { print sentinels + 0, replicas + 0, gone + 0, leaving + 0 }'
}

# knowledge_of SENTINEL: its line for plan_forget
knowledge_of() {
  view=$(view_of "$1")
  [ -n "$view" ] || return 0
  case $(sentinel_at "$1" SENTINEL CKQUORUM "$MASTER_NAME") in OK*) quorum=yes ;; *) quorum=no ;; esac
  echo "$1 ${view% *} $(entries_of "$1" | tally "$(redis_hosts) $(sentinel_hosts)") $quorum"
}

# A Sentinel keeps those that are gone: their votes would be asked for ever, and three left of five could not spare one.
# shellcheck disable=SC2046 # host names are words
forget_gone() {
  gone=$(entries_of localhost | tally "$(redis_hosts) $(sentinel_hosts)" | awk '{ print $3 }')
  [ "$gone" -gt 0 ] || return 0
  [ "$(at_once knowledge_of $(sentinel_hosts) | plan_forget)" = "$SELF" ] || return 0
  log "forgetting $gone Sentinels and replicas that are gone for good"
  self SENTINEL RESET "$MASTER_NAME" >/dev/null
}

# --- a changed password -----------------------------------------------------------------------------------------------

# Once nobody refuses it, this Sentinel uses it too.
# shellcheck disable=SC2046 # host names are words
use_password() {
  [ "$(cat "$RUN/used-password" 2>/dev/null)" != "$(digest sentinel)" ] || return 0
  [ -z "$(refusing sentinel "$REDIS_PORT" $(redis_hosts))$(refusing sentinel "$SENTINEL_PORT" $(sentinel_hosts))" ] || return 0
  [ "$(self SENTINEL SET "$MASTER_NAME" auth-pass "$(secret sentinel)")" = OK ] || return 0
  [ "$(self SENTINEL CONFIG SET sentinel-pass "$(secret sentinel)")" = OK ] || return 0
  digest sentinel >"$RUN/used-password"
}
