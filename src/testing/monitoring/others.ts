/** Metrics of other programs that alerts and dashboards use. */

/** Name and origin of each. */
export const OTHERS: Readonly<Record<string, string>> = {
  up: 'Prometheus, for each target',
  nodejs_eventloop_lag_p99_seconds: 'prom-client, in each process of ingot',
  process_cpu_seconds_total: 'prom-client, in each process of ingot',
  process_resident_memory_bytes: 'prom-client, in each process of ingot',
  kubelet_volume_stats_available_bytes: 'the kubelet',
  kubelet_volume_stats_capacity_bytes: 'the kubelet',
  redis_commands_processed_total: '[the exporter of Redis](monitoring.md#the-exporter-of-redis)',
  redis_connected_clients: '[the exporter of Redis](monitoring.md#the-exporter-of-redis)',
  redis_memory_max_bytes: '[the exporter of Redis](monitoring.md#the-exporter-of-redis)',
  redis_memory_used_bytes: '[the exporter of Redis](monitoring.md#the-exporter-of-redis)',
}

export const OTHER_METRICS: readonly string[] = Object.keys(OTHERS)
