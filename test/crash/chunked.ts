import type { Stream } from '#lib/pilot/transport.js'
import { answerOf, CHUNK, Sending, send } from '../helpers/file-stream.js'
import type { Item } from './items.js'
import type { Ledger } from './ledger.js'

/** The outcome of an attempt to send a file in chunks: stored, refused, or no answer. */
export type ChunkedOutcome = 'acknowledged' | 'refused' | 'unanswered'

/** A file to be sent in chunks, and where to stop. */
export interface ChunkedTry {
  readonly stream: Stream
  readonly item: Item
  readonly ledger: Ledger
  /** Bytes of the file on the wire after which `onReached` is called, once; past its size: right after DONE. */
  readonly stopAt?: number
  readonly onReached?: () => void
  /** Told where the transfer goes on. */
  readonly onOffset?: (offset: number) => void
}

/** Sends one file in chunks (section 4), from where the receiver wants it, and enters it in the ledger. */
export async function sendInChunks(attempt: ChunkedTry): Promise<ChunkedOutcome> {
  const { stream, item, ledger, stopAt = Number.POSITIVE_INFINITY, onReached, onOffset } = attempt
  const file = sendingOf(item)
  stream.on('error', () => {})
  try {
    await send(stream, file.init())
    const begun = await answerOf(stream)
    if (!begun.startsWith('INIT-ACK ')) return begun === 'end' ? 'unanswered' : 'refused'
    const offset = Number(begun.slice('INIT-ACK '.length))
    onOffset?.(offset)
    const outcome = outcomeOf(stream)
    for (let at = offset; at < file.content.length; at += CHUNK) {
      if (stopAt >= at && stopAt < at + CHUNK) {
        await send(stream, file.chunk(at, stopAt))
        onReached?.()
      }
      await send(stream, file.chunk(at, Math.min(at + CHUNK, file.content.length)))
    }
    // From here on it may be stored.
    ledger.count(item.key, 'sent')
    await send(stream, file.done())
    if (stopAt >= file.content.length) onReached?.()
    const result = await outcome
    if (result !== 'unanswered') ledger.count(item.key, result)
    return result
  } catch {
    return 'unanswered'
  } finally {
    stream.destroy()
  }
}

function sendingOf({ message }: Item): Sending {
  if (!('file' in message) || !Buffer.isBuffer(message.file)) throw new Error('the item is not a file')
  return new Sending(message.file, message.name)
}

async function outcomeOf(stream: Stream): Promise<ChunkedOutcome> {
  for (;;) {
    const answer = await answerOf(stream).catch(() => 'end')
    if (answer === 'end') return 'unanswered'
    if (answer.startsWith('COMPLETE')) return answer === 'COMPLETE ok' ? 'acknowledged' : 'refused'
  }
}
