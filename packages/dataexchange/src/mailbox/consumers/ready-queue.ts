import { Fifo } from '../../async/queue.ts'
import type { Changes } from '../../disk/folder-watcher.ts'
import { folderLayout } from '../../disk/layout.ts'
import { isMessage, isMessageName, messageId, messageIds } from '../inbox/read.ts'
import { isRecoveryDue } from '../journal/recovery-due.ts'
import type { LeaseFolder, LeaseState } from './lease-folder.ts'

/**
 * State of one message: `ready` to be handed out; `done`, which means acknowledged; or the time at which it may be
 * handed out next, in ms since the Unix epoch. That time is Infinity for a dead letter.
 */
export type MessageState = 'ready' | 'done' | number

/**
 * The messages of an inbox as one consumer knows them, in memory, and the queue of those that are ready. It only
 * says which message to try next: the lease folder decides who gets it.
 */
export class ReadyQueue {
  readonly #dir: string
  readonly #leases: LeaseFolder
  readonly #states = new Map<string, MessageState>()
  /** Messages that were `ready` when they were added. */
  readonly #ready = new Fifo<string>()
  #sweptAt = Number.NEGATIVE_INFINITY
  #readAt = 0

  /** `dir` is the inbox, `leases` the state of the consumer's group. */
  constructor(dir: string, leases: LeaseFolder) {
    this.#dir = dir
    this.#leases = leases
  }

  /** The next message to try, or undefined if none is ready. */
  shift(): string | undefined {
    return this.#ready.shift()
  }

  /** The earliest time at which a message that is not ready becomes ready; Infinity if there is none. */
  get nextDue(): number {
    let next = Number.POSITIVE_INFINITY
    for (const state of this.#states.values()) if (typeof state === 'number' && state < next) next = state
    return next
  }

  /** Sets the state of the message `id`. */
  set(id: string, state: Exclude<MessageState, 'ready'>): void {
    this.#states.set(id, state)
  }

  /** Sets the state of the message `id` if it is in the inbox, as far as this consumer knows. */
  update(id: string, state: Exclude<MessageState, 'ready'>): void {
    if (this.#states.has(id)) this.#states.set(id, state)
  }

  /** Sets the state of the message `id` from what its group knows. */
  setFrom(id: string, { done, dead, until }: LeaseState): void {
    this.#states.set(id, done ? 'done' : dead ? Number.POSITIVE_INFINITY : until)
  }

  /** Forgets the message `id`. */
  delete(id: string): void {
    this.#states.delete(id)
  }

  /** The next {@link refresh} reads the state of every message from the disk. */
  readAgain(): void {
    this.#readAt = 0
  }

  /** Queues the messages that are new according to `changes`, and those whose time has come. */
  async refresh({ names, list }: Changes): Promise<void> {
    if (list) await this.#list()
    else await this.#addNamed(names)
    const now = Date.now()
    // Other processes acknowledge messages and give them back. A clock that was set back counts as a reason, too.
    const isReading = now - this.#readAt >= READ_EVERY_MS || now < this.#readAt
    if (isReading) this.#readAt = now
    for (const [id, due] of this.#states) {
      if (typeof due !== 'number') continue
      if (isReading) this.setFrom(id, await this.#leases.read(id))
      const current = this.#states.get(id)
      if (typeof current === 'number' && current <= now) this.#enqueue(id)
    }
  }

  async #addNamed(names: readonly string[]): Promise<void> {
    for (const name of names.filter(isMessageName)) {
      const id = messageId(name)
      if (!this.#states.has(id) && (await isMessage(this.#dir, id))) this.#enqueue(id)
    }
  }

  /** Compares with the whole folder. Once a minute this also removes lease files of messages that are gone. */
  async #list(): Promise<void> {
    const isSweep = performance.now() - this.#sweptAt >= SWEEP_EVERY_MS
    // Lease files are listed before the messages, so that a new message cannot look like one that was removed. While
    // the journal has a segment of another boot, a missing message may still be recovered from it.
    const states = isSweep ? await this.#leases.readAll() : undefined
    const mayForget = isSweep && !(await isRecoveryDue(folderLayout(this.#dir)))
    const ids = await messageIds(this.#dir)
    const present = new Set(ids)
    for (const id of this.#states.keys()) if (!present.has(id)) this.#states.delete(id)
    for (const id of ids) {
      if (states?.get(id)?.done) this.#states.set(id, 'done')
      else if (!this.#states.has(id)) this.#enqueue(id)
    }
    if (states === undefined) return
    this.#sweptAt = performance.now()
    if (mayForget) await this.#leases.forget([...states.keys()].filter(id => !present.has(id)))
  }

  #enqueue(id: string): void {
    if (this.#states.get(id) === 'ready') return
    this.#states.set(id, 'ready')
    this.#ready.push(id)
  }
}

/** A message that another process gives back is noticed within this time. */
const READ_EVERY_MS = 2_000
/** Lease files of messages that are gone stay for this time. */
const SWEEP_EVERY_MS = 60_000
