/**
 * The engine on this process's threads: makes the arena, starts a worker for each planned thread, runs the front
 * end's reactor in the main thread's event loop, and ends it all, in good order or not.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import { type Remote, transfer, wrap } from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { assert } from '../base/assert.js'
import { VdoError } from '../base/errors.js'
import { Status } from '../base/status.js'
import { Arena, arenaBytes, WASM_PAGE_BYTES } from '../engine/arena.js'
import { arenaConfig, assembleThread, type EngineConfig } from '../engine/assemble.js'
import type { FrontEnd } from '../engine/front-end.js'
import { statusError } from '../engine/status-error.js'
import type { Reactor } from '../reactor/reactor.js'
import { IndexStage } from '../vio/boards.js'
import type { AdminCommand, IndexControl } from '../vio/opcodes.js'
import { HostDoorbell } from './doorbell.js'
import { createNative, loadKernelModule } from './native.js'
import { outsideOf } from './outside.js'
import { openStore, type Store } from './store.js'
import type { WorkerControl } from './zone-worker.js'

/** The front end's thread. */
const FRONT = 0
/** Passes in a row before sockets get their turn. */
const PASSES_PER_TURN = 8

export class EngineHost {
  /** Settles when the engine has stopped by itself: a thread died or an assertion failed. */
  readonly halted: Promise<VdoError>
  private readonly workers: {
    readonly name: string
    readonly worker: Worker
    readonly control: Remote<WorkerControl>
  }[] = []
  private isScheduled = false
  private isEnding = false
  private haltError: VdoError | null = null
  private stopped: Promise<void> = Promise.resolve()
  private indexWaiters: (() => void)[] = []
  private resolveHalted: (error: VdoError) => void = () => {}

  private constructor(
    readonly config: EngineConfig,
    readonly arena: Arena,
    private readonly memory: WebAssembly.Memory,
    private readonly doorbell: HostDoorbell,
    private readonly reactor: Reactor,
    readonly frontEnd: FrontEnd,
    private readonly report: (sentence: string) => void,
  ) {
    this.halted = new Promise((resolve) => {
      this.resolveHalted = resolve
    })
    frontEnd.onWork = () => this.schedule()
    frontEnd.onIndexSettled = () => this.wakeIndexWaiters()
  }

  /** Builds everything and starts the workers; the volume is not loaded yet. */
  static async start(
    config: EngineConfig,
    store: Store,
    report = (sentence: string): void => void process.stderr.write(`uvdo: ${sentence}\n`),
  ): Promise<EngineHost> {
    const pages = arenaBytes(arenaConfig(config)) / WASM_PAGE_BYTES
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    const kernel = await loadKernelModule()
    const arena = new Arena(memory.buffer, arenaConfig(config))
    const doorbell = new HostDoorbell(arena.doorbells, null)
    const { reactor, frontEnd } = assembleThread(config, FRONT, {
      arena,
      native: createNative(memory, kernel),
      clock: { now: () => performance.now() },
      doorbell,
      outside: outsideOf(() => {}),
      device: () => openStore(store, arena.bytes, arena.vios.flags.length, () => {}),
    })
    assert(frontEnd !== null, 'thread 0 hosts the front end')
    const host = new EngineHost(config, arena, memory, doorbell, reactor, frontEnd, report)
    try {
      await Promise.all(config.plan.threads.slice(1).map((_, i) => host.startWorker(i + 1, kernel, store)))
    } catch (error) {
      await host.terminate()
      throw error
    }
    return host
  }

  /** Runs a command of the admin zone to its end. */
  async administer(command: AdminCommand, what: string): Promise<void> {
    const status = await new Promise<Status>((resolve) => this.frontEnd.administer(command, resolve))
    if (status !== Status.Success) throw statusError(`Cannot ${what}`, status)
  }

  /**
   * Changes the index, and waits until it has settled. Rejects if it has failed then; at once if the engine has
   * stopped, or when it does.
   */
  controlIndex(control: IndexControl, what: string): Promise<void> {
    return this.indexSettled(what, this.frontEnd.controlIndex(control))
  }

  /** Waits until the index has taken so many controls and is neither being opened nor closed. */
  async indexSettled(what: string, controls = 0): Promise<void> {
    const { boards } = this.arena
    const isSettled = (): boolean =>
      boards.indexControls >= controls &&
      (boards.indexStage === IndexStage.Open || boards.indexStage === IndexStage.Closed)
    while (!isSettled()) {
      if (this.haltError !== null) throw this.haltError
      await new Promise<void>((resolve) => this.indexWaiters.push(resolve))
    }
    if (boards.indexFailed) throw new VdoError('VDO_INDEX_ERROR', `${what}: ${boards.indexProblem}`)
  }

  /** Waits until every request is answered. */
  drain(): Promise<void> {
    return new Promise((resolve) => this.frontEnd.drain(resolve))
  }

  /** Waits until nothing is in flight; requests that come wait until `letGo`. */
  hold(): Promise<void> {
    return new Promise((resolve) => this.frontEnd.hold(resolve))
  }

  /** Ends `hold`. */
  letGo(): void {
    this.frontEnd.letGo()
  }

  /** Ends every worker in good order; the volume was saved before. */
  async leave(): Promise<void> {
    this.isEnding = true
    this.arena.boards.leave()
    const exits = this.workers.map(
      ({ worker }) => new Promise<void>((resolve) => worker.once('exit', () => resolve())),
    )
    for (let thread = 1; thread < this.config.plan.threads.length; thread++) this.doorbell.ring(thread)
    await Promise.all(exits)
  }

  /**
   * Stops at once and saves nothing. Every outstanding request is answered with `EngineHalted`. Settles when no
   * worker is left that could still touch the store.
   */
  halt(error: VdoError): Promise<void> {
    if (!this.hasHalted) {
      this.haltError = error
      this.stopped = this.stop(error)
    }
    return this.stopped
  }

  /** Why the engine stopped, if it did. */
  get haltedBy(): VdoError | null {
    return this.haltError
  }

  private get hasHalted(): boolean {
    return this.haltError !== null
  }

  private async stop(error: VdoError): Promise<void> {
    this.isEnding = true
    this.arena.boards.halt()
    for (let thread = 1; thread < this.config.plan.threads.length; thread++) this.doorbell.ring(thread)
    this.frontEnd.halt()
    this.wakeIndexWaiters()
    this.resolveHalted(error)
    await this.terminate()
  }

  private wakeIndexWaiters(): void {
    for (const wake of this.indexWaiters.splice(0)) wake()
  }

  /** What each worker says of itself; rejects if one does not answer. */
  async health(): Promise<readonly { readonly name: string; readonly moved: number }[]> {
    return Promise.all(this.workers.map((w, i) => this.call(i + 1, () => w.control.health())))
  }

  /** Ends one worker by force, as a crash would: for tests of what happens then. */
  async kill(name: string): Promise<void> {
    await this.workers.find((w) => w.name === name)?.worker.terminate()
  }

  /** Control calls to a blocking thread: it is made to look at its port until the reply is here. */
  private async call<T>(thread: number, ask: () => Promise<T>): Promise<T> {
    const reply = ask()
    this.doorbell.demand(thread)
    try {
      return await Promise.race([reply, this.halted.then((error) => Promise.reject(error))])
    } finally {
      this.doorbell.forget(thread)
    }
  }

  private async startWorker(thread: number, kernel: WebAssembly.Module, store: Store): Promise<void> {
    const { name } = this.config.plan.threads[thread]
    const worker = new Worker(new URL('../../workers/zone-thread.js', import.meta.url), {
      name,
      stderr: false,
      ...workerArguments(),
    })
    const control = wrap<WorkerControl>(nodeEndpoint(worker))
    this.workers[thread - 1] = { name, worker, control }
    const died = new Promise<never>((_, reject) => {
      worker.once('error', (cause) => {
        const error = new VdoError('VDO_ENGINE_HALTED', `Thread ${name} died: ${cause.message}`, { cause })
        reject(error)
        void this.halt(error)
      })
      worker.once('exit', (code) => {
        if (this.isEnding) return
        const error = new VdoError(
          'VDO_ENGINE_HALTED',
          `Thread ${name} left with code ${code} while it was needed`,
        )
        reject(error)
        void this.halt(error)
      })
    })
    died.catch(() => {})
    const { port1, port2 } = new MessageChannel()
    // A ping, or the reason of a failure of the backing store.
    port1.on('message', (message: unknown) => {
      if (typeof message === 'string') this.report(message)
      else this.schedule()
    })
    port1.unref()
    const started = control.start(
      // Comlink transfers what is in the list, and hands the rest over as it is.
      transfer({ config: this.config, thread, memory: this.memory, kernel, store, ping: port2 }, [
        port2 as unknown as Transferable,
      ]),
    )
    await Promise.race([started, died])
  }

  private async terminate(): Promise<void> {
    this.isEnding = true
    await Promise.all(this.workers.map((w) => w?.worker.terminate()))
  }

  private schedule(): void {
    if (this.hasHalted) {
      // The front end refuses what still comes.
      queueMicrotask(() => this.frontEnd.poll())
      return
    }
    if (this.isScheduled) return
    this.isScheduled = true
    queueMicrotask(() => this.turn())
  }

  /** Passes of the front end's reactor until nothing moves, then sleep in the event loop. */
  private turn(): void {
    this.isScheduled = false
    try {
      for (let i = 0; i < PASSES_PER_TURN; i++) {
        if (this.hasHalted) return
        if (this.reactor.pass() > 0) continue
        if (this.doorbell.sleepInEventLoop(FRONT, () => this.reactor.isReady)) return
      }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      void this.halt(new VdoError('VDO_ENGINE_HALTED', `The front end failed: ${reason}`, { cause }))
      return
    }
    this.isScheduled = true
    setImmediate(() => this.turn())
  }
}

/**
 * What says how Node shall read a program given on the command line does not hold for a worker's file. Otherwise a
 * worker inherits all arguments, those for V8 among them, which it does not take by name.
 */
function workerArguments(): { execArgv?: string[] } {
  const isForProgram = (argument: string) => argument.startsWith('--input-type')
  if (!process.execArgv.some(isForProgram)) return {}
  return { execArgv: process.execArgv.filter((argument) => !isForProgram(argument)) }
}
