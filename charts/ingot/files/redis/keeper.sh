#!/bin/sh
# keeper.sh redis|sentinel: the second container of every Redis and Sentinel pod: what has to go on for as long as the
# server runs, in rounds. Kubernetes starts it again when it ends, or shows no heartbeat (probe.sh keeper) for a minute.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/plans.sh"
. "${0%/*}/passwords.sh"
. "${0%/*}/guide.sh"
. "${0%/*}/cluster.sh"
. "${0%/*}/sentinel.sh"

# A signal ends a `wait` at once, and a `sleep` only when it is over.
rest() {
  sleep "$1" &
  wait "$!" || :
}

# shellcheck disable=SC2046 # host names are words
use_replication_password() {
  [ "$(cat "$RUN/used-password" 2>/dev/null)" != "$(digest replication)" ] || return 0
  [ -z "$(refusing replication "$REDIS_PORT" $(redis_hosts))" ] || return 0
  [ "$(me CONFIG SET masterauth "$(secret replication)")" = OK ] || return 0
  digest replication >"$RUN/used-password"
}

# due: whether it is time for what costs more than a question: once in 20 s, and in the first round
due() {
  [ "$(($(date +%s) - done_at))" -ge 20 ] || return 1
  done_at=$(date +%s)
}

# keep_redis, keep_sentinel: a round; sets the seconds until the next one
keep_redis() {
  pause=0.5
  info=$(me INFO server replication)
  run=$(echo "$info" | field run_id)
  [ -n "$run" ] || return 0
  if due; then load_passwords redis me; use_replication_password; fi
  pause=5
  case $MODE in
    sentinel) keep_under_sentinels ;;
    cluster) cluster_round || pause=2 ;;
  esac
}

# A server that runs in this container for the first time may be one that is starting.
keep_under_sentinels() {
  pause=3
  if [ "$run" = "$placed" ]; then
    [ "$(echo "$info" | field role)" != slave ] || in_step "$info" || :
  elif settled || find_place "$info"; then
    placed=$run
  else
    pause=${step_pause:-0.3}
  fi
}

keep_sentinel() {
  pause=0.5
  case $(opinion_of localhost) in
    '?') ;;
    -) pause=1 && learn ;;
    *)
      pause=5
      if due; then load_passwords sentinel self; use_password; forget_gone; fi
      ;;
  esac
}

trap 'exit 0' TERM INT
mkdir -p "$RUN"
calm=0 last_roles='' expired_at=0 done_at=0 placed=''
while :; do
  beat
  step_pause=
  "keep_$1" || :
  rest "$pause"
done
