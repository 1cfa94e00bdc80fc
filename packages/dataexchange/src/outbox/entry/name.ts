import { isMessageId } from '../../wire/message-id.ts'

/** The parts of an entry's file name: counting and ordering need only the listing of the folder. */
export interface EntryName {
  /** Sort key: µs since the Unix epoch when it was added, or the next free number. */
  readonly seq: number
  /** Size of the file. */
  readonly bytes: number
  /** The message's id. */
  readonly id: string
}

/** The message. Never changes. */
export const ENTRY_SUFFIX = '.msg'
/** The state of its tries. Written at each try; its loss does no harm. */
export const STATE_SUFFIX = '.try'
/** The state of a failed entry, with the reason. */
export const FAILED_SUFFIX = '.failed'

/** The name for a notification without a changed file. */
export const NO_FILE = ''

/** The file name without suffix, which the three files of an entry share. */
export function entryStem({ seq, bytes, id }: EntryName): string {
  return `${String(seq).padStart(16, '0')}-${bytes}-${id}`
}

/** Parses `stem`; undefined if it is not of an entry. */
export function parseStem(stem: string): EntryName | undefined {
  const [, seq, bytes, id = ''] = STEM.exec(stem) ?? []
  if (seq === undefined || !isMessageId(id)) return undefined
  return { seq: Number(seq), bytes: Number(bytes), id }
}

/** Splits `name` into stem and suffix; undefined if it is not a file of the outbox. */
export function splitName(name: string): { stem: string; suffix: string } | undefined {
  for (const suffix of [ENTRY_SUFFIX, STATE_SUFFIX, FAILED_SUFFIX]) {
    if (name.endsWith(suffix)) return { stem: name.slice(0, -suffix.length), suffix }
  }
  return undefined
}

const STEM = /^(\d{16})-(\d{1,15})-(.+)$/s
