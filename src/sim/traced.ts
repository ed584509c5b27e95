/** Lets a trace, if there is one, hear of a session of the engine. */
import type { EngineConfig } from '../engine/assemble.js'
import type { ExportTarget } from '../engine/export-target.js'
import { describeShape } from './describe-shape.js'
import type { Simulator } from './simulator.js'
import { ToldTarget } from './told-target.js'
import { describeMessage, type Trace, TraceKind } from './trace.js'

/** It hears what the engine is like, then every message. */
export function traceSession(trace: Trace | undefined, simulator: Simulator, config: EngineConfig): void {
  if (trace === undefined) return
  for (const line of describeShape(config)) trace(line, TraceKind.Shape)
  simulator.onMessage = (step, thread, word) => trace(describeMessage(step, thread, word), TraceKind.Message)
}

/** A target of which it hears what is asked, and how that ends; `name` is what the next request is called. */
export function told(
  trace: Trace | undefined,
  simulator: Simulator,
  target: ExportTarget,
  name: () => string,
): ExportTarget {
  if (trace === undefined) return target
  return new ToldTarget(target, name, (sentence) =>
    trace(`${simulator.steps} at ${simulator.nowMs} ms ${sentence}`, TraceKind.Request),
  )
}
