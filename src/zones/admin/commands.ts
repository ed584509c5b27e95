/**
 * What each administrative command does, as tables: from which state it may start, its steps in order, and the
 * state that it ends in. A drain visits producers before consumers, so that nothing new reaches a room that is
 * done; a start goes the other way.
 */
import { VolumeState } from '../../format/super-block.js'
import { AdminCommand, RepairStep, Room } from '../../vio/opcodes.js'
import { LoadKind } from '../../vio/volume.js'

/** How the volume stands, as the admin zone sees it. */
export enum AdminState {
  /** Opened, not loaded. */
  Initial = 0,
  Running,
  /** Nothing is in flight; dirty things are dirty still. */
  Suspended,
  /** Nothing is in flight, and all that there was is on disk. */
  Saved,
  /** A load failed. */
  Failed,
}

/** Every zone of a room, one after the other. */
export interface RoomStep {
  readonly kind: 'room'
  readonly room: Room
  /** What the zones are asked; the command itself if it is null. */
  readonly ask: RepairStep | null
}

/** A flush of the store. */
export interface FlushStep {
  readonly kind: 'flush'
}

/**
 * The super block is written with a state; not in read-only mode, and not clean after an error. A volume that saves
 * before its last slab is scrubbed is not CLEAN but RECOVERING. (dm-vdo leaves that word on the disk when it resumes,
 * and would lose what a crash then finds in the journal; here it becomes DIRTY like CLEAN does.)
 */
export interface SuperBlockStep {
  readonly kind: 'super block'
  readonly state: VolumeState
}

export type Step = RoomStep | FlushStep | SuperBlockStep

export interface Sequence {
  readonly steps: readonly Step[]
  readonly endsIn: AdminState
}

const room = (which: Room, ask: RepairStep | null = null): RoomStep => ({ kind: 'room', room: which, ask })
const FLUSH: FlushStep = { kind: 'flush' }
const superBlock = (state: VolumeState): SuperBlockStep => ({ kind: 'super block', state })

/** What serves requests, from those who answer to those who ask. */
const OPEN: readonly Step[] = [
  room(Room.Logical),
  room(Room.Hash),
  room(Room.Packer),
  room(Room.Flush),
  room(Room.Index),
]

const LOAD: readonly Step[] = [
  room(Room.Journal),
  room(Room.Physical),
  superBlock(VolumeState.Dirty),
  ...OPEN,
]

/** What repair has changed in the map goes to the disk, and is stable there. */
const WRITE_MAP: readonly Step[] = [room(Room.Logical, RepairStep.Recover), FLUSH]

/** A new life begins: with the super block the old journal is history. */
const RESTART: readonly Step[] = [
  room(Room.Repair, RepairStep.Restart),
  superBlock(VolumeState.Dirty),
  room(Room.Journal),
  room(Room.Physical),
  ...OPEN,
]

/**
 * After a crash. The journal is replayed into the map, and then, with the map on disk, into the slab journals. Each step
 * up to the super block can be done again, so a crash at any point is one crash more.
 */
const RECOVER: readonly Step[] = [
  room(Room.Repair, RepairStep.Recover),
  ...WRITE_MAP,
  room(Room.Physical, RepairStep.Recover),
  room(Room.Repair, RepairStep.ReplaySlabs),
  room(Room.Physical, RepairStep.ReplaySlabs),
  ...RESTART,
]

/**
 * The map is trusted, with what the journal can still add to it; journals, summary and counts of all slabs are made anew.
 * The state on disk asks for a rebuild until it is done, so one that is cut short is begun again.
 */
const REBUILD: readonly Step[] = [
  room(Room.Repair, RepairStep.Recover),
  ...WRITE_MAP,
  room(Room.Physical, RepairStep.Forget),
  room(Room.Repair, RepairStep.Recount),
  ...WRITE_MAP,
  room(Room.Physical, RepairStep.SaveCounts),
  ...RESTART,
]

/**
 * Whether a step is one of the load of a volume that is only read. Slabs are not looked at: nothing is allocated,
 * counted or shared. The index stays closed, for it would write.
 */
const isForReading = (step: Step): boolean =>
  step.kind === 'room' && step.ask === null && step.room !== Room.Physical && step.room !== Room.Index

/** What is left of a load that failed at a step, if the volume is only to be read. */
export function restForReading({ steps, endsIn }: Sequence, from: number): Sequence {
  return { steps: [room(Room.Repair, RepairStep.GiveUp), ...steps.slice(from).filter(isForReading)], endsIn }
}

/** How a volume is loaded, by what it needs. */
export const LOADS: Readonly<Record<LoadKind, Sequence>> = {
  [LoadKind.Normal]: { steps: LOAD, endsIn: AdminState.Running },
  [LoadKind.Recovery]: { steps: RECOVER, endsIn: AdminState.Running },
  [LoadKind.Rebuild]: { steps: REBUILD, endsIn: AdminState.Running },
  [LoadKind.Upgrade]: { steps: REBUILD, endsIn: AdminState.Running },
  [LoadKind.ReadOnly]: { steps: LOAD.filter(isForReading), endsIn: AdminState.Running },
}

const DRAIN: readonly Step[] = [
  room(Room.Packer),
  room(Room.Hash),
  room(Room.Index),
  room(Room.Flush),
  FLUSH,
  room(Room.Logical),
  room(Room.Journal),
  room(Room.Physical),
]

const START: readonly Step[] = [
  room(Room.Physical),
  room(Room.Journal),
  room(Room.Logical),
  room(Room.Index),
  room(Room.Hash),
  room(Room.Packer),
  room(Room.Flush),
]

/** What each command but Load does in each state; a state that is not listed refuses it. */
export const SEQUENCES: Readonly<
  Record<Exclude<AdminCommand, AdminCommand.Load>, Partial<Record<AdminState, Sequence>>>
> = {
  [AdminCommand.Suspend]: {
    [AdminState.Running]: { steps: DRAIN, endsIn: AdminState.Suspended },
    [AdminState.Suspended]: { steps: [], endsIn: AdminState.Suspended },
  },
  [AdminCommand.Save]: {
    [AdminState.Running]: { steps: [...DRAIN, superBlock(VolumeState.Clean)], endsIn: AdminState.Saved },
    [AdminState.Saved]: { steps: [], endsIn: AdminState.Saved },
  },
  [AdminCommand.Resume]: {
    [AdminState.Suspended]: { steps: START, endsIn: AdminState.Running },
    [AdminState.Saved]: { steps: [superBlock(VolumeState.Dirty), ...START], endsIn: AdminState.Running },
    [AdminState.Running]: { steps: [], endsIn: AdminState.Running },
  },
}
