/**
 * The story of a run that fails, for a person: what was found wrong, how to see it again, what the client asked, what
 * the volume is like, and every message that led there, or the last of them.
 */
import { playSeed } from './play-seed.js'
import type { ScenarioOptions } from './scenario.js'
import { TraceKind } from './trace.js'

/** So many lines of what happened are told at least, if there are so many; much earlier ones are only counted. */
const MOST_LINES = 50_000

export interface StoryHead {
  /** The command that replays it. */
  readonly replay: string
  /** How it became as small as it is. */
  readonly shrinking: string
}

/** Runs what fails once more, and gives the lines of its story; the first says what is wrong. */
export function tellStory(options: ScenarioOptions, { replay, shrinking }: StoryHead): string[] {
  const story = new Story()
  const sentence = sentenceOf({ ...options, trace: (line, kind) => story.hear(line, kind) })
  return [sentence, `replay: ${replay}`, shrinking, '', ...story.lines()]
}

function sentenceOf(options: ScenarioOptions): string {
  try {
    playSeed(options)
    return `seed ${options.seed} is well`
  } catch (error) {
    return (error as Error).message
  }
}

class Story {
  private readonly asked: string[] = []
  private readonly happened: string[] = []
  private sessions = 0
  private isInShape = false
  private leftOut = 0

  hear(line: string, kind: TraceKind): void {
    const isShape = kind === TraceKind.Shape
    if (isShape && !this.isInShape) this.beginSession()
    this.isInShape = isShape
    this.happened.push(isShape ? `  ${line}` : line)
    if (kind === TraceKind.Request || kind === TraceKind.Note) this.asked.push(line)
    if (this.happened.length > 2 * MOST_LINES) this.leftOut += this.happened.splice(0, MOST_LINES).length
  }

  lines(): string[] {
    return [
      'WHAT THE CLIENT ASKED: event, virtual time, request',
      ...this.asked,
      '',
      'WHAT HAPPENED: event, thread, room with zone, message, operand',
      ...(this.leftOut > 0 ? [`the first ${this.leftOut} lines are left out`] : []),
      ...this.happened,
    ]
  }

  private beginSession(): void {
    this.sessions++
    for (const lines of [this.asked, this.happened]) lines.push('', `session ${this.sessions}`)
  }
}
