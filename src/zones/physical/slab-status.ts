/** How far a slab is from being of use: whether its counts are in memory, and how urgent it is to have them there. */
export enum SlabStatus {
  Rebuilt = 0,
  RequiresScrubbing = 1,
  RequiresHighPriorityScrubbing = 2,
  /** The scrubber is at work on it. */
  Rebuilding = 3,
}
