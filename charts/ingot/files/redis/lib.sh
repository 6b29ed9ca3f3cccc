# shellcheck shell=sh
# What the scripts of the Redis and Sentinel pods share. Sourced. The pod's environment (templates/redis/_pod.tpl) says
# who this pod is and who its peers are. Peers are host names throughout: addresses do not outlive a pod.
: "${RUN:=/run/redis}" "${DATA:=/data}" "${AUTH:=/etc/ingot/redis-auth}" "${SETTINGS:=/etc/ingot/redis}"
TLS_FILES=/etc/ingot/redis-tls
# how long one command may take, seconds: a frozen peer must not hold up the others' questions
PATIENCE=2
# min-replicas-to-write of a server that is starting, more than there are: it takes no write before keeper.sh has found
# its place
# shellcheck disable=SC2034 # used by those who source this
STARTING=1000

log() { printf '%s %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${0##*/}" "$*" >&2; }

secret() { cat "$AUTH/$1-password"; }

# call_cli USER PASSWORD HOST PORT COMMAND...
call_cli() {
  login=$1 password=$2 server=$3 port=$4
  shift 4
  # shellcheck disable=SC2046 # the options of TLS are words
  REDISCLI_AUTH=$password timeout "$PATIENCE" "$REDIS_CLI" --no-auth-warning --user "$login" \
    -h "$server" -p "$port" $(tls_options) "$@" 2>/dev/null </dev/null | tr -d '\r'
}

# is_refusal ANSWER: of a login. What a server without the login answers to a command is the same.
is_refusal() { case $1 in NOAUTH* | WRONGPASS*) ;; *) return 1 ;; esac; }

# run_cli USER HOST PORT COMMAND... While a password changes (passwords.sh), a server may not have read the new one yet:
# then the one that this pod's own server has read is tried, and the one before that.
run_cli() {
  who=$1
  shift
  reply=$(call_cli "$who" "$(secret "$who")" "$@" && echo x)
  for earlier in "$RUN/current/$who-password" "$RUN/previous/$who-password"; do
    if ! is_refusal "$reply" || [ ! -r "$earlier" ]; then continue; fi
    reply=$(call_cli "$who" "$(cat "$earlier")" "$@" && echo x)
  done
  printf %s "${reply%x}"
}

tls_options() { [ "$TLS" = false ] || echo "--tls --cacert $TLS_FILES/ca.crt"; }

# the certificate names localhost as well as the pods
me() { run_cli admin localhost "$REDIS_PORT" "$@"; }
redis_at() { at=$1 && shift && run_cli admin "$at" "$REDIS_PORT" "$@"; }
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

# opinion_of SENTINEL: the master that it names, "-" for none, "?" without an answer. One that names none prints an empty
# line; one that does not answer in time prints nothing, and must not be taken for it: a server that believes that nobody
# has a master leaves its place.
opinion_of() {
  named=$(sentinel_at "$1" SENTINEL GET-MASTER-ADDR-BY-NAME "$MASTER_NAME" && echo x)
  case $named in
    x | NOAUTH* | WRONGPASS* | NOPERM* | ERR* | LOADING*) echo '?' ;;
    *) named=$(echo "$named" | head -n 1) && echo "${named:--}" ;;
  esac
}

# master_of SENTINEL: the master that it names; nothing when it knows none, "?" when it does not answer
master_of() { opinion_of "$1" | sed 's/^-$//'; }

# One line for each Sentinel: the master that it names, "-" for none, "?" without an answer.
# shellcheck disable=SC2046 # host names are words
opinions() { at_once opinion_of $(sentinel_hosts); }

# agreed WHAT: the line of `opinions` (standard input) that a majority of all Sentinels holds
agreed() { sort | uniq -c | awk -v all="$SENTINEL_COUNT" '$1 > all / 2 && $2 != "?" { print $2 }'; }

# The heartbeat of keeper.sh, which probe.sh looks for.
beat() { : >"$RUN/heartbeat"; }

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

# view_of SENTINEL: its line of the views. Names and values alternate in the answer, a line each.
view_of() {
  sentinel_at "$1" SENTINEL MASTER "$MASTER_NAME" | awk '
    NR % 2 { key = $0; next }
    { value[key] = $0 }
    END { if ("ip" in value) print value["ip"], value["flags"], value["last-ok-ping-reply"] }'
}

failover_at() { sentinel_at "$1" SENTINEL MASTER "$MASTER_NAME" | grep failover_in_progress; }

# shellcheck disable=SC2046 # host names are words
failover_under_way() { at_once failover_at $(sentinel_hosts) | grep -q .; }
