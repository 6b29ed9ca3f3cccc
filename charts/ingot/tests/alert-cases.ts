/** For each alert of the service series that fire, and series that do not. */
import type { AlertCase } from './promtool.ts'

/** `0+1x60`: a value for each minute, which rises by 1. */
const S = 'namespace="shop",job="ingot"'
const SERVICE = { namespace: 'shop', job: 'ingot' }

const requests = (kind: string, status: string) => `ingot_http_requests_total{${S},kind="${kind}",status="${status}"}`

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'IngotErrorBudgetBurnsFast',
    fires: { series: { [requests('single', '201')]: '0+980x90', [requests('single', '503')]: '0+20x90' }, at: '90m' },
    labels: SERVICE,
    quiet: [
      // 1 %: it burns, but not fast
      { series: { [requests('single', '201')]: '0+990x90', [requests('single', '503')]: '0+10x90' }, at: '90m' },
      // a failover of 20 s in an hour, in front of an http store
      { series: { [requests('single', '201')]: '0+1000x90', [requests('single', '503')]: '0x60 333x30' }, at: '61m' },
      // the errors are over
      {
        series: { [requests('single', '201')]: '0+900x90', [requests('single', '503')]: '0+100x60 6000x30' },
        at: '80m',
      },
      // the errors have just begun
      { series: { [requests('single', '201')]: '0+900x90', [requests('single', '503')]: '0x58 0+1000x30' }, at: '60m' },
      // probes do not count
      { series: { [requests('single', '201')]: '0+1000x90', [requests('probe', '503')]: '0+500x90' }, at: '90m' },
    ],
  },
  {
    alert: 'IngotErrorBudgetBurnsSlowly',
    step: '5m',
    fires: { series: { [requests('batch', '200')]: '0+4950x80', [requests('batch', '500')]: '0+50x80' }, at: '390m' },
    labels: SERVICE,
    quiet: [
      { series: { [requests('batch', '200')]: '0+4985x80', [requests('batch', '500')]: '0+15x80' }, at: '390m' },
      { series: { [requests('batch', '200')]: '0+4950x80', [requests('batch', '500')]: '0+50x10' }, at: '10m' },
    ],
  },
  {
    alert: 'IngotServiceDown',
    fires: {
      series: { [`up{${S},pod="a"}`]: '0x10', [`up{${S},pod="b"}`]: '1x5 0x5' },
      at: '8m',
    },
    labels: SERVICE,
    quiet: [
      { series: { [`up{${S},pod="a"}`]: '0x10', [`up{${S},pod="b"}`]: '1x10' }, at: '8m' },
      { series: { [`ingot_ready{${S},pod="a"}`]: '1x4 0 1x4', [`ingot_ready{${S},pod="b"}`]: '0x10' }, at: '5m' },
    ],
  },
  {
    alert: 'IngotReplicaDown',
    fires: { series: { [`ingot_ready{${S},pod="a"}`]: '0x10', [`ingot_ready{${S},pod="b"}`]: '1x10' }, at: '6m' },
    labels: { ...SERVICE, pod: 'a' },
    quiet: [
      { series: { [`ingot_ready{${S},pod="a"}`]: '1x10', [`up{${S},pod="a"}`]: '1x10' }, at: '6m' },
      // a rollout
      { series: { [`ingot_ready{${S},pod="a"}`]: '1x3 0x2 _x5', [`up{${S},pod="a"}`]: '1x5 0x1 _x5' }, at: '5m' },
    ],
  },
  {
    alert: 'IngotScrapeMissing',
    fires: { series: { 'up{job="other"}': '1x20' }, at: '15m' },
    labels: { job: 'ingot' },
    quiet: [
      { series: { [`up{${S}}`]: '0x20' }, at: '15m' },
      { series: { [`up{${S}}`]: '1x20 _x9' }, at: '28m' },
    ],
  },
  {
    alert: 'IngotStoreDown',
    fires: { series: { [`ingot_store_up{${S},pod="a"}`]: '0x5', [`ingot_store_up{${S},pod="b"}`]: '0x5' }, at: '3m' },
    labels: SERVICE,
    quiet: [
      { series: { [`ingot_store_up{${S},pod="a"}`]: '0x5', [`ingot_store_up{${S},pod="b"}`]: '1x5' }, at: '3m' },
      { series: { [`ingot_store_up{${S},pod="a"}`]: '1x3 0x1 1x3' }, at: '4m' },
    ],
  },
  {
    alert: 'IngotOverloaded',
    fires: { series: { [requests('single', '201')]: '0+90x20', [requests('single', '429')]: '0+10x20' }, at: '15m' },
    labels: SERVICE,
    quiet: [
      { series: { [requests('single', '201')]: '0+1000x20', [requests('single', '429')]: '0+5x20' }, at: '15m' },
      { series: { [requests('single', '201')]: '0+90x20', [requests('single', '429')]: '0x8 100x12' }, at: '10m' },
    ],
  },
  {
    alert: 'IngotSlowCommits',
    fires: {
      series: {
        [`ingot_commit_seconds_bucket{${S},le="1"}`]: '0+90x30',
        [`ingot_commit_seconds_bucket{${S},le="2.5"}`]: '0+100x30',
        [`ingot_commit_seconds_bucket{${S},le="+Inf"}`]: '0+100x30',
      },
      at: '20m',
    },
    labels: SERVICE,
    quiet: [
      {
        series: {
          [`ingot_commit_seconds_bucket{${S},le="1"}`]: '0+1000x30',
          [`ingot_commit_seconds_bucket{${S},le="+Inf"}`]: '0+1000x30',
        },
        at: '20m',
      },
      {
        series: {
          [`ingot_commit_seconds_bucket{${S},le="1"}`]: '0+90x30',
          [`ingot_commit_seconds_bucket{${S},le="2.5"}`]: '0+100x30',
          [`ingot_commit_seconds_bucket{${S},le="+Inf"}`]: '0+100x30',
        },
        at: '8m',
      },
    ],
  },
  {
    alert: 'IngotOldQueue',
    fires: { series: { [`ingot_pending_oldest_seconds{${S},pod="a"}`]: '30x5' }, at: '4m' },
    labels: { ...SERVICE, pod: 'a' },
    quiet: [
      { series: { [`ingot_pending_oldest_seconds{${S},pod="a"}`]: '5x5' }, at: '4m' },
      { series: { [`ingot_pending_oldest_seconds{${S},pod="a"}`]: '0x3 30x2 0' }, at: '4m' },
    ],
  },
  {
    alert: 'IngotPoolExhausted',
    fires: { series: { [`ingot_store_pool_waiting{${S},pod="a"}`]: '3x20' }, at: '15m' },
    labels: { ...SERVICE, pod: 'a' },
    quiet: [
      { series: { [`ingot_store_pool_waiting{${S},pod="a"}`]: '3 0 3 3 0 3 3 0 3 3 0 3 3 0 3 3 0 3' }, at: '15m' },
      { series: { [`ingot_store_pool_waiting{${S},pod="a"}`]: '0x10 3x9' }, at: '17m' },
    ],
  },
  {
    alert: 'IngotEventLoopLate',
    fires: { series: { [`nodejs_eventloop_lag_p99_seconds{${S},pod="a"}`]: '0.5x10' }, at: '7m' },
    labels: { ...SERVICE, pod: 'a' },
    quiet: [
      { series: { [`nodejs_eventloop_lag_p99_seconds{${S},pod="a"}`]: '0.1x10' }, at: '7m' },
      { series: { [`nodejs_eventloop_lag_p99_seconds{${S},pod="a"}`]: '0.1x5 0.5x3' }, at: '8m' },
    ],
  },
  {
    alert: 'IngotBreakerOpen',
    fires: {
      series: {
        [`ingot_lock_breaker_state{${S},pod="a",backend="redis",state="closed"}`]: '0x5',
        [`ingot_lock_breaker_state{${S},pod="a",backend="redis",state="half-open"}`]: '0 1 0 1 0 1',
      },
      at: '3m',
    },
    labels: { ...SERVICE, pod: 'a', backend: 'redis' },
    quiet: [
      { series: { [`ingot_lock_breaker_state{${S},pod="a",backend="redis",state="closed"}`]: '1x5' }, at: '3m' },
      // one failover
      { series: { [`ingot_lock_breaker_state{${S},pod="a",backend="redis",state="closed"}`]: '1 1 0 1 1' }, at: '2m' },
    ],
  },
  {
    alert: 'IngotLocksLost',
    fires: { series: { [`ingot_lock_lost_total{${S},pod="a",cause="expired"}`]: '0+1x40' }, at: '30m' },
    labels: { ...SERVICE, cause: 'expired' },
    quiet: [
      { series: { [`ingot_lock_lost_total{${S},pod="a",cause="expired"}`]: '5x40' }, at: '30m' },
      // one failover
      { series: { [`ingot_lock_lost_total{${S},pod="a",cause="expired"}`]: '0x9 40x30' }, at: '18m' },
    ],
  },
  {
    alert: 'IngotStaleWrites',
    fires: { series: { [`ingot_lock_stale_writes_total{${S},pod="a",store="http"}`]: '0x5 1x10' }, at: '8m' },
    labels: { ...SERVICE, store: 'http' },
    quiet: [{ series: { [`ingot_lock_stale_writes_total{${S},pod="a",store="http"}`]: '7x20' }, at: '15m' }],
  },
  {
    alert: 'IngotSavesWithoutLock',
    fires: { series: { [`ingot_unlocked_batches_total{${S},pod="a"}`]: '0+10x30' }, at: '20m' },
    labels: SERVICE,
    quiet: [
      { series: { [`ingot_unlocked_batches_total{${S},pod="a"}`]: '3x30' }, at: '20m' },
      // one failover
      { series: { [`ingot_unlocked_batches_total{${S},pod="a"}`]: '0x9 10x20' }, at: '13m' },
    ],
  },
  {
    alert: 'IngotDiskFilling',
    step: '10m',
    fires: {
      series: {
        'kubelet_volume_stats_available_bytes{namespace="shop",persistentvolumeclaim="data-ingot-redis-0"}': '380-5x40',
        'kubelet_volume_stats_capacity_bytes{namespace="shop",persistentvolumeclaim="data-ingot-redis-0"}': '1000x40',
      },
      at: '390m',
    },
    labels: { namespace: 'shop', persistentvolumeclaim: 'data-ingot-redis-0' },
    quiet: [
      {
        series: {
          'kubelet_volume_stats_available_bytes{namespace="shop",persistentvolumeclaim="data-ingot-redis-0"}':
            '900-5x40',
          'kubelet_volume_stats_capacity_bytes{namespace="shop",persistentvolumeclaim="data-ingot-redis-0"}': '1000x40',
          'kubelet_volume_stats_available_bytes{namespace="shop",persistentvolumeclaim="data-other-0"}': '1x40',
          'kubelet_volume_stats_capacity_bytes{namespace="shop",persistentvolumeclaim="data-other-0"}': '1000x40',
        },
        at: '390m',
      },
      {
        series: {
          'kubelet_volume_stats_available_bytes{namespace="shop",persistentvolumeclaim="data-ingot-redis-0"}':
            '900x5 50 900x9',
          'kubelet_volume_stats_capacity_bytes{namespace="shop",persistentvolumeclaim="data-ingot-redis-0"}': '1000x40',
        },
        at: '60m',
      },
    ],
  },
  {
    alert: 'IngotRedisMemoryFilling',
    fires: {
      series: {
        'redis_memory_used_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-0"}': '95x10',
        'redis_memory_max_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-0"}': '100x10',
      },
      at: '8m',
    },
    labels: { namespace: 'shop', job: 'ingot-redis', pod: 'ingot-redis-0' },
    quiet: [
      {
        series: {
          'redis_memory_used_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-0"}': '80x10',
          'redis_memory_max_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-0"}': '100x10',
        },
        at: '8m',
      },
      // no limit; and a peak
      {
        series: {
          'redis_memory_used_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-0"}': '95x10',
          'redis_memory_max_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-0"}': '0x10',
          'redis_memory_used_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-1"}': '10x6 95x4',
          'redis_memory_max_bytes{namespace="shop",job="ingot-redis",pod="ingot-redis-1"}': '100x10',
        },
        at: '9m',
      },
    ],
  },
  {
    alert: 'IngotCertificateExpiring',
    // seconds since the epoch, which is the start of the case: 10 days
    fires: { series: { [`ingot_certificate_expiry_timestamp_seconds{${S},peer="redis"}`]: '864000x20' }, at: '15m' },
    labels: { ...SERVICE, peer: 'redis' },
    quiet: [
      // 20 days
      { series: { [`ingot_certificate_expiry_timestamp_seconds{${S},peer="redis"}`]: '1728000x20' }, at: '15m' },
      // one of two replicas has just connected to a server with the old certificate
      {
        series: {
          [`ingot_certificate_expiry_timestamp_seconds{${S},peer="redis",pod="a"}`]: '1728000x20',
          [`ingot_certificate_expiry_timestamp_seconds{${S},peer="redis",pod="b"}`]: '1728000x10 864000x9',
        },
        at: '15m',
      },
    ],
  },
]
