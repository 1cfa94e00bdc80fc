import { OutboxError } from '../../errors.ts'
import { systemCode } from '../../system-errors.ts'
import { typeName } from '../../wire/frame.ts'
import { tryError } from '../run/verdict.ts'
import { EntryReader } from './file.ts'
import { type EntryState, FRESH, type TryError } from './state.ts'
import type { EntryStore, StoredEntry } from './store.ts'

/** A message in the outbox, as it is listed. Times are ms since the Unix epoch. */
export interface OutboxEntry {
  /** The message's id. */
  id: string
  /** `queued`: due, or not tried yet. `waiting`: tried again at `nextTryAt`. `failed`: not tried again. */
  status: 'queued' | 'sending' | 'waiting' | 'failed'
  /** The `target` of `add()`; undefined if the entry is damaged. */
  target: string | undefined
  /** `TEXT`, `JSON`, `BINARY`, `FILE`, ...; undefined if the entry is damaged. */
  type: string | undefined
  /** Bytes of the payload or the file. */
  size: number
  /** Name of a file for the peer. */
  filename?: string
  /** Path of a file that is read when it is sent. */
  path?: string
  replyTo?: string
  addedAt: number
  /** Undefined if it never expires. */
  expiresAt?: number
  /** Number of tries. */
  tries: number
  nextTryAt?: number
  /** The error of the last try; for a failed message, the reason. */
  lastError?: TryError
  /** True if a try has begun to write it: the peer may have it. */
  maybeStored: boolean
}

/** Reads an entry and its state; undefined if it was removed meanwhile. `running`: a process runs the outbox. */
export async function describeEntry(
  store: EntryStore,
  seen: StoredEntry,
  running: boolean,
): Promise<OutboxEntry | undefined> {
  const { stem, id, hasFailed, hasState } = seen
  const failure = hasFailed ? await store.readFailure(stem) : undefined
  const state = failure ?? (hasState ? await store.readState(stem) : undefined) ?? FRESH
  try {
    const reader = await EntryReader.open(store.dir, stem)
    await reader.close()
    const { target, type, filename, file, replyTo, addedAt, expiresIn } = reader.head
    const status = failure === undefined ? statusOf(state, running) : 'failed'
    return {
      id,
      status,
      target,
      type: typeName(type),
      size: file?.size ?? reader.size,
      ...(filename !== undefined && { filename }),
      ...(file !== undefined && { path: file.path }),
      ...(replyTo !== undefined && { replyTo }),
      addedAt,
      ...(expiresIn !== null && { expiresAt: reader.since + expiresIn }),
      ...stateFields(state),
      ...(status === 'waiting' && { nextTryAt: state.nextTryAt }),
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (!(error instanceof OutboxError)) throw error
    const { id, seq, bytes } = seen
    const addedAt = Math.trunc(seq / 1000)
    const fields = stateFields({ ...state, lastError: state.lastError ?? tryError(error) })
    return { id, status: 'failed', target: undefined, type: undefined, size: bytes, addedAt, ...fields }
  }
}

function stateFields({
  tries,
  maybeStored,
  lastError,
}: EntryState): Pick<OutboxEntry, 'tries' | 'maybeStored' | 'lastError'> {
  return { tries, maybeStored, ...(lastError !== undefined && { lastError }) }
}

/** An entry is `sending` only while a process runs the outbox: a dead one may have left that state. */
function statusOf({ sending, nextTryAt }: EntryState, running: boolean): OutboxEntry['status'] {
  if (sending && running) return 'sending'
  return nextTryAt > Date.now() ? 'waiting' : 'queued'
}
