import { join } from 'node:path'
import type { FolderLayout } from '../../disk/layout.ts'
import { OwnNames, ownerIn } from '../../disk/unique-names.ts'
import { journalDir } from '../layout.ts'

/** A segment that is written no more, and the files that only it makes durable. */
export interface ClosedSegment {
  readonly path: string
  readonly names: readonly string[]
  /** Whether a sync of them has failed, see `checkpoints.ts`. @default false */
  readonly hasFailed?: boolean
  /** Resolves when each of the files has its name, or never will. */
  settled(): Promise<void>
}

/**
 * The hidden subfolder `.journal` of a folder. Its segments are called `<pid>-<16 hex digits of the
 * journal>-<number>.log`. Beside each there may be files of the same name that end in `.removed`, see
 * `removals.ts`, and in `.failed`, see `checkpoints.ts`.
 */
export class JournalFolder {
  /** The folder whose files the journal is about. */
  readonly layout: FolderLayout
  readonly dir: string
  /** What only the segments of one journal share. */
  readonly journal: string
  readonly #names = new OwnNames(SEGMENT_SUFFIX)

  constructor(layout: FolderLayout) {
    this.layout = layout
    this.dir = journalDir(layout)
    this.journal = this.#names.token
    ourTokens.add(this.journal)
  }

  /** A new path for a segment: no other process, and no other call here, uses it. */
  newPath(): string {
    return join(this.dir, this.#names.next())
  }
}

/** The segments that journals of this process write, or have still to forget. */
export const segmentsInUse: Set<string> = new Set()

/** Who wrote a segment. */
export interface SegmentOwner {
  /** The id of the process. */
  readonly pid: number
  /** Whether it is this very process. */
  readonly ours: boolean
  /** What only the segments of one journal share. */
  readonly journal: string
  /** What that journal wrote later has a higher one. */
  readonly number: number
}

/** Who wrote the segment `name`; undefined where it is none. */
export function segmentOwner(name: string): SegmentOwner | undefined {
  const owner = ownerIn(name, SEGMENT_SUFFIX)
  if (owner === undefined) return undefined
  const { pid, token, number } = owner
  return { pid, ours: ourTokens.has(token), journal: token, number }
}

/** Where it is noted that files of the segment at `path` have been removed. */
export function removedPath(path: string): string {
  return `${path.slice(0, -SEGMENT_SUFFIX.length)}${REMOVED_SUFFIX}`
}

/** There where a sync of the files of the segment at `path` has failed. */
export function failedPath(path: string): string {
  return `${path.slice(0, -SEGMENT_SUFFIX.length)}${FAILED_SUFFIX}`
}

/** Whether `name` is that of such a note; with the name of its segment. */
export function segmentOfNote(name: string): string | undefined {
  const suffix = [REMOVED_SUFFIX, FAILED_SUFFIX].find(end => name.endsWith(end))
  return suffix && `${name.slice(0, -suffix.length)}${SEGMENT_SUFFIX}`
}

const SEGMENT_SUFFIX = '.log'
const REMOVED_SUFFIX = '.removed'
const FAILED_SUFFIX = '.failed'
const ourTokens = new Set<string>()
