import type { Client } from '#lib/client/client.js'
import type { DeliverOptions } from '#lib/client/client-options.js'
import { type Item, type Kind, makeItem } from './items.js'
import type { Ledger } from './ledger.js'
import type { Random } from './random.js'

/** The outcome of {@link deliver}: stored, refused, or no answer. */
export type Outcome = 'acknowledged' | 'refused' | 'unanswered'

/** Sends one item and enters it, and its answer, in the ledger. */
export async function deliver(
  client: Client,
  item: Item,
  ledger: Ledger,
  { messageId }: Pick<DeliverOptions, 'messageId'> = {},
): Promise<Outcome> {
  ledger.count(item.key, 'sent')
  try {
    await client.deliver(item.message, { messageId })
    ledger.count(item.key, 'acknowledged')
    return 'acknowledged'
  } catch (error) {
    if ((error as { code?: string }).code !== 'PEER_REFUSED') return 'unanswered'
    ledger.count(item.key, 'refused')
    return 'refused'
  }
}

/** How a {@link Load} works. */
export interface LoadOptions {
  readonly dial: () => Promise<Client>
  readonly ledger: Ledger
  readonly random: Random
  readonly connections?: number
  /** Frames of a connection that wait for their answer. */
  readonly window?: number
  readonly maxBytes?: number
  /** The next item to send; undefined ends the load. */
  readonly next?: () => Item | undefined
}

/** Connections that send without a pause, until they are stopped or cut. */
export class Load {
  /** Resolves when all of them have ended. */
  readonly ended: Promise<unknown>
  readonly #options: LoadOptions
  #stopped = false

  constructor(options: LoadOptions) {
    this.#options = options
    const { connections = 8 } = options
    this.ended = Promise.all(Array.from({ length: connections }, () => this.#connect()))
  }

  /** Sends no more; the answers that are due still come. */
  stop(): void {
    this.#stopped = true
  }

  async #connect(): Promise<void> {
    const { dial, window = 4 } = this.#options
    const client = await dial().catch(() => undefined)
    if (client === undefined) return
    await Promise.all(Array.from({ length: window }, () => this.#send(client)))
    await client.close().catch(() => {})
  }

  async #send(client: Client): Promise<void> {
    const { ledger, random, maxBytes, next = () => anyItem(random, maxBytes) } = this.#options
    while (!this.#stopped) {
      const item = next()
      if (item === undefined || (await deliver(client, item, ledger)) === 'unanswered') return
    }
  }
}

/** Gives `count` small messages and files, then nothing. */
export function smallItems(random: Random, count: number): () => Item | undefined {
  let left = count
  return () =>
    left-- > 0 ? makeItem(random, random.pick(['TEXT', 'FILE']), random.integer(40, 300)) : undefined
}

/** A message or a file of any size from 0 to `maxBytes`; most are small, some lie about the limit of 256 KiB. */
export function anyItem(random: Random, maxBytes = 4 * 1024 * 1024): Item {
  const kind: Kind = random.pick(['TEXT', 'JSON', 'BINARY', 'FILE', 'FILE'])
  return makeItem(random, kind, Math.min(anySize(random), maxBytes))
}

const WHOLE = 256 * 1024

function anySize(random: Random): number {
  const draw = random.next()
  if (draw < 0.05) return 0
  if (draw < 0.6) return random.integer(1, 2048)
  if (draw < 0.88) return random.integer(2048, 65_536)
  if (draw < 0.97) return random.integer(WHOLE - 64, WHOLE + 65_536)
  return random.integer(WHOLE, 4 * 1024 * 1024)
}
