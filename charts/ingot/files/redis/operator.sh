# shellcheck shell=sh
# The pods yield to the operator. Sourced by keeper.sh.
#
# An operator that steers polls each server every second through a connection named ingot-operator:NUMBER. One that only
# observes uses another name. The connection of a lost node stays in the list of clients until keepalive ends it, so
# only a connection that was used a moment ago counts.

# Seconds without a sighting after which the pods steer again.
YIELD_S=30
# Longest idle time of a connection that counts, in seconds.
OPERATOR_IDLE_S=5
# Time of the last sighting, in seconds since 1970; empty if there is none that counts.
operator_seen_at=

now() { date +%s; }

# has_operator: reads the reply to CLIENT LIST from standard input. Succeeds if it has a connection that counts.
has_operator() {
  awk -v limit="$OPERATOR_IDLE_S" '
    {
      named = 0; idle = limit + 1
      for (i = 1; i <= NF; i++) {
        if ($i ~ /^name=ingot-operator:[0-9]+$/) named = 1
        if ($i ~ /^idle=[0-9]+$/) idle = substr($i, 6) + 0
      }
      if (named && idle <= limit) found = 1
    }
    END { exit !found }'
}

# look_for_operator COMMAND...: remembers when the operator was last seen. COMMAND runs a command on this pod's server.
look_for_operator() {
  "$@" CLIENT LIST | has_operator || return 0
  [ -n "$operator_seen_at" ] || log 'the operator steers: this pod leaves changes of the topology to it'
  operator_seen_at=$(now)
}

# operator_steers: succeeds for YIELD_S seconds after the operator was last seen. A clock that was set back must not make
# this longer.
operator_steers() {
  [ -n "$operator_seen_at" ] || return 1
  absent=$(($(now) - operator_seen_at))
  if [ "$absent" -ge 0 ] && [ "$absent" -lt "$YIELD_S" ]; then return 0; fi
  log "the operator has not been seen for $YIELD_S s: this pod steers again"
  operator_seen_at=
  return 1
}
