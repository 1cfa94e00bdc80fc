import { Client } from '#lib/client/client.js'
import { newMessageId } from '#lib/wire/message-id.js'
import { sendInChunks } from './chunked.js'
import { type Item, type Kind, makeItem } from './items.js'
import type { Ledger } from './ledger.js'
import { deliver, type Outcome } from './load.js'
import type { Random } from './random.js'
import type { ServiceProcess } from './service-process.js'

/** One of the ways that the mailbox saves. */
export interface Save {
  readonly name: string
  readonly kind: Kind
  readonly size: number
  /** Sent in pieces, which survive a connection; or whole, under a message id. @default whole, without an id */
  readonly as?: 'chunks' | 'tagged'
}

/** In one frame without an id: through the journal, in one piece, through a spool, and while the bytes arrive. */
export const WHOLE_SAVES: readonly Save[] = [
  { name: 'small message', kind: 'TEXT', size: 1_000 },
  { name: 'medium message', kind: 'TEXT', size: 200_000 },
  { name: 'large message', kind: 'TEXT', size: 300_000 },
  { name: 'small file', kind: 'FILE', size: 1_000 },
  { name: 'streamed file', kind: 'FILE', size: 300_000 },
]

/** All of them: also into a partial file, and with the memory of message ids. */
export const SAVES: readonly Save[] = [
  ...WHOLE_SAVES,
  { name: 'file in chunks', kind: 'FILE', size: 60_000, as: 'chunks' },
  { name: 'message under an id', kind: 'TEXT', size: 1_000, as: 'tagged' },
]

/** Something to save, and how it is sent. */
export interface Parcel extends Item, Pick<Save, 'as'> {
  readonly messageId?: string
}

export function makeParcel(random: Random, { kind, size, as }: Omit<Save, 'name'>): Parcel {
  const item = makeItem(random, kind, size)
  return { ...item, ...(as && { as }), ...(as === 'tagged' && { messageId: newMessageId() }) }
}

/** Sends one and enters it, and its answer, in the ledger. */
export async function sendParcel(service: ServiceProcess, parcel: Parcel, ledger: Ledger): Promise<Outcome> {
  const stream = await service.connect()
  if (parcel.as === 'chunks') return sendInChunks({ stream, item: parcel, ledger })
  const client = new Client(stream)
  const outcome = await deliver(client, parcel, ledger, parcel)
  await client.close().catch(() => {})
  return outcome
}

/**
 * Does what the sender of one that had `outcome` does next where it can be done without a second copy: goes on with a
 * file in chunks, and sends again under the same id. Names what breaks the promise; the rest is in the ledger.
 */
export async function sendAgain(
  service: ServiceProcess,
  parcel: Parcel,
  outcome: Outcome,
  ledger: Ledger,
): Promise<string[]> {
  if (parcel.as === undefined) return []
  if (parcel.as === 'chunks') {
    const last = outcome === 'acknowledged' ? outcome : await sendParcel(service, parcel, ledger)
    return last === 'acknowledged' ? [] : [`sent again, it is ${last}`]
  }
  await using client = await service.dial()
  try {
    const { duplicate } = await client.deliver(parcel.message, parcel)
    // A message without an answer may have one copy, which is then this one.
    if (outcome === 'refused') ledger.count(parcel.key, 'sent')
    if (outcome !== 'acknowledged') ledger.count(parcel.key, 'acknowledged')
    if (outcome === 'acknowledged' && !duplicate) return ['sent again under its id, it is new']
    if (outcome === 'refused' && duplicate) return ['it was refused, and is a duplicate']
    return []
  } catch (error) {
    return [`sent again under its id: ${(error as Error).message}`]
  }
}
