/** Advice for each criterion that was missed and each check that was violated: settings, values of the chart, runbook. */

const CRITERIA: Readonly<Record<string, string>> = {
  lostItems:
    'Look up the items that the check nothing-lost names (RUNBOOK.md#check-whether-data-was-lost). Postgres needs ' +
    'synchronous_commit=on and a synchronous replica. An external API must answer only when its data is durable.',
  duplicates:
    'The store accepted a content twice. An external API must compare the fence of each write with the highest fence ' +
    'that it has seen (LOCKS.md). Postgres needs no fence, because its index is unique.',
  redisLoss:
    'Redis acknowledged writes and lost them in the failover. Set redis.replicas=3 and ' +
    'redis.persistence.appendfsync=always, and lower redis.minReplicasMaxLagSeconds. Items of ingot do not depend on it ' +
    '(GUARANTEES.md).',
  unavailable:
    'The failover took longer than wanted. Lower redis.sentinel.downAfterMs (in a cluster redis.cluster.nodeTimeoutMs), ' +
    'and see in RUNBOOK.md#the-redis-primary-is-killed which step took the time.',
  failedWrites:
    'Let clients retry with the same body, which ingot stores once. Run at least two pods (service.replicas). If the ' +
    'failures fall into a rollout, raise service.config.drainDelay (RUNBOOK.md#upgrade-scale-or-restart).',
  recoveredWithin:
    'The release was slow after the last fault. Look at the readiness and the circuit breaker of the service ' +
    '(RUNBOOK.md#redis-or-the-external-api-is-unavailable), and lower redis.sentinel.downAfterMs or ' +
    'redis.cluster.nodeTimeoutMs.',
  latency:
    'Writes were slow before any fault. Raise service.replicas or service.resources, scale the store, or lower load.rate ' +
    'of the drill (RUNBOOK.md#the-service-is-overloaded).',
  onePrimary:
    'Two servers were writable at the same time. With redis.replicas=3 a primary without a replica refuses writes. Run ' +
    'three Sentinels on three nodes (redis.sentinel.replicas, RUNBOOK.md#a-node-freezes-or-is-lost).',
  errors:
    'A class of errors exceeded its goal. The table of errors has its count and its last moment. ' +
    'RUNBOOK.md#first-checks says where to look for the cause.',
}

const CHECKS: Readonly<Record<string, string>> = {
  'nothing-lost':
    'An acknowledged item is not in the store. Keep the volumes, and follow RUNBOOK.md#check-whether-data-was-lost.',
  'stored-once':
    'A content is stored twice; the examples name it. The store must enforce uniqueness or check fences (LOCKS.md).',
  'created-once':
    'Two writes of one content were both reported as new. All writers must use the same store and the same identity ' +
    'policy (GUARANTEES.md).',
  'same-content': 'A read returned other bytes than were stored: RUNBOOK.md#a-read-fails-with-store_corrupt.',
  'no-phantom': 'The store has an item that the drill did not send. Give the drill a collection of its own.',
  'one-id': 'One content got several ids. All pods must have the same identity policy, so finish the rollout first.',
  'load-whole': 'The load generator lost samples. Give its pod more memory, or lower load.rate of the drill.',
  availability: 'Too few writes were acknowledged to measure the outage. Raise load.rate, or hold the fault longer.',
  recovery:
    'No write was acknowledged in time after the last fault: RUNBOOK.md#redis-or-the-external-api-is-unavailable.',
  'faults-happened':
    'A fault had no proven effect, so the drill shows nothing. Read the proof of the fault, and grant the right or set ' +
    'the value that it names.',
  'canary-whole': 'The record of the Redis canary is incomplete. Run the drill again.',
  'canary-writes':
    'Redis lost acknowledged writes. Set redis.replicas=3 and redis.persistence.appendfsync=always (LOCKS.md).',
  'canary-grants':
    'Two clients held one lock. Work under a lock must check its fence (LOCKS.md); set redis.replicas=3.',
  'fences-rise': 'A fence did not rise. Configure a fence store that survives the failover (LOCKS.md).',
  'one-holder': 'Two clients held one lock. Work under a lock must check its fence (LOCKS.md).',
}

/** Returns what to change after a missed criterion. `name` is that of the spec, also with a class: `errors.READONLY`. */
export function adviceForCriterion(name: string): string {
  const [member = name] = name.split(/[.[: ]/)
  return CRITERIA[member] ?? 'Compare wanted and seen, and start with RUNBOOK.md#first-checks.'
}

/** Returns what to change after a check that is not valid. */
export function adviceForCheck(name: string): string {
  return CHECKS[name] ?? 'Read the examples of the check, and start with RUNBOOK.md#first-checks.'
}
