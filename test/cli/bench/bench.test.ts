import { expect } from 'chai'
import { run, VDO } from '../../tools.js'

/** What `--json` prints, as far as it is looked at. */
interface Told {
  readonly results: readonly Readonly<Record<string, unknown>>[]
  readonly index: readonly unknown[]
}

describe('vdo bench', function () {
  this.timeout(120_000)

  it('measures a row on a file, proves it by the statistics, and audits the volume', async () => {
    const blocks = 3000
    const words = `--store file --threads tiny --row unique --depth 16 --blocks ${blocks} --seconds 0 --no-index --json`
    const { status, stdout, stderr } = await run(process.execPath, [VDO, 'bench', ...words.split(' ')])
    expect(status, stderr).to.equal(0)
    const { results, index } = JSON.parse(stdout) as Told
    expect(results).to.have.length(1)
    const [result] = results
    expect(result).to.include({ store: 'file', profile: 'tiny', names: 'index', row: 'unique write' })
    expect(result).to.include({ depth: 16, blocks, isProven: true, problems: 0 })
    expect(result['blocksPerSecond']).to.be.above(0)
    expect(index).to.deep.equal([])
  })
})
