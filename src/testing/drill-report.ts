/** A report of a drill, as examples in tests. */
import type { DrillReport } from '../drill/report/model.ts'

const FROM_MS = Date.parse('2026-03-02T02:13:00Z')
const at = (second: number): string => new Date(FROM_MS + second * 1_000).toISOString()

/** Returns the report of a drill with `seconds` of load, whose primary is killed after a third of it. */
export function exampleReport(changes: Partial<DrillReport> = {}, seconds = 180): DrillReport {
  const struck = Math.floor(seconds / 3)
  const columns = Array.from({ length: seconds }, (_, second) => secondOf(second, struck))
  const acknowledged = columns.map(({ good }) => good)
  const total = acknowledged.reduce((sum, one) => sum + one, 0)
  return {
    format: 1,
    drill: {
      name: 'weekly-29',
      namespace: 'shop',
      release: 'ingot',
      scenario: 'D2',
      title: 'A killed primary of Redis loses no item',
      startedBy: 'schedule weekly',
      startedAt: at(-30),
      finishedAt: at(seconds + 40),
      version: '0.1.0',
    },
    target: {
      mode: 'sentinel',
      store: 'postgres',
      lock: 'redis',
      images: [
        { component: 'service', image: 'registry.example/ingot:0.1.0', digest: `sha256:${'4b'.repeat(32)}` },
        { component: 'redis', image: 'redis:8.0', digest: `sha256:${'a0'.repeat(32)}` },
      ],
    },
    verdict: 'Pass',
    reason: 'Proven',
    message: 'No acknowledged item was lost and none was stored twice.',
    summary: {
      attempted: total + 61,
      acknowledged: total,
      indeterminate: 21,
      rejected: 40,
      lost: 0,
      duplicates: 0,
      redisLost: 2,
      secondsWithoutWrite: 6.4,
      firstGoodWrite: 6.9,
      bystanderErrors: 0,
    },
    criteria: [
      { name: 'lostItems', wanted: 'at most 0', seen: '0', met: true },
      { name: 'duplicates', wanted: 'at most 0', seen: '0', met: true },
      { name: 'unavailable', wanted: 'at most 15s', seen: '6.4 s', met: true },
    ],
    checks: [
      { name: 'nothing-lost', kind: 'valid', why: '', examples: [], figures: { acknowledged: total, lost: 0 } },
      { name: 'stored-once', kind: 'valid', why: '', examples: [], figures: { contents: total } },
      { name: 'faults-happened', kind: 'valid', why: '', examples: [], figures: { faults: 2 } },
    ],
    faults: [
      {
        name: 'kill-primary',
        action: 'Kill',
        state: 'Proven',
        struckAt: at(struck),
        provenAt: at(struck + 1),
        undoneAt: at(struck + 14),
        proof: 'pod ingot-redis-0 has a new uid, and Sentinel elected ingot-redis-2',
        victims: ['ingot-redis-0 (primary, node worker-2)'],
      },
      {
        name: 'delete-service',
        action: 'Delete',
        state: 'Proven',
        struckAt: at(struck + 45),
        provenAt: at(struck + 46),
        undoneAt: at(struck + 60),
        proof: 'pod ingot-7c9d5f6b8-aaaaa is gone',
        victims: ['ingot-7c9d5f6b8-aaaaa'],
      },
    ],
    roles: [
      { atMs: FROM_MS, primaries: ['ingot-redis-0'] },
      { atMs: FROM_MS + (struck + 1) * 1_000, primaries: [] },
      { atMs: FROM_MS + (struck + 6) * 1_000, primaries: ['ingot-redis-2'] },
    ],
    marks: [
      { atMs: FROM_MS, says: 'load started' },
      { atMs: FROM_MS + struck * 1_000, says: 'phase Faults' },
      { atMs: FROM_MS + (seconds - 20) * 1_000, says: 'phase Settle' },
    ],
    series: {
      fromMs: FROM_MS,
      acknowledged,
      failed: columns.map(({ bad }) => bad),
      p50Ms: columns.map(({ p50 }) => p50),
      p99Ms: columns.map(({ p99 }) => p99),
    },
    errors: [
      { name: '503 LOCK_UNAVAILABLE', count: 40, lastMs: FROM_MS + (struck + 5) * 1_000 },
      { name: 'timeout', count: 21, lastMs: FROM_MS + (struck + 6) * 1_000 },
    ],
    history: { events: total * 2, sha256: '9f'.repeat(32) },
    previous: {
      name: 'weekly-28',
      finishedAt: at(-604_800),
      verdict: 'Pass',
      summary: {
        attempted: 3_600,
        acknowledged: 3_548,
        indeterminate: 12,
        rejected: 40,
        lost: 0,
        duplicates: 0,
        secondsWithoutWrite: 9.2,
        firstGoodWrite: 9.4,
      },
    },
    ...changes,
  }
}

/** A wave instead of noise, so that the example is the same in each run. */
function secondOf(second: number, struck: number): { good: number; bad: number; p50: number; p99: number } {
  const since = second - struck
  if (since >= 1 && since <= 6) return { good: 0, bad: since === 1 ? 21 : 8, p50: 0, p99: 0 }
  const wave = Math.abs(Math.sin(second * 1.7)) + Math.abs(Math.sin(second / 11))
  const slow = since > 6 && since < 14 ? 220 / (since - 5) : 0
  return {
    good: 20 + (second % 3) - 1,
    bad: since === 46 ? 3 : 0,
    p50: 4 + wave * 2 + slow,
    p99: 14 + wave * 22 + slow * 9,
  }
}

const BIDI = '\u202E'

/** Text that tries to leave its place: a tag, quotes, an entity, marks that turn the direction, control characters. */
export const HOSTILE = `<script>alert(1)</script>"'><img src=https://evil.example/x onerror=alert(2)>${BIDI}gnp.txt\u2066 &amp; \u0000\u001B[2J ]]> </title> שלום`

/** Returns the report of a failed drill in which every text from outside is hostile. */
export function hostileReport(): DrillReport {
  const report = exampleReport()
  const { drill, target } = report
  return {
    ...report,
    verdict: 'Fail',
    reason: HOSTILE,
    message: HOSTILE,
    drill: {
      ...drill,
      name: HOSTILE,
      namespace: HOSTILE,
      release: HOSTILE,
      scenario: HOSTILE,
      title: HOSTILE,
      startedBy: HOSTILE,
      version: HOSTILE,
    },
    target: {
      mode: HOSTILE,
      store: HOSTILE,
      lock: HOSTILE,
      images: target.images.map(() => ({ component: HOSTILE, image: HOSTILE, digest: HOSTILE })),
    },
    criteria: [{ name: HOSTILE, wanted: HOSTILE, seen: HOSTILE, met: false, advice: HOSTILE }],
    checks: [{ name: HOSTILE, kind: 'violated', why: HOSTILE, examples: [HOSTILE], figures: { [HOSTILE]: 1 } }],
    faults: report.faults.map((fault) => ({
      ...fault,
      name: HOSTILE.slice(0, 63),
      proof: HOSTILE,
      victims: [HOSTILE],
    })),
    roles: report.roles.map(({ atMs }) => ({ atMs, primaries: [HOSTILE] })),
    marks: [{ atMs: report.series.fromMs, says: HOSTILE }],
    errors: [{ name: HOSTILE, count: 1, lastMs: report.series.fromMs }],
    ...(report.previous === undefined ? {} : { previous: { ...report.previous, name: HOSTILE } }),
  }
}

/** Returns a failed drill with an hour of load and as much of everything as a runner can record. */
export function longReport(): DrillReport {
  const report = exampleReport({ verdict: 'Fail' }, 3_600)
  const long = 'א<&"'.repeat(1_000)
  return {
    ...report,
    roles: Array.from({ length: 2_000 }, (_, index) => ({ atMs: FROM_MS + index * 1_000, primaries: [long] })),
    marks: Array.from({ length: 2_000 }, (_, index) => ({ atMs: FROM_MS + index * 1_000, says: long })),
    errors: Array.from({ length: 2_000 }, (_, index) => ({ name: `${long}${index}`, count: 1, lastMs: FROM_MS })),
    checks: Array.from({ length: 40 }, (_, index) => ({
      name: `check-${index}`,
      kind: 'violated',
      why: long,
      examples: Array.from({ length: 100 }, () => long),
      figures: {},
    })),
  }
}
