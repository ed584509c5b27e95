import { expect } from 'chai'
import { ConditionWatch, type Remark } from '../../src/cli/condition.js'
import { VolumeState } from '../../src/format/super-block.js'

const MEND = 'vdo force-rebuild v'
const said = (remark: Remark | null): string | null => remark && `${remark.level} ${remark.sentence}`

/** What is said of a volume in this state, and then as it goes through modes. */
function story(state: VolumeState, ...modes: string[]): (string | null)[] {
  const watch = new ConditionWatch(state, MEND)
  const look = (mode: string): string | null =>
    said(watch.look({ mode, readOnlyReason: mode === 'read-only' ? 'the store failed' : null }))
  return [said(watch.found), ...modes.map(look)]
}

describe('what a server says of its volume', () => {
  it('is nothing while all is well', () => {
    for (const state of [VolumeState.New, VolumeState.Clean]) {
      expect(story(state, 'normal', 'normal')).to.deep.equal([null, null, null])
    }
  })

  it('is that it recovers, and once that it has', () => {
    const [found, ...then] = story(VolumeState.Dirty, 'recovering', 'recovering', 'normal', 'normal')
    expect(found).to.match(/^info The volume was not closed: its journal is replayed first/)
    expect(then).to.deep.equal([null, null, 'info The volume has recovered', null])
    expect(story(VolumeState.Recovering)[0]).to.match(/^info The volume was closed before it had recovered/)
  })

  it('is that it is rebuilt', () => {
    expect(story(VolumeState.ForceRebuild, 'normal')[0]).to.match(/^warn The volume is rebuilt first/)
  })

  it('is that it was read-only before, and what ends that', () => {
    expect(story(VolumeState.ReadOnly, 'read-only', 'read-only')).to.deep.equal([
      'warn The volume is in read-only mode, since an error or by command. ' +
        `It can be read, and takes no writes. To repair it, stop, and serve it again after: ${MEND}`,
      null,
      null,
    ])
  })

  it('is that it has become read-only, why, and what ends that', () => {
    expect(story(VolumeState.Clean, 'normal', 'read-only', 'read-only').slice(2)).to.deep.equal([
      'error The volume has become read-only: the store failed. ' +
        `It can be read, and takes no writes. To repair it, stop, and serve it again after: ${MEND}`,
      null,
    ])
  })

  it('is, after a recovery that failed, that its data may be old', () => {
    const [, opened] = story(VolumeState.Dirty, 'read-only')
    expect(opened)
      .to.match(/^error The volume came up read-only: the store failed\. What is read may be older/)
      .and.contain(MEND)
  })
})
