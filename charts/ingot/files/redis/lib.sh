# shellcheck shell=sh
# Functions that the scripts of the Redis and Sentinel pods share. Sourced. The pod's environment
# (templates/redis/_pod.tpl) has the name of this pod and of its peers. Peers are host names, because the address of a
# pod changes when the pod restarts.
: "${RUN:=/run/redis}" "${DATA:=/data}" "${AUTH:=/etc/ingot/redis-auth}" "${SETTINGS:=/etc/ingot/redis}"
TLS_FILES=/etc/ingot/redis-tls
# Longest duration of one command, in seconds. A frozen peer must not delay commands to the others.
COMMAND_TIMEOUT_S=2
# min-replicas-to-write of a server that is starting: more replicas than exist. The server takes no writes until
# keeper.sh has given it its role.
# shellcheck disable=SC2034 # used by scripts that source this file
STARTING_MIN_REPLICAS=1000

log() { printf '%s %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${0##*/}" "$*" >&2; }

secret() { cat "$AUTH/$1-password"; }

# call_cli USER PASSWORD HOST PORT COMMAND...
call_cli() {
  login=$1 password=$2 server=$3 port=$4
  shift 4
  # shellcheck disable=SC2046 # the options of TLS are words
  REDISCLI_AUTH=$password timeout "$COMMAND_TIMEOUT_S" "$REDIS_CLI" --no-auth-warning --user "$login" \
    -h "$server" -p "$port" $(tls_options) "$@" 2>/dev/null </dev/null | tr -d '\r'
}

# is_refusal REPLY: succeeds if a server refused the login. A command without a login gets the same reply.
is_refusal() { case $1 in NOAUTH* | WRONGPASS*) ;; *) return 1 ;; esac; }

# run_cli USER HOST PORT COMMAND...: prints the reply. While a password changes (passwords.sh), a server may not have
# read the new one yet. Then this tries the password that this pod's own server has read, and the one before it.
run_cli() {
  cli_user=$1
  shift
  reply=$(call_cli "$cli_user" "$(secret "$cli_user")" "$@" && echo x)
  for earlier in "$RUN/current/$cli_user-password" "$RUN/previous/$cli_user-password"; do
    if ! is_refusal "$reply" || [ ! -r "$earlier" ]; then continue; fi
    reply=$(call_cli "$cli_user" "$(cat "$earlier")" "$@" && echo x)
  done
  printf %s "${reply%x}"
}

tls_options() { [ "$TLS" = false ] || echo "--tls --cacert $TLS_FILES/ca.crt"; }

# local_cli COMMAND...: runs the command on this pod's Redis server. The certificate names localhost as well as the
# pods.
local_cli() { run_cli admin localhost "$REDIS_PORT" "$@"; }
# redis_at HOST COMMAND...
redis_at() { at=$1 && shift && run_cli admin "$at" "$REDIS_PORT" "$@"; }
# sentinel_at HOST COMMAND...
sentinel_at() { at=$1 && shift && run_cli admin "$at" "$SENTINEL_PORT" "$@"; }

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

# in_parallel COMMAND HOST...: runs the command for all hosts in parallel. Prints the output of each run in one piece,
# in the order in which they end. A host that does not respond delays no other.
in_parallel() (
  action=$1
  shift
  for host; do
    {
      output=$("$action" "$host")
      [ -z "$output" ] || echo "$output"
    } &
  done
  wait
)

# field NAME: prints the value of a field of INFO, which is read from standard input.
field() { awk -F: -v name="$1" '$1 == name { print $2; exit }'; }

# sentinel_view_of SENTINEL: prints the primary that the Sentinel names, "-" if it knows none, "?" if it does not
# respond. A Sentinel that knows none prints an empty line. One that does not respond in time prints nothing. The two
# must not be confused: a server gives up its role when no Sentinel knows a primary.
sentinel_view_of() {
  named=$(sentinel_at "$1" SENTINEL GET-MASTER-ADDR-BY-NAME "$MASTER_NAME" && echo x)
  case $named in
    x | NOAUTH* | WRONGPASS* | NOPERM* | ERR* | LOADING*) echo '?' ;;
    *) named=$(echo "$named" | head -n 1) && echo "${named:--}" ;;
  esac
}

# primary_of SENTINEL: prints the primary that the Sentinel names, nothing if it knows none, "?" if it does not respond.
primary_of() { sentinel_view_of "$1" | sed 's/^-$//'; }

# sentinel_views: prints a line for each Sentinel, see sentinel_view_of.
# shellcheck disable=SC2046 # host names are words
sentinel_views() { in_parallel sentinel_view_of $(sentinel_hosts); }

# majority_view: prints the line of `sentinel_views` (standard input) that a majority of all Sentinels shares. Prints
# nothing if there is none.
majority_view() { sort | uniq -c | awk -v all="$SENTINEL_COUNT" '$1 > all / 2 && $2 != "?" { print $2 }'; }

# beat: writes the heartbeat of keeper.sh. probe.sh checks its age.
beat() { : >"$RUN/heartbeat"; }

holds_data() { [ -s "$DATA/appendonlydir/appendonly.aof.manifest" ]; }

# lock_volume: waits until no other pod uses this volume. A pod that is deleted by force may live on for seconds beside
# its replacement, on the same volume. The server inherits the lock and releases it when it ends. The file .wanted
# informs handover.sh of the old pod that a new pod waits.
lock_volume() {
  command -v flock >/dev/null || {
    log 'this image has no flock: if this pod is deleted by force, two servers may use its volume for some seconds'
    return 0
  }
  exec 9>"$DATA/.lock"
  flock -n 9 || {
    log 'another pod still uses this volume: waiting until it ends'
    : >"$DATA/.wanted"
    flock 9
  }
  rm -f "$DATA/.wanted"
}

# is_replaced: succeeds if another pod waits for this pod's volume. Kubernetes creates that pod only after this pod has
# been removed from the API.
is_replaced() { [ -e "$DATA/.wanted" ]; }

# primary_status_of SENTINEL: prints its line for trust_primary. In the reply, names and values alternate, one a line.
primary_status_of() {
  sentinel_at "$1" SENTINEL MASTER "$MASTER_NAME" | awk '
    NR % 2 { key = $0; next }
    { value[key] = $0 }
    END { if ("ip" in value) print value["ip"], value["flags"], value["last-ok-ping-reply"] }'
}

# failover_at SENTINEL: prints a line and succeeds if a failover is in progress there.
failover_at() { sentinel_at "$1" SENTINEL MASTER "$MASTER_NAME" | grep failover_in_progress; }

# failover_in_progress: succeeds if any Sentinel has a failover in progress.
# shellcheck disable=SC2046 # host names are words
failover_in_progress() { in_parallel failover_at $(sentinel_hosts) | grep -q .; }
