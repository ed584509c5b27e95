/**
 * The statistics of volumes as Prometheus reads them: `vdo_snake_case{volume="…"}`, the names of VDO's `stats`
 * message with their groups before them; what only ever grows ends in `_total`.
 */

import { Counter, Gauge, Registry } from 'prom-client'

import type { NamedStatistics } from './vdostats.js'

/** Statistics that go up and down, or never move. All others are counters since the volume was opened. */
const GAUGES = [
  /^version$/,
  /^(data|overhead|logical)BlocksUsed$/,
  /^(physical|logical)Blocks$/,
  /^(blockMapCacheSize|blockSize|logicalBlockSize|instance)$/,
  /^(recoveryPercentage|inRecoveryMode)$/,
  /^packer\.compressedFragmentsInPacker$/,
  /^allocator\.slabCount$/,
  /^blockMap\.(dirty|clean|free|failed|incoming|outgoing)Pages$/,
  /^hashLock\.currDedupeQueries$/,
  /^(currentVIOsInProgress|maxVIOs)$/,
  /^biosInProgress\./,
  /^memoryUsage\./,
  /^index\.entriesIndexed$/,
]

const MODES = ['normal', 'recovering', 'read-only']

/** The text that a scrape is answered with. */
export function formatPrometheus(volumes: readonly NamedStatistics[]): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const mode = new Gauge({
    name: 'vdo_mode',
    help: 'mode: 1 for the mode that the volume is in',
    labelNames: ['volume', 'mode'],
    registers,
  })
  const metrics = new Map<string, (volume: string, value: number) => void>()
  for (const { name: volume, statistics } of volumes) {
    for (const each of new Set([...MODES, statistics.mode])) {
      mode.set({ volume, mode: each }, each === statistics.mode ? 1 : 0)
    }
    for (const [path, value] of leaves(statistics)) {
      let metric = metrics.get(path)
      if (metric === undefined) {
        metric = metricFor(path, registers)
        metrics.set(path, metric)
      }
      metric(volume, value)
    }
  }
  return registry.metrics()
}

function metricFor(path: string, registers: Registry[]): (volume: string, value: number) => void {
  const name = `vdo_${snakeCase(path)}`
  const labelNames = ['volume']
  if (GAUGES.some((pattern) => pattern.test(path))) {
    const gauge = new Gauge({ name, help: path, labelNames, registers })
    return (volume, value) => gauge.set({ volume }, value)
  }
  const counter = new Counter({ name: `${name}_total`, help: path, labelNames, registers })
  return (volume, value) => counter.inc({ volume }, value)
}

/** Every number by its path; a yes is 1. Texts have their own metrics. */
function leaves(group: object, prefix = ''): [string, number][] {
  return Object.entries(group as Record<string, unknown>).flatMap(([key, value]): [string, number][] => {
    const path = `${prefix}${key}`
    if (typeof value === 'number') return [[path, value]]
    if (typeof value === 'boolean') return [[path, value ? 1 : 0]]
    return typeof value === 'object' && value !== null ? leaves(value, `${path}.`) : []
  })
}

/** `currentVIOsInProgress` is `current_vios_in_progress`. */
function snakeCase(path: string): string {
  return path
    .replaceAll('VIOs', 'Vios')
    .replaceAll('PBN', 'Pbn')
    .replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
    .replaceAll('.', '_')
    .toLowerCase()
}
