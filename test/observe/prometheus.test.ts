import { expect } from 'chai'
import { formatPrometheus } from '../../src/observe/prometheus.js'
import { sampleStatistics } from './sample-statistics.js'

describe('statistics for Prometheus', () => {
  it('give every number of every volume once, typed by what it can do', async () => {
    const statistics = sampleStatistics()
    const text = await formatPrometheus([
      { name: 'a', statistics },
      { name: 'b"\\', statistics: sampleStatistics({ dataBlocksUsed: 7, mode: 'read-only' }) },
    ])
    const lines = text.split('\n')
    expect(lines).to.include.members([
      '# TYPE vdo_data_blocks_used gauge',
      'vdo_data_blocks_used{volume="a"} 300',
      'vdo_data_blocks_used{volume="b\\"\\\\"} 7',
      '# TYPE vdo_journal_entries_written_total counter',
      'vdo_journal_entries_written_total{volume="a"} 70',
      'vdo_mode{volume="a",mode="normal"} 1',
      'vdo_mode{volume="b\\"\\\\",mode="normal"} 0',
      'vdo_mode{volume="b\\"\\\\",mode="read-only"} 1',
      '# TYPE vdo_current_vios_in_progress gauge',
      '# TYPE vdo_errors_invalid_advice_pbn_count_total counter',
    ])
    const leaves = (group: object): number =>
      Object.values(group).reduce<number>(
        (sum, value: unknown) =>
          sum +
          (typeof value === 'object' && value !== null ? leaves(value) : typeof value === 'string' ? 0 : 1),
        0,
      )
    const samples = lines.filter((line) => line.includes('volume="a"') && !line.startsWith('vdo_mode'))
    expect(new Set(samples.map((line) => line.split('{')[0])).size)
      .to.equal(samples.length)
      .and.equal(leaves(statistics))
    expect(lines.filter((line) => !/^(#.*|vdo_[a-z0-9_]+\{.*\} [\d.e+]+|)$/.test(line))).to.deep.equal([])
  })
})
