# shellcheck shell=sh
# Passwords of the Secret, and how they change under running servers. Sourced.
#
# Kubernetes puts a changed Secret into the pods within about a minute and a half, into each at its own time. So no server
# ever refuses the password before: it accepts the old and the new one as soon as it reads the new (keeper.sh), for
# PREVIOUS_VALID_S seconds; and nobody relies on the new one before all servers that answer accept it.
: "${PREVIOUS_VALID_S:=86400}"
# a line for each password that this server accepts: user, digest, when it was replaced (0: it is in the Secret)
KNOWN=$DATA/.passwords

users() { awk 'NF { print $1 }' "$SETTINGS/users.$1"; }
digest() { printf %s "$(secret "$1")" | sha256sum | cut -d ' ' -f 1; }

# note_passwords USER...: brings KNOWN up to date. Forgets what was replaced too long ago.
note_passwords() (
  umask 077
  [ -e "$KNOWN" ] || : >"$KNOWN"
  for name; do echo "$name $(digest "$name")"; done | renew_passwords "$(date +%s)" "$PREVIOUS_VALID_S" "$KNOWN" >"$KNOWN.new"
  mv "$KNOWN.new" "$KNOWN"
)

# write_acl SET: the users of this pod's server. The default user is off, so nobody comes in without a name. It may do
# everything all the same: as that user a server reads its own append-only file, and without rights it drops from it,
# with no more than a line in the log, whatever a script or a transaction wrote.
write_acl() (
  umask 077
  remember_secrets "$1"
  # shellcheck disable=SC2046 # names are words
  note_passwords $(users "$1")
  while read -r name _ rules; do
    [ -z "$name" ] || echo "user $name on $(accepted "$name") sanitize-payload $rules"
  done <"$SETTINGS/users.$1" >"$RUN/users.acl"
  echo 'user default off sanitize-payload allkeys allchannels +@all' >>"$RUN/users.acl"
)

# accepted USER: the digests of its passwords, as ACL rules
accepted() { awk -v user="$1" '$1 == user { printf "%s#%s", sep, $2; sep = " " }' "$KNOWN"; }

# remember_secrets SET: what the server of this pod is about to be started with. In memory: RUN is a volume of that kind.
remember_secrets() {
  rm -rf "$RUN/previous" "$RUN/used-password"
  mkdir -p "$RUN/current"
  for name in $(users "$1"); do secret "$name" >"$RUN/current/$name-password"; done
}

changed() { ! secret "$1" | cmp -s - "$RUN/current/$1-password"; }

# load_passwords SET COMMAND...: makes the server that COMMAND reaches accept what is new in the Secret, and refuse what was
# replaced long ago. Connections that are there stay.
load_passwords() {
  users_of=$1
  shift
  [ -d "$RUN/current" ] || return 0
  for name in $(users "$users_of"); do
    if changed "$name" && load_password "$name" "$@"; then expired_at=0; fi
  done
  [ "$(($(date +%s) - expired_at))" -lt 60 ] || expire_passwords "$@"
}

# The password that the server knows stays beside the new one: run_cli logs in with it where the new one is refused.
load_password() (
  umask 077
  changing=$1
  shift
  mkdir -p "$RUN/previous"
  secret "$changing" >"$RUN/new-password"
  [ "$("$@" ACL SETUSER "$changing" on "#$(sha256sum <"$RUN/new-password" | cut -d ' ' -f 1)")" = OK ] || return 1
  mv "$RUN/current/$changing-password" "$RUN/previous/"
  mv "$RUN/new-password" "$RUN/current/$changing-password"
  log "the password of the user $changing has changed: the one before is accepted for $PREVIOUS_VALID_S s more"
)

expire_passwords() {
  before=$(cat "$KNOWN")
  # shellcheck disable=SC2046 # names are words
  note_passwords $(users "$users_of")
  echo "$before" | while read -r name old _; do
    grep -q "^$name $old " "$KNOWN" || "$@" ACL SETUSER "$name" "!$old" >/dev/null
  done
  expired_at=$(date +%s)
}

# refusing USER PORT HOST...: the first host that answers and refuses what is the user's password in the Secret
refusing() {
  login_of=$1 login_port=$2
  shift 2
  at_once refused_by "$@" | head -n 1
}

refused_by() {
  if is_refusal "$(call_cli "$login_of" "$(secret "$login_of")" "$1" "$login_port" PING)"; then echo "$1"; fi
}

# await_login USER PORT HOST...: waits until none of the hosts refuses the Secret's password
await_login() {
  while refuser=$(refusing "$@") && [ -n "$refuser" ]; do
    log "$refuser refuses the password that the user $1 has in the Secret: waiting until it has read the Secret (see RUNBOOK)"
    sleep 2
  done
}
