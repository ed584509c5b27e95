/** Faults that the judges must find, by what they break. */
import { type Mutant, mutant } from './mutant.js'

const JOURNAL = 'zones/journal/journal-zone'
const SLAB_JOURNAL = 'zones/physical/slab-journal'
const SUMMARY = 'zones/physical/slab-summary'
const COUNTS = 'zones/physical/reference-counts'
const PHYSICAL = 'zones/physical/physical-zone'
const WRITE_OUT = 'zones/logical/write-out'
const REBUILDER = 'zones/physical/rebuilder'
const SCRUBBER = 'zones/physical/scrubber'
const PAGE_CACHE = 'zones/logical/page-cache'
const DIRTY_LISTS = 'zones/logical/dirty-lists'
const LOGICAL = 'zones/logical/logical-zone'
const HASH = 'zones/hash/hash-zone'
const PACKER = 'zones/packer/packer-zone'
const FLUSH = 'zones/flush/flush-zone'
const BIO = 'zones/bio/bio-zone'
const SUPER = 'zones/admin/super-block-writer'

/** Preflush, FUA and flushes left out: each row of the table of flags, and the device room that serves them. */
const FLUSHES: readonly Mutant[] = [
  mutant('recovery journal without preflush', JOURNAL, 'IoFlag.Preflush | IoFlag.Fua,', 'IoFlag.Fua,'),
  mutant('recovery journal without FUA', JOURNAL, 'IoFlag.Preflush | IoFlag.Fua,', 'IoFlag.Preflush,'),
  mutant(
    'recovery journal reaped without flush',
    JOURNAL,
    'post.send(hop(BioOp.Flush, placement.writer), vio)',
    'post.send(hop(JournalOp.Flushed, 0), vio)',
  ),
  mutant(
    'slab journal reaped without flush',
    SLAB_JOURNAL,
    'post.send(hop(BioOp.Flush, placement.writer), vio)',
    'post.send(hop(PhysicalOp.SlabJournalFlushed, zone), vio)',
  ),
  mutant('slab summary without preflush', SUMMARY, 'target, buffer, IoFlag.Preflush,', 'target, buffer, 0,'),
  mutant('reference blocks without preflush', COUNTS, 'buffer, IoFlag.Preflush, back', 'buffer, 0, back'),
  mutant(
    'pages written without flush',
    WRITE_OUT,
    'post.send(hop(BioOp.Flush, placement.writer), vio)',
    'post.send(this.afterFlush, vio)',
  ),
  mutant('second write of a page without preflush', WRITE_OUT, 'at, IoFlag.Preflush,', 'at, 0,'),
  mutant('super block without preflush', SUPER, 'IoFlag.Preflush | IoFlag.Fua', 'IoFlag.Fua'),
  mutant('super block without FUA', SUPER, 'IoFlag.Preflush | IoFlag.Fua', 'IoFlag.Preflush'),
  mutant(
    'user flush without flush',
    FLUSH,
    'post.send(hop(BioOp.Flush, placement.writer), vio)',
    'post.send(hop(FlushOp.Flushed, 0), vio)',
  ),
  mutant('FUA ignored by the device room', BIO, '(vios.ioFlags[vio] & IoFlag.Fua) === 0', 'true'),
  mutant('preflush ignored by the device room', BIO, '(flags & IoFlag.Preflush) === 0', 'true'),
  mutant(
    'a sync under way is joined',
    BIO,
    'this.queues.push(NEXT_SYNC, vio)',
    'this.queues.push(this.syncing ? THIS_SYNC : NEXT_SYNC, vio)',
  ),
  mutant('a failed sync is forgotten', BIO, 'if (status !== Status.Success) {', 'if (false) {'),
  mutant('a read-only volume is written to', BIO, 'boards.readOnlyReason === Status.Success', 'vio >= 0'),
]

const JOURNALS: readonly Mutant[] = [
  mutant(
    'recovery journal acknowledged before it is durable',
    JOURNAL,
    'post.send(hop(BioOp.Write, placement.writer), vio)',
    'post.send(hop(BioOp.Write, placement.writer), vio), this.releaseEntries(slot)',
  ),
  {
    name: 'increment after decrement',
    edits: [
      { file: JOURNAL, find: 'post.send(decrement, vio)', replace: 'void decrement' },
      {
        file: JOURNAL,
        find: 'vios.decrementStatus[vio] = Status.Success',
        replace: 'vios.decrementStatus[vio] = Status.Success, post.send(decrement, vio)',
      },
    ],
  },
  mutant(
    'recovery journal reaped while something holds it',
    'zones/journal/journal-ring',
    'this.locks.isHeld(sequence, kind)',
    'false',
  ),
  mutant(
    'recovery journal set back by a save',
    JOURNAL,
    'this.context.boards.journalNext = this.readOnly ? this.ring.head : this.ring.tail',
    'this.context.boards.journalNext = this.ring.tail - 1',
  ),
  mutant(
    'slab journal goes on after a partial block',
    SLAB_JOURNAL,
    'this.isPartialWriteOpen = !this.isFull',
    'this.isPartialWriteOpen = false',
  ),
  mutant(
    'stale slab journal head',
    SLAB_JOURNAL,
    'if (tail - this.stableHead >= this.size) {',
    'if (this.size < 0) {',
  ),
  mutant(
    'recovery journal let go before the summary counts',
    SLAB_JOURNAL,
    'this.inFlight[position] = 0',
    'this.inFlight[position] = 0, this.recoveryLocks[position] > 0 && keeper.journalLocks.release(this.recoveryLocks[position]), this.recoveryLocks[position] = 0',
  ),
  mutant(
    'slab journal let go before counts are written',
    COUNTS,
    'this.journalLock[block] = position',
    'this.slab.journal.adjustLock(position, -1)',
  ),
  mutant(
    'slab journal let go before all counts were ever written',
    SLAB_JOURNAL,
    'slab.counts.lockAll(position)',
    'slab.counts.dirtyBlocks * 0',
  ),
]

const COUNTING: readonly Mutant[] = [
  mutant(
    'one reference too many',
    COUNTS,
    'return Math.max(0, maximumReferences - count)',
    'return Math.max(0, maximumReferences + 1 - count)',
  ),
  mutant(
    'a fresh block shared once too often',
    PHYSICAL,
    'this.locks.downgrade(lock, shape.maximumReferences - 1)',
    'this.locks.downgrade(lock, shape.maximumReferences)',
  ),
  mutant(
    'provisional reference leaked',
    PHYSICAL,
    'slab.counts.releaseProvisional(block - slab.origin)',
    'void slab.counts',
  ),
  mutant('a locked block is freed', COUNTS, 'if (lock !== NO_LOCK) {', 'if (block < 0) {'),
  mutant(
    'a block shared while it is written',
    PHYSICAL,
    'this.locks.kind(lock) !== PbnLockKind.Read',
    'this.locks.kind(lock) !== PbnLockKind.Read && this.locks.downgrade(lock, limit)',
  ),
  mutant(
    'a slab called clean too early',
    COUNTS,
    '!keeper.isReadOnly && this.active === 0 && this.dirtyCount === 0',
    '!keeper.isReadOnly && this.active === 0',
  ),
  mutant(
    'counts written with the commit point of the entry before',
    COUNTS,
    'first, this.pointSequence, this.pointIndex)',
    'first, this.pointSequence, Math.max(0, this.pointIndex - 1))',
  ),
  mutant(
    'summary copies not combined',
    SUMMARY,
    'summaryZoneOf(slab, volume.savedPhysicalZones), slab',
    'summaryZoneOf(0, volume.savedPhysicalZones), slab',
  ),
]

const MAP: readonly Mutant[] = [
  mutant(
    'map changed before the entry is durable',
    LOGICAL,
    'vios.decrementStatus[vio] = Status.Success',
    'vios.decrementStatus[vio] = Status.Success, writeEntry(this.context.arena, this.cache.at(page), vios.pageSlot[vio], vios.newPbn[vio], vios.newState[vio])',
  ),
  {
    name: 'page lets its journal block go when its write begins',
    edits: [
      {
        file: DIRTY_LISTS,
        find: 'this.writingLocks[row] = this.locks[row]',
        replace: 'this.writingLocks[row] = this.locks[row], this.journalLocks.release(this.locks[row])',
      },
      {
        file: DIRTY_LISTS,
        find: 'this.journalLocks.release(this.writingLocks[row])',
        replace: 'void this.journalLocks',
      },
    ],
  },
  mutant(
    'leaves first written once',
    WRITE_OUT,
    'this.cache.place(row), this.cache.at(row), 0, this.afterLeaf',
    'this.cache.place(row), (setPageInitialized(this.context.arena, this.cache.at(row), true), this.cache.at(row)), 0, this.afterLeaf',
  ),
  mutant('interior pages first written once', 'zones/logical/forest', 'place, false)', 'place, true)'),
  {
    name: 'a page changed after its flush is written',
    edits: [
      { file: DIRTY_LISTS, find: 'this.retouched[row] !== 0', replace: 'row < 0' },
      { file: DIRTY_LISTS, find: 'this.retouched[row] === 0', replace: 'row >= 0' },
    ],
  },
  {
    name: 'LBN lock released early',
    edits: [
      {
        file: LOGICAL,
        find: 'this.want(vio, Want.OldMapping)',
        replace:
          'this.skips[vio] = -1, this.unlock(vio, this.context.vios.lbn[vio]), this.want(vio, Want.OldMapping)',
      },
      {
        file: LOGICAL,
        find: 'this.unlock(vio, vios.lbn[vio])',
        replace: 'this.skips[vio] === -1 ? (this.skips[vio] = 0) : this.unlock(vio, vios.lbn[vio])',
      },
    ],
  },
  mutant(
    'a write that may be refused is read',
    LOGICAL,
    'Atomics.load(vios.allocationSucceeded, holder) !== 0',
    '!vios.isRead(holder)',
  ),
  mutant(
    'a dirty page is dropped for another',
    PAGE_CACHE,
    'if (this.states[page] === PageState.Resident) {',
    'if (this.states[page] !== PageState.Outgoing) {',
  ),
]

const RECOVERY: readonly Mutant[] = [
  mutant(
    'entries that counts show are applied to them again',
    SCRUBBER,
    'committed > sequence || (committed === sequence && this.pointIndices[sector] >= index)',
    'index < 0',
  ),
  mutant(
    'counts of a rebuilt slab written where something was counted',
    REBUILDER,
    'slab.counts.dirtyAll()',
    'void slab.counts',
  ),
  mutant(
    'slab journals not erased by a rebuild',
    REBUILDER,
    'post.send(hop(BioOp.Write, placement.writer), vio)',
    'post.send(hop(PhysicalOp.SlabJournalErased, zone), vio)',
  ),
  mutant(
    'a rebuild that could not erase a slab journal goes on',
    REBUILDER,
    'if (status !== Status.Success)',
    'if (status < 0)',
  ),
  mutant('erased slab journals not zeroed', REBUILDER, 'arena.fill(0, at, at + BLOCK_SIZE)', 'void at'),
]

const DATA: readonly Mutant[] = [
  mutant('verify skipped', HASH, 'const equal = vios.isDuplicate[agent] === 1', 'const equal = true'),
  {
    // To go on with the lock is not enough: nobody can claim a reference to a block whose write lock was not
    // downgraded, so that all who wait would fork. They must also do without claims.
    name: 'hash lock kept past a write error',
    edits: [
      {
        file: HASH,
        find: 'this.context.vios.status[vio] !== Status.Success',
        replace: 'this.context.vios.status[vio] !== Status.Success && state !== HashLockState.Writing',
      },
      {
        file: HASH,
        find: 'this.share(lock, waiter)',
        replace:
          'this.context.vios.status[agent] === Status.Success ? this.share(lock, waiter) : this.launchShare(lock, waiter)',
      },
    ],
  },
  mutant(
    'a write error is overlooked',
    BIO,
    'this.context.vios.fail(vio, status)',
    'this.stages[vio] !== Stage.Writing && this.context.vios.fail(vio, status)',
  ),
  mutant(
    'zero elimination off by a byte',
    'engine/vio-loader',
    'native.isZero(vios.dataAt(vio), BLOCK_SIZE)',
    'native.isZero(vios.dataAt(vio), BLOCK_SIZE - 1)',
  ),
  mutant(
    'zero elimination of merged blocks off by a byte',
    'zones/cpu/cpu-zone',
    'native.isZero(vios.dataAt(vio), BLOCK_SIZE)',
    'native.isZero(vios.dataAt(vio) + 1, BLOCK_SIZE - 1)',
  ),
  mutant(
    'packer fragment reused',
    PACKER,
    'vios.packedSlot[client] = slot++',
    'vios.packedSlot[client] = slot++ - (slot > 2 ? 1 : 0)',
  ),
  mutant(
    'a fragment that somebody waits for is packed',
    PACKER,
    'if (mayCompress(vios.compression, vio)) {',
    'if (vio >= 0) {',
  ),
  mutant(
    'flush does not wait for older writes',
    FLUSH,
    'vios.flushGeneration[vio] >= oldest',
    'vios.flushGeneration[vio] >= oldest + 9',
  ),
  mutant('FUA acknowledged early', 'vio/write-path', '!vios.has(vio, VioFlag.Fua) && vios', 'vios'),
  mutant(
    'acknowledged without a block',
    LOGICAL,
    'if (needsBlock(vios, vio)) {',
    'if (needsBlock(vios, vio)) { if (mayAcknowledge(vios, vio)) { vios.acknowledged[vio] = 1; post.send(hop(FrontOp.Acknowledge, 0), vio) }',
  ),
]

export const MUTANTS: readonly Mutant[] = [...FLUSHES, ...JOURNALS, ...COUNTING, ...MAP, ...DATA, ...RECOVERY]
