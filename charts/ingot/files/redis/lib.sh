# shellcheck shell=sh
# What the scripts of the Redis and Sentinel pods share. Sourced. The pod's environment (templates/redis/_pod.tpl) says
# who this pod is and who its peers are. Peers are host names throughout: addresses do not outlive a pod.
: "${RUN:=/run/redis}" "${DATA:=/data}" "${AUTH:=/etc/ingot/redis-auth}"
TLS_FILES=/etc/ingot/redis-tls
# how long one command may take, seconds: a frozen peer must not hold up the others' questions
PATIENCE=2

log() { printf '%s %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${0##*/}" "$*" >&2; }

secret() { cat "$AUTH/$1-password"; }

# run_cli USER SECRET HOST PORT COMMAND...
run_cli() {
  user=$1 password=$(secret "$2") host=$3 port=$4
  shift 4
  # shellcheck disable=SC2046,SC2086 # the options of TLS are words
  REDISCLI_AUTH=$password timeout "$PATIENCE" "$REDIS_CLI" --no-auth-warning --user "$user" \
    -h "$host" -p "$port" $(tls_options) "$@" 2>/dev/null </dev/null | tr -d '\r'
}

tls_options() { [ "$TLS" = false ] || echo "--tls --cacert $TLS_FILES/ca.crt"; }

# the certificate names localhost as well as the pods
me() { run_cli admin admin localhost "$REDIS_PORT" "$@"; }
redis_at() { at=$1 && shift && run_cli admin admin "$at" "$REDIS_PORT" "$@"; }
sentinel_at() { at=$1 && shift && run_cli admin admin "$at" "$SENTINEL_PORT" "$@"; }

# hosts SET COUNT DOMAIN
hosts() {
  ordinal=0
  while [ "$ordinal" -lt "$2" ]; do
    echo "$1-$ordinal.$3"
    ordinal=$((ordinal + 1))
  done
}
redis_hosts() { hosts "$REDIS_SET" "$REDIS_COUNT" "$REDIS_DOMAIN"; }
sentinel_hosts() { hosts "$SENTINEL_SET" "$SENTINEL_COUNT" "$SENTINEL_DOMAIN"; }

# at_once COMMAND HOST...: runs the command for all hosts in parallel, and prints what each prints in one piece. One that
# does not answer holds up nobody else. The order of the lines is that of the answers.
at_once() (
  ask=$1
  shift
  for host; do
    {
      answer=$("$ask" "$host")
      [ -z "$answer" ] || echo "$answer"
    } &
  done
  wait
)

# field NAME: its value in an INFO answer on standard input
field() { awk -F: -v name="$1" '$1 == name { print $2; exit }'; }

# The master that this Sentinel names; nothing when it knows none, "?" when it does not answer.
master_of() {
  [ "$(sentinel_at "$1" PING)" = PONG ] || { echo '?' && return; }
  sentinel_at "$1" SENTINEL GET-MASTER-ADDR-BY-NAME "$MASTER_NAME" | head -n 1
}

opinion_of() {
  opinion=$(master_of "$1")
  echo "${opinion:--}"
}

# One line for each Sentinel: the master that it names, "-" for none, "?" without an answer.
# shellcheck disable=SC2046 # host names are words
opinions() { at_once opinion_of $(sentinel_hosts); }

# agreed WHAT: the line of `opinions` (standard input) that a majority of all Sentinels holds
agreed() { sort | uniq -c | awk -v all="$SENTINEL_COUNT" '$1 > all / 2 && $2 != "?" { print $2 }'; }

# write_acl: the users of this pod's server. The default user is off, so nobody comes in without a name. It may do
# everything all the same: as that user a server reads its own append-only file, and without rights it drops from it,
# with no more than a line in the log, whatever a script or a transaction wrote.
write_acl() {
  umask 077
  digest() { printf %s "$(secret "$1")" | sha256sum | cut -d ' ' -f 1; }
  while read -r name of rules; do
    [ -z "$name" ] || echo "user $name on #$(digest "$of") sanitize-payload $rules"
  done <"/etc/ingot/redis/$1" >"$RUN/users.acl"
  echo 'user default off sanitize-payload allkeys allchannels +@all' >>"$RUN/users.acl"
}

holds_data() { [ -s "$DATA/appendonlydir/appendonly.aof.manifest" ]; }

# A pod that is deleted by force may live on for seconds beside the one that replaces it, on the same volume. The lock
# is inherited by the server, and ends with it. The file tells the old pod's hand-over (handover.sh) that this pod waits.
own_the_volume() {
  command -v flock >/dev/null || return 0
  exec 9>"$DATA/.lock"
  flock -n 9 || {
    log 'another pod still has this volume: waiting for its end'
    : >"$DATA/.wanted"
    flock 9
  }
  rm -f "$DATA/.wanted"
}

# Whether another pod waits for this pod's volume. Kubernetes makes it only when this pod has been removed from the API.
replaced() { [ -e "$DATA/.wanted" ]; }

failover_at() { sentinel_at "$1" SENTINEL MASTER "$MASTER_NAME" | grep failover_in_progress; }

# shellcheck disable=SC2046 # host names are words
failover_under_way() { at_once failover_at $(sentinel_hosts) | grep -q .; }
