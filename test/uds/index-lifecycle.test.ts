import { expect } from 'chai'
import { Status } from '../../src/base/status.js'
import { IndexLifecycle } from '../../src/uds/index-lifecycle.js'
import { FrontOp, IndexControl, Room } from '../../src/vio/opcodes.js'
import { LoadKind } from '../../src/vio/volume.js'
import { Bench, SMALL_SHAPE, SMALL_VOLUME } from '../zones/bench.js'

describe('the life of an index', () => {
  let bench: Bench
  /** What the index was told since the last look: `open`, `make`, `close`. */
  let told: string[]
  let lifecycle: IndexLifecycle

  async function begin({ isNew = false, load = LoadKind.Normal, deduplicating = true } = {}): Promise<void> {
    bench = await Bench.make(SMALL_SHAPE, { ...SMALL_VOLUME, isNew, load })
    bench.arena.boards.deduplicating = deduplicating
    told = []
    lifecycle = new IndexLifecycle(bench.context(Room.Index), {
      open: (create) => told.push(create ? 'make' : 'open'),
      close: () => told.push('close'),
    })
    lifecycle.begin()
  }

  /** State, what the index was told, and whether the front end was told that it settled. */
  const look = (): string => {
    const settled = bench.takeAll().some(({ op }) => op === FrontOp.IndexSettled)
    return [bench.arena.boards.indexState, ...told.splice(0), ...(settled ? ['settled'] : [])].join(' ')
  }

  it('begins with the volume, with a new index if that is new', async () => {
    await begin({ isNew: true })
    expect(look()).to.equal('opening make')
    lifecycle.opened()
    expect(look()).to.equal('online settled')
    await begin()
    expect(look()).to.equal('opening open')
    await begin({ deduplicating: false })
    expect(look()).to.equal('closed')
    lifecycle.control(IndexControl.Disable)
    expect(look()).to.equal('opening open')
    lifecycle.opened()
    expect(look()).to.equal('offline settled')
  })

  it('finishes what is under way, then does what is wanted by then', async () => {
    await begin()
    lifecycle.control(IndexControl.Close)
    lifecycle.control(IndexControl.Enable)
    lifecycle.control(IndexControl.Close)
    expect(bench.arena.boards.indexControls).to.equal(3)
    expect(look()).to.equal('opening open')
    lifecycle.opened()
    expect(look()).to.equal('closing close')
    lifecycle.control(IndexControl.Create)
    expect(look()).to.equal('closing')
    lifecycle.closed()
    expect(look()).to.equal('opening make')
    lifecycle.opened()
    expect(look()).to.equal('online settled')
  })

  it('says that it failed until it is tried again', async () => {
    await begin()
    expect(look()).to.equal('opening open')
    lifecycle.failed('its disk is gone')
    expect(look()).to.equal('error settled')
    expect(bench.arena.boards.indexProblem).to.equal('its disk is gone')
    lifecycle.control(IndexControl.Enable)
    expect(look()).to.equal('opening open')
    lifecycle.opened()
    expect(look()).to.equal('online settled')
    lifecycle.failing()
    expect(look()).to.equal('closing')
    lifecycle.failed('a page is damaged')
    expect(look()).to.equal('error settled')
  })

  it('makes a new one also if the old one cannot be closed or opened', async () => {
    await begin()
    lifecycle.opened()
    look()
    lifecycle.control(IndexControl.Create)
    lifecycle.failed('it cannot be saved')
    expect(look()).to.equal('opening close make')
    lifecycle.control(IndexControl.Create)
    lifecycle.failed('the disk is full')
    expect(look()).to.equal('opening make')
    lifecycle.failed('the disk is full')
    expect(look()).to.equal('error settled')
  })

  it('begins nothing while the volume rests', async () => {
    await begin()
    lifecycle.opened()
    look()
    lifecycle.rest()
    lifecycle.control(IndexControl.Close)
    expect(look()).to.equal('online')
    lifecycle.goOn()
    expect(look()).to.equal('closing close')
  })

  it('does not begin on a volume that is read-only', async () => {
    await begin({ load: LoadKind.ReadOnly })
    expect(look()).to.equal('closed settled')
    await begin()
    lifecycle.opened()
    lifecycle.control(IndexControl.Close)
    lifecycle.closed()
    bench.arena.boards.setReadOnlyReason(Status.IoError)
    lifecycle.control(IndexControl.Enable)
    expect(look()).to.equal('closed open close settled')
  })
})
