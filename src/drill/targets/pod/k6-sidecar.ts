/**
 * The containers beside the runner in its pod. They share the volume /out with it: a file with settings starts k6, a file
 * ends it, and its exit code is written to a third one. A container that restarts, because it was killed for its memory,
 * begins nothing again: the record would have a gap that does not show.
 */

/** Names of the files of a part, `load` or `settle`, in the volume. */
export const filesOf = (part: string) =>
  ({
    env: `${part}.env`,
    began: `${part}.began`,
    output: `${part}.json`,
    log: `${part}.log`,
    stop: `${part}.stop`,
    exit: `${part}.exit`,
  }) as const

/** Folder of the load tests in the volume. The runner copies them there from its image. */
export const SCRIPTS = 'scripts'
/** Exit code of a part whose container was killed. */
export const KILLED = '137'

/** Waits in short steps, so that SIGTERM ends the shell at once. */
const IDLE = 'while :; do sleep 0.5; done'

/** Shell script of the container with k6. */
export const K6_SIDECAR = `trap 'exit 0' TERM INT
cd "\${OUT:-/out}" || exit
for part in load settle; do
  until [ -e "$part.env" ]; do sleep 0.2; done
  if [ -e "$part.began" ]; then
    [ -e "$part.exit" ] || echo ${KILLED} >"$part.exit"
    continue
  fi
  touch "$part.began"
  ( set -a && . "./$part.env" && exec k6 run --out "json=$part.json" ${SCRIPTS}/loadtests/ingest.ts ) >"$part.log" 2>&1 &
  pid=$!
  stopped=
  while kill -0 "$pid" 2>/dev/null; do
    if [ -z "$stopped" ] && [ -e "$part.stop" ]; then stopped=1 && kill -INT "$pid"; fi
    sleep 0.2
  done
  wait "$pid"
  echo $? >"$part.exit"
done
${IDLE}
`

export const CANARY_FILES = {
  go: 'canary.go',
  began: 'canary.began',
  stop: 'canary.stop',
  output: 'canary.ndjson',
  exit: 'canary.exit',
} as const

/** Writes of the canary per second. */
const RATE = 10

/** Shell script of the container with the canary. */
export const CANARY_SIDECAR = `trap 'exit 0' TERM INT
cd "\${OUT:-/out}" || exit
until [ -e ${CANARY_FILES.go} ]; do sleep 0.2; done
if [ -e ${CANARY_FILES.began} ]; then
  [ -e ${CANARY_FILES.exit} ] || echo ${KILLED} >${CANARY_FILES.exit}
else
  touch ${CANARY_FILES.began}
  node /app/dist/cli.js drill canary --rate ${RATE} --stop-file /out/${CANARY_FILES.stop} --out /out/${CANARY_FILES.output} &
  wait $!
  echo $? >${CANARY_FILES.exit}
fi
${IDLE}
`
