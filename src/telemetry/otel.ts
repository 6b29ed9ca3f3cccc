/**
 * Starts the SDK of OpenTelemetry: records spans of requests and of ingot's own work, and sends them by OTLP over HTTP.
 * Loaded by `node --import ingot/otel` or with INGOT_OTEL=on. The standard variables configure it, for example
 * OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
import { FastifyOtelInstrumentation } from '@fastify/otel'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { version } from '../std/version.ts'
import { diagnostics } from './diagnostics.ts'
import { createLog } from './log.ts'
import { onEndSpans } from './spans.ts'

/** Requests of these paths have no span. */
const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics'])

diag.setLogger(diagnostics(createLog({ level: 'warn', fd: 2 })), DiagLogLevel.WARN)

const own = resourceFromAttributes({ 'service.name': 'ingot', 'service.version': version() })
const provider = new NodeTracerProvider({
  // the environment wins: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
  resource: defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] })),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
})
// also installs the propagation of W3C Trace Context and a context that follows asynchronous calls
provider.register()
onEndSpans(() => provider.shutdown())

const requests = new FastifyOtelInstrumentation({
  registerOnInitialization: true,
  // a span for each hook and handler would cost more than it tells
  instrumentHooks: false,
  instrumentHandler: false,
  ignorePaths: ({ url }) => PROBES.has(url),
})
requests.setTracerProvider(provider)
