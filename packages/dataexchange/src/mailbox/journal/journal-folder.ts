import { join } from 'node:path'
import type { FolderLayout } from '../../disk/layout.ts'
import { ownerIn, UniqueNames } from '../../disk/unique-names.ts'
import { journalDir } from '../layout.ts'

/** A retired segment, as the checkpoints take it. */
export interface ClosedSegment {
  readonly path: string
  /** The files whose entries it has. */
  readonly names: readonly string[]
  /** Whether a sync of the files has failed: there is a `.failed`. @default false */
  readonly hasFailed?: boolean
  /** Resolves when each file has its name, or never will. */
  settled(): Promise<void>
}

/**
 * The hidden subfolder `.journal`. Its segments are named `<pid>-<16 hex digits of the journal>-<number>.log`. Beside a
 * segment there can be its tombstones (`.removed`) and the mark of a failed sync (`.failed`).
 */
export class JournalFolder {
  /** The folder whose files the journal makes durable. */
  readonly layout: FolderLayout
  readonly dir: string
  /** The id of this journal, in the names of its segments. */
  readonly journal: string
  readonly #names = new UniqueNames(SEGMENT_SUFFIX)

  constructor(layout: FolderLayout) {
    this.layout = layout
    this.dir = journalDir(layout)
    this.journal = this.#names.token
    ourTokens.add(this.journal)
  }

  /** A path for a segment that no other process, and no other call, uses. */
  newPath(): string {
    return join(this.dir, this.#names.next())
  }
}

/** The segments that this process appends to or has yet to checkpoint. */
export const segmentsInUse: Set<string> = new Set()

/** The writer of a segment, and its number. */
export interface SegmentOwner {
  /** The process id. */
  readonly pid: number
  /** Whether it is this process. */
  readonly ours: boolean
  /** The id of the journal. */
  readonly journal: string
  /** Segments of one journal are numbered in order. */
  readonly number: number
}

/** The writer of the segment `name`, or undefined if that is not the name of a segment. */
export function segmentOwner(name: string): SegmentOwner | undefined {
  const owner = ownerIn(name, SEGMENT_SUFFIX)
  if (owner === undefined) return undefined
  const { pid, token, number } = owner
  return { pid, ours: ourTokens.has(token), journal: token, number }
}

/** The path of the tombstones of the segment at `path`. */
export function tombstonesPath(path: string): string {
  return `${path.slice(0, -SEGMENT_SUFFIX.length)}${TOMBSTONES_SUFFIX}`
}

/** The path of the mark that a sync of the files of the segment at `path` has failed. */
export function failedPath(path: string): string {
  return `${path.slice(0, -SEGMENT_SUFFIX.length)}${FAILED_SUFFIX}`
}

/** The name of the segment that the sidecar `name` belongs to, or undefined if it is not a sidecar. */
export function segmentOfSidecar(name: string): string | undefined {
  const suffix = [TOMBSTONES_SUFFIX, FAILED_SUFFIX].find(end => name.endsWith(end))
  return suffix && `${name.slice(0, -suffix.length)}${SEGMENT_SUFFIX}`
}

const SEGMENT_SUFFIX = '.log'
const TOMBSTONES_SUFFIX = '.removed'
const FAILED_SUFFIX = '.failed'
const ourTokens = new Set<string>()
