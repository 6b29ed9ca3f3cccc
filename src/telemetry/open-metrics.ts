/** Renders metrics in the OpenMetrics text format, which has exemplars. */
import { Counter, type Metric, type OpenMetricsContentType, Registry } from 'prom-client'

/**
 * Returns the metrics of the registry in the OpenMetrics format. When prom-client renders this format, it removes the
 * suffix `_total` from the names of counters for ever, and they would lack it in the other format. Therefore each metric is
 * read through a view that has the short name.
 */
export async function renderOpenMetrics(
  registry: Registry,
): Promise<{ readonly contentType: string; readonly body: string }> {
  const views = new Registry<OpenMetricsContentType>()
  views.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name)
    if (metric !== undefined) views.registerMetric(viewOf(metric, name))
  }
  return { contentType: views.contentType, body: await views.metrics() }
}

function viewOf(metric: Metric, fullName: string): Metric {
  const name = metric instanceof Counter ? fullName.replace(/_total$/, '') : fullName
  // a method that only some kinds of metrics have, and that their types omit
  const own: unknown = Reflect.get(metric, 'getForPromString')
  const read = isReader(own) ? own : metric.get
  const getForPromString = async (): Promise<object> => ({ ...(await read.call(metric)), name })
  return new Proxy(metric, {
    get(target, property): unknown {
      if (property === 'name') return name
      return property === 'getForPromString' ? getForPromString : Reflect.get(target, property)
    },
    set: () => true,
  })
}

function isReader(value: unknown): value is () => Promise<object> {
  return typeof value === 'function'
}
