import { expect } from 'chai'
import { Bump } from '../../src/base/bump.js'
import { Mesh } from '../../src/reactor/mesh.js'
import { Reactor, WORDS_PER_RING } from '../../src/reactor/reactor.js'
import type { Zone } from '../../src/reactor/zone.js'
import { BioOp, CpuOp, FrontOp, hop, LogicalOp, Room, roomOfHop } from '../../src/vio/opcodes.js'

/** Which thread each room is on: the front end on 0, cpu and bio on 1, logical zones on 2. */
const THREADS: Partial<Record<Room, number>> = {
  [Room.Front]: 0,
  [Room.Cpu]: 1,
  [Room.Bio]: 1,
  [Room.Logical]: 2,
}

describe('a reactor', () => {
  let now = 0
  let rung: number[] = []
  let heard: string[] = []
  let reactors: Reactor[] = []

  /** A zone that notes what it hears, and may answer. */
  const listener = (name: string, answer?: (op: number, operand: number) => void): Zone => ({
    receive(op, operand) {
      heard.push(`${name} ${op}(${operand})`)
      answer?.(op, operand)
    },
  })

  beforeEach(() => {
    now = 1000
    rung = []
    heard = []
    const mesh = new Mesh(new Bump(new SharedArrayBuffer(1 << 16), 0), 3, 256)
    const route = (h: number) => THREADS[roomOfHop(h)] ?? -1
    reactors = [0, 1, 2].map(
      (thread) =>
        new Reactor(
          thread,
          3,
          mesh,
          { now: () => now },
          { ring: (to) => rung.push(to) },
          route,
          256,
          [1, 2, 0].filter((other) => other !== thread),
        ),
    )
  })

  it('delivers every opcode and operand to the room and zone that the hop names', () => {
    const [front, , logical] = reactors
    logical.host(Room.Logical, 0, listener('l0'))
    logical.host(Room.Logical, 127, listener('l127'))
    front.send(hop(LogicalOp.Launch, 0), 0)
    front.send(hop(LogicalOp.TakeOver, 127), 0xffff)
    expect(logical.pass()).to.equal(0)
    front.publish()
    expect(logical.isReady).to.equal(true)
    expect(logical.pass()).to.equal(2)
    expect(heard).to.deep.equal([`l0 ${LogicalOp.Launch}(0)`, `l127 ${LogicalOp.TakeOver}(65535)`])
    expect(logical.isReady).to.equal(false)
  })

  it('rings each doorbell once a pass, and nobody’s without a message', () => {
    const [front] = reactors
    for (let i = 0; i < 5; i++) front.send(hop(LogicalOp.Launch, 0), i)
    front.send(hop(CpuOp.Name, 0), 1)
    front.publish()
    front.publish()
    expect(rung).to.deep.equal([1, 2])
  })

  it('delivers between zones of its thread in order, after the message at hand', () => {
    const [, services] = reactors
    const bio = listener('bio')
    const cpu = listener('cpu', (op, operand) => {
      if (operand > 1) return
      services.send(hop(BioOp.Read, 0), operand)
      services.send(hop(CpuOp.Name, 0), operand + 2)
      heard.push('end')
    })
    services.host(Room.Cpu, 0, cpu)
    services.host(Room.Bio, 0, bio)
    services.send(hop(CpuOp.Name, 0), 0)
    services.send(hop(CpuOp.Name, 0), 1)
    expect(services.pass()).to.equal(6)
    const name = `cpu ${CpuOp.Name}`
    const read = `bio ${BioOp.Read}`
    expect(heard).to.deep.equal([
      `${name}(0)`,
      'end',
      `${name}(1)`,
      'end',
      `${read}(0)`,
      `${name}(2)`,
      `${read}(1)`,
      `${name}(3)`,
    ])
    expect(rung).to.deep.equal([])
  })

  it('takes so many words from a ring, and from the front end’s last', () => {
    const [front, services, logical] = reactors
    logical.host(Room.Logical, 0, listener('l'))
    for (let i = 0; i < 40; i++) front.send(hop(LogicalOp.Launch, 0), i)
    for (let i = 0; i < 40; i++) services.send(hop(LogicalOp.ReadDone, 0), i)
    front.publish()
    services.publish()
    expect(logical.pass()).to.equal(2 * WORDS_PER_RING)
    const first = heard.map((line) => line.split(/[ (]/)[1])
    expect(first.slice(0, 32).every((op) => op === String(LogicalOp.ReadDone))).to.equal(true)
    expect(first.slice(32).every((op) => op === String(LogicalOp.Launch))).to.equal(true)
    expect(logical.pass()).to.equal(16)
    expect(logical.moved).to.equal(80)
  })

  it('tells zones that a pass ends, before it publishes what they send then', () => {
    const [front, , logical] = reactors
    let ends = 0
    logical.host(Room.Logical, 0, {
      receive() {},
      endPass() {
        ends++
        logical.send(hop(FrontOp.Release, 0), 9)
      },
    })
    front.host(Room.Front, 0, listener('front'))
    expect(logical.pass()).to.equal(0)
    expect(ends).to.equal(0)
    front.send(hop(LogicalOp.Launch, 0), 1)
    front.publish()
    logical.pass()
    expect(ends).to.equal(1)
    front.pass()
    expect(heard).to.deep.equal([`front ${FrontOp.Release}(9)`])
  })

  it('sends at a time, the earlier first, those of one time in order', () => {
    const [front] = reactors
    front.host(Room.Front, 0, listener('f'))
    expect(front.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY)
    front.sendAt(1020, hop(FrontOp.Release, 0), 3)
    front.sendAt(1010, hop(FrontOp.Release, 0), 1)
    front.sendAt(1010, hop(FrontOp.Release, 0), 2)
    expect(front.nextDeadlineMs).to.equal(1010)
    front.pass()
    expect(heard).to.deep.equal([])
    now = 1010
    front.pass()
    expect(front.nowMs).to.equal(1010)
    now = 5000
    front.pass()
    expect(heard).to.deep.equal([1, 2, 3].map((vio) => `f ${FrontOp.Release}(${vio})`))
    expect(front.nextDeadlineMs).to.equal(Number.POSITIVE_INFINITY)
  })

  it('polls zones that finish things later', () => {
    const [, services] = reactors
    let ready = false
    services.host(Room.Bio, 0, {
      receive() {},
      poll() {
        if (ready) services.send(hop(FrontOp.Release, 0), 1)
        return ready
      },
    })
    services.pass()
    expect(rung).to.deep.equal([])
    ready = true
    expect(services.pass()).to.equal(1)
    expect(rung).to.deep.equal([0])
  })

  it('makes a pass of as many words as a scheduler wants, from where it wants', () => {
    const [front, services, logical] = reactors
    logical.host(
      Room.Logical,
      0,
      listener('l', (op, operand) => {
        if (op === LogicalOp.Launch) logical.send(hop(LogicalOp.ReadDone, 0), operand)
      }),
    )
    for (let i = 0; i < 3; i++) front.send(hop(LogicalOp.Launch, 0), i)
    services.send(hop(LogicalOp.Incremented, 0), 7)
    front.publish()
    services.publish()
    const own = logical.rings
    expect([0, 1, own].map((i) => logical.waiting(i))).to.deep.equal([1, 3, 0])
    expect(logical.passOf(1, 2)).to.equal(2)
    expect([0, 1, own].map((i) => logical.waiting(i))).to.deep.equal([1, 1, 2])
    expect(logical.passOf(own, 1)).to.equal(1)
    expect(heard).to.deep.equal([
      `l ${LogicalOp.Launch}(0)`,
      `l ${LogicalOp.Launch}(1)`,
      `l ${LogicalOp.ReadDone}(0)`,
    ])
  })

  it('refuses a hop to nowhere, an operand that does not fit, and a zone that is not here', () => {
    const [front, , logical] = reactors
    expect(() => front.send(hop(LogicalOp.Launch, 0), 0x1_0000)).to.throw('an operand is 16 bits')
    expect(() => front.send(Room.Packer << 12, 0)).to.throw('every hop has a thread')
    front.send(hop(LogicalOp.Launch, 1), 0)
    front.publish()
    expect(() => logical.pass()).to.throw('a message reaches the thread of its zone')
  })
})
