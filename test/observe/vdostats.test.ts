import { expect } from 'chai'

import type { VdoStatistics } from '../../src/engine/statistics.js'
import { formatTable, formatVerbose, labelled, usageOf } from '../../src/observe/vdostats.js'
import { sampleStatistics } from './sample-statistics.js'

describe('vdostats', () => {
  it('has the 165 labels of the original, each once', () => {
    const labels = labelled(sampleStatistics()).map(([label]) => label)
    expect(labels).to.have.length(165)
    expect(new Set(labels).size).to.equal(165)
  })

  it('shows every number that is counted', () => {
    const shown = new Set(labelled(sampleStatistics()).map(([, value]) => String(value)))
    const missing = numbersIn(sampleStatistics()).filter((value) => value > 1000 && !shown.has(String(value)))
    expect(missing).to.deep.equal([])
  })

  it('lines up the values of the full form', () => {
    const lines = formatVerbose({ name: 'vdo0', statistics: sampleStatistics() }).split('\n')
    expect(lines[0]).to.equal('vdo0 : ')
    expect(lines[1]).to.match(/^ {2}version {30} : 36$/)
    expect(lines.at(-1)).to.equal('')
    const colons = new Set(lines.slice(1, -1).map((line) => line.indexOf(' : ')))
    expect(colons.size).to.equal(1)
  })

  it('derives what is not counted', () => {
    const values = new Map(labelled(sampleStatistics()))
    expect(values.get('1K-blocks')).to.equal(16_000)
    expect(values.get('1K-blocks used')).to.equal(2000)
    expect(values.get('1K-blocks available')).to.equal(14_000)
    expect(values.get('used percent')).to.equal(13)
    expect(values.get('saving percent')).to.equal(57)
    expect(values.get('journal entries batching')).to.equal(20)
    expect(values.get('journal entries writing')).to.equal(30)
    expect(values.get('journal blocks batching')).to.equal(1)
    expect(values.get('recovery progress (%)')).to.equal('N/A')
    expect(values.get('512 byte emulation')).to.equal('off')
  })

  it('keeps two true decimals of the write amplification', () => {
    const none = { read: 0, write: 0, emptyFlush: 0, discard: 0, flush: 0, fua: 0 }
    const ratio = (incoming: number, meta: number, out: number): unknown =>
      new Map(
        labelled(
          sampleStatistics({
            biosIn: { ...none, write: incoming },
            biosMeta: { ...none, write: meta },
            biosOut: { ...none, write: out },
          }),
        ),
      ).get('write amplification ratio')
    expect(ratio(1000, 30, 504)).to.equal('0.53')
    expect(ratio(3, 1, 4)).to.equal('1.67')
    expect(ratio(0, 1, 0)).to.equal('0.00')
  })

  it('prints the df form in 1K blocks', () => {
    const text = formatTable([{ name: 'vdo0', statistics: sampleStatistics() }], '1k')
    expect(text).to.equal(
      'Device 1k-blocks      Used Available Use% Space saving%\n' +
        'vdo0       16000      2000     14000  13%           57%\n',
    )
  })

  it('prints the df form for people, in either kind of thousand', () => {
    const volumes = [
      { name: 'a-longer-name', statistics: sampleStatistics({ physicalBlocks: 10 ** 9 }) },
      { name: 'b', statistics: sampleStatistics() },
    ]
    expect(formatTable(volumes, '1024')).to.equal(
      'Device             Size      Used Available Use% Space saving%\n' +
        'a-longer-name      3.7T      2.0M      3.7T   0%           57%\n' +
        'b                 15.6M      2.0M     13.7M  13%           57%\n',
    )
    expect(formatTable(volumes, '1000').split('\n')[1]).to.match(/4\.1T +2\.0M +4\.1T/)
  })

  it('says N/A where a number cannot be known', () => {
    const row = (changes: Partial<VdoStatistics>): string[] =>
      formatTable([{ name: 'v', statistics: sampleStatistics(changes) }], '1k')
        .split('\n')[1]
        .split(/ +/)
    const recovering = { mode: 'recovering', inRecoveryMode: true, recoveryPercentage: 40 }
    expect(row(recovering)).to.deep.equal(['v', '16000', 'N/A', 'N/A', 'N/A', 'N/A'])
    expect(row({ logicalBlocksUsed: 0, dataBlocksUsed: 0 }).at(-1)).to.equal('N/A')
    expect(row({ logicalBlocksUsed: 10, dataBlocksUsed: 11 }).at(-1)).to.equal('N/A')
    expect(usageOf(sampleStatistics(recovering))).to.equal(undefined)

    const lines = new Map(labelled(sampleStatistics(recovering)))
    expect(lines.get('recovery progress (%)')).to.equal(40)
    const unknown = [...lines].filter(([, value]) => value === 'N/A').map(([label]) => label)
    expect(unknown).to.have.members([
      'data blocks used',
      'overhead blocks used',
      'logical blocks used',
      '1K-blocks used',
      '1K-blocks available',
      'used percent',
      'saving percent',
    ])
    expect(row({ mode: 'read-only' })).to.deep.equal(['v', '16000', 'N/A', 'N/A', 'N/A', 'N/A'])
    const readOnly = new Map(labelled(sampleStatistics({ mode: 'read-only' })))
    expect(readOnly.get('data blocks used')).to.equal('N/A')
    expect(readOnly.get('logical blocks used')).to.equal(700)
  })
})

function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : []
}
