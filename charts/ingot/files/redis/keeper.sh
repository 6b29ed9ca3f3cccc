#!/bin/sh
# keeper.sh redis|sentinel: the second container of every Redis and Sentinel pod. It repeats in rounds the work that
# must go on while the server runs. Kubernetes restarts it when it ends, or when it shows no heartbeat (probe.sh keeper)
# for a minute.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"
. "${0%/*}/passwords.sh"
. "${0%/*}/bootstrap-role.sh"
. "${0%/*}/operator.sh"
. "${0%/*}/cluster.sh"
. "${0%/*}/sentinel.sh"

# rest SECONDS: sleeps. A signal interrupts `wait` at once, but `sleep` only when it is over.
rest() {
  sleep "$1" &
  wait "$!" || :
}

# Uses the Secret's password for replication as soon as no server refuses it.
# shellcheck disable=SC2046 # host names are words
use_replication_password() {
  [ "$(cat "$RUN/used-password" 2>/dev/null)" != "$(digest replication)" ] || return 0
  [ -z "$(refusing replication "$REDIS_PORT" $(redis_hosts))" ] || return 0
  [ "$(local_cli CONFIG SET masterauth "$(secret replication)")" = OK ] || return 0
  digest replication >"$RUN/used-password"
}

# slow_work_is_due: succeeds in the first round, then once in 20 s. Slow work is work that needs many commands.
slow_work_is_due() {
  [ "$(($(date +%s) - slow_work_at))" -ge 20 ] || return 1
  slow_work_at=$(date +%s)
}

# keep_redis, keep_sentinel: one round. Each sets `pause`, the seconds until the next round.
keep_redis() {
  pause=0.5
  info=$(local_cli INFO server replication)
  run=$(echo "$info" | field run_id)
  [ -n "$run" ] || return 0
  if slow_work_is_due; then load_passwords redis local_cli; use_replication_password; fi
  pause=5
  case $MODE in
    sentinel) keep_under_sentinels ;;
    cluster) cluster_round || pause=2 ;;
  esac
}

# A server process that this container sees for the first time may be one that is starting.
keep_under_sentinels() {
  pause=3
  if [ "$run" = "$bootstrapped_run" ]; then
    [ "$(echo "$info" | field role)" != slave ] || keep_in_sync "$info" || :
  elif has_bootstrapped || bootstrap_role "$info"; then
    bootstrapped_run=$run
  else
    pause=${step_pause:-0.3}
  fi
}

keep_sentinel() {
  pause=0.5
  case $(sentinel_view_of localhost) in
    '?') ;;
    -) pause=1 && learn_primary ;;
    *)
      pause=5
      look_for_operator local_sentinel
      if slow_work_is_due; then
        load_passwords sentinel local_sentinel
        use_sentinel_password
        forget_departed
        follow_majority
      fi
      ;;
  esac
}

trap 'exit 0' TERM INT
mkdir -p "$RUN"
stable_rounds=0 last_roles='' expired_at=0 slow_work_at=0 bootstrapped_run='' diverged=''
while :; do
  beat
  step_pause=
  "keep_$1" || :
  rest "$pause"
done
