import { unlinkSync } from 'node:fs'
import type { Client } from '#lib/client/client.js'
import { newMessageId } from '#lib/wire/message-id.js'
import { type Folders, look } from './folders.js'
import { type Item, makeItem } from './items.js'
import type { Random } from './random.js'
import type { ServiceProcess } from './service-process.js'

/** Sends until the connection ends, or there is nothing more. */
export async function send(
  service: ServiceProcess,
  book: Book,
  next: () => Entry | undefined,
): Promise<void> {
  const client = await service.dial().catch(() => undefined)
  if (client === undefined) return
  for (let entry = next(); entry !== undefined; entry = next()) {
    if (!(await book.deliver(client, entry))) break
  }
  await client.close().catch(() => {})
}

/** A message, its id, and what became of it. */
export interface Entry extends Item {
  readonly messageId: string
  isAcknowledged: boolean
  isRemoved: boolean
}

/** The sent messages by id, to be compared with the disk: one copy of each. */
export class Book {
  readonly failures: string[] = []
  readonly counts = { messages: 0, duplicates: 0, removed: 0 }
  readonly #folders: Folders
  readonly #random: Random
  readonly #entries = new Map<string, Entry>()
  /** The paths of what was found, by key. */
  readonly #known = new Map<string, string>()
  #closed = false

  constructor(folders: Folders, random: Random) {
    this.#folders = folders
    this.#random = random
  }

  /** Something new, or something that was sent before. */
  next(): Entry {
    const draw = this.#random.next()
    if (draw < 0.4) return this.#random.pick([...this.unacknowledged(), this.#add()])
    if (draw < 0.6 && this.#entries.size > 0) return this.#random.pick(this.all)
    return this.#add()
  }

  get all(): Entry[] {
    return [...this.#entries.values()]
  }

  unacknowledged(): Entry[] {
    return this.all.filter(({ isAcknowledged }) => !isAcknowledged)
  }

  /** Takes no answer any more, until {@link open}: nobody would get to read it. */
  close(): void {
    this.#closed = true
  }

  /** Takes answers again. The next comparison reads everything anew: what was whole need not have stayed so. */
  open(): void {
    this.#closed = false
    this.#known.clear()
  }

  /** Resolves with false where no answer came. */
  async deliver(client: Client, entry: Entry): Promise<boolean> {
    const { isAcknowledged, key, message, messageId } = entry
    try {
      const { duplicate } = await client.deliver(message, { messageId })
      if (this.#closed) return false
      if (isAcknowledged && !duplicate) this.failures.push(`acknowledged twice, as new: ${key}`)
      if (duplicate) this.counts.duplicates++
      entry.isAcknowledged = true
      return true
    } catch (error) {
      const { code, message: why } = error as { code?: string; message: string }
      if (code !== 'CONNECTION_CLOSED' && !this.#closed) this.failures.push(`${key}: ${why}`)
      return false
    }
  }

  /** Looks what is there, and names all that breaks the promise. */
  compare(): void {
    const copies = new Map<string, number>()
    const count = (key: string) => copies.set(key, (copies.get(key) ?? 0) + 1)
    const present = new Set<string>()
    const fresh = look(this.#folders, path => {
      const key = this.#known.get(path)
      present.add(path)
      if (key !== undefined) count(key)
      return key !== undefined
    })
    for (const path of this.#known.keys()) if (!present.has(path)) this.#known.delete(path)
    for (const { path, key } of fresh) {
      if (key === undefined) this.failures.push(`not whole: ${path}`)
      else {
        this.#known.set(path, key)
        count(key)
      }
    }
    for (const { key, isAcknowledged, isRemoved } of this.#entries.values()) {
      const found = copies.get(key) ?? 0
      if (isRemoved && found > 0) this.failures.push(`came back after it was read: ${key}`)
      if (!isRemoved && isAcknowledged && found === 0) this.failures.push(`lost: ${key}`)
      if (found > 1) this.failures.push(`${found} copies of ${key}`)
    }
  }

  /** The action of a reader. */
  removeSome(): void {
    for (const [path, key] of this.#known) {
      const entry = this.#entries.get(key)
      if (entry === undefined || !entry.isAcknowledged || !this.#random.chance(0.1)) continue
      unlinkSync(path)
      this.#known.delete(path)
      entry.isRemoved = true
      this.counts.removed++
    }
  }

  #add(): Entry {
    const kind = this.#random.pick(['TEXT', 'JSON', 'BINARY', 'FILE', 'FILE'] as const)
    // Long enough to be the only one of its kind.
    const size = this.#random.chance(0.08)
      ? this.#random.integer(262_000, 400_000)
      : this.#random.integer(32, 4096)
    const item = makeItem(this.#random, kind, size)
    const entry = { ...item, messageId: newMessageId(), isAcknowledged: false, isRemoved: false }
    this.#entries.set(item.key, entry)
    this.counts.messages++
    return entry
  }
}
