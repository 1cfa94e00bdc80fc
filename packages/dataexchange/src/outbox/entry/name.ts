import { isMessageId } from '../../wire/message-id.ts'

/** What the name of an entry's file tells, so that a look at the folder is enough to count and to order. */
export interface EntryName {
  /** Where it stands in the order: µs since the Unix epoch when it was added, or later by what it takes to be new. */
  readonly seq: number
  /** Of the file. */
  readonly bytes: number
  /** The id of the message. */
  readonly id: string
}

/** An entry: the message, never changed once it is there. */
export const ENTRY_SUFFIX = '.msg'
/** What the tries so far came to; written anew at each, lost without harm. */
export const STATE_SUFFIX = '.try'
/** Why it is not tried any more. */
export const FAILED_SUFFIX = '.failed'

/** The name to ring a watcher with where no file has changed. */
export const NO_FILE = ''

/** The name without its suffix: the three files of an entry share it. */
export function entryStem({ seq, bytes, id }: EntryName): string {
  return `${String(seq).padStart(16, '0')}-${bytes}-${id}`
}

/** What `stem` tells, or undefined where it is not of an entry. */
export function parseStem(stem: string): EntryName | undefined {
  const [, seq, bytes, id = ''] = STEM.exec(stem) ?? []
  if (seq === undefined || !isMessageId(id)) return undefined
  return { seq: Number(seq), bytes: Number(bytes), id }
}

/** `name` cut into stem and suffix, or undefined for a file that is none of the outbox's. */
export function splitName(name: string): { stem: string; suffix: string } | undefined {
  for (const suffix of [ENTRY_SUFFIX, STATE_SUFFIX, FAILED_SUFFIX]) {
    if (name.endsWith(suffix)) return { stem: name.slice(0, -suffix.length), suffix }
  }
  return undefined
}

const STEM = /^(\d{16})-(\d{1,15})-(.+)$/s
