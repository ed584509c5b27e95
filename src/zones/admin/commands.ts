/**
 * What each administrative command does, as tables: from which state it may start, its steps in order, and the
 * state that it ends in. A drain visits producers before consumers, so that nothing new reaches a room that is
 * done; a start goes the other way.
 */
import { VolumeState } from '../../format/super-block.js'
import { AdminCommand, Room } from '../../vio/opcodes.js'

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
}

/** A flush of the store. */
export interface FlushStep {
  readonly kind: 'flush'
}

/** The super block is written with a state; not in read-only mode, and not clean after an error. */
export interface SuperBlockStep {
  readonly kind: 'super block'
  readonly state: VolumeState
}

export type Step = RoomStep | FlushStep | SuperBlockStep

export interface Sequence {
  readonly steps: readonly Step[]
  readonly endsIn: AdminState
}

const room = (which: Room): RoomStep => ({ kind: 'room', room: which })
const superBlock = (state: VolumeState): SuperBlockStep => ({ kind: 'super block', state })

const LOAD: readonly Step[] = [
  room(Room.Journal),
  room(Room.Physical),
  superBlock(VolumeState.Dirty),
  room(Room.Logical),
  room(Room.Hash),
  room(Room.Packer),
  room(Room.Flush),
  room(Room.Index),
]

const DRAIN: readonly Step[] = [
  room(Room.Packer),
  room(Room.Hash),
  room(Room.Index),
  room(Room.Flush),
  { kind: 'flush' },
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

/** What a command does in each state; a state that is not listed refuses it. */
export const SEQUENCES: Readonly<Record<AdminCommand, Partial<Record<AdminState, Sequence>>>> = {
  [AdminCommand.Load]: {
    [AdminState.Initial]: { steps: LOAD, endsIn: AdminState.Running },
  },
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
