import { Client } from '../exchange/client.ts'
import { defaultMaxFrameSize } from '../exchange/max-frame-size.ts'
import { resolveTarget } from '../exchange/target.ts'
import { LIMITS } from '../limits.ts'
import type { Logger } from '../logger.ts'
import type { FolderBell } from '../mailbox/folder-bell.ts'
import type { Address } from '../pilot/address.ts'
import { Backlog } from './backlog.ts'
import { NO_FILE, splitName } from './entry-name.ts'
import { type EntryState, FRESH } from './entry-state.ts'
import type { EntryStore, Seen } from './entry-store.ts'
import type { Lane, Waiting } from './lane.ts'
import type { Network } from './lazy-network.ts'
import { expiredError, type OutboxEvents, type Publish } from './outbox-events.ts'
import { type Backoff, backoffMs, tryError, verdictOf } from './retry.ts'
import { checkFile, type Delivered, sendFrame, sendInChunks } from './send-entry.ts'

/** What a {@link Runner} works with. */
export interface RunnerOptions {
  readonly store: EntryStore
  readonly bell: FolderBell
  readonly driver: Network
  readonly logger: Logger
  readonly publish: Publish
  readonly backoff: Backoff
  readonly peersAtOnce: number
  readonly maxFrameSize: number | undefined
  readonly timeoutMs: number | undefined
}

/** Sends what an outbox holds, for as long as it runs. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #backlog: Backlog
  readonly #serving = new Set<Promise<void>>()
  /** Set while the daemon of this machine is away: how often it was looked for, and when to look again. */
  #daemonAway: { looks: number; nextAt: number } | undefined
  #failing = 0
  #stopped = false

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#backlog = new Backlog(options.store, options.logger, (seen, error) => this.#setAside(seen, error))
  }

  /** Runs until `signal` fires or, with `untilEmpty`, until nothing is left to be tried. */
  async run(signal: AbortSignal, untilEmpty: boolean): Promise<void> {
    const { bell, store } = this.#options
    const stop = () => {
      this.#stopped = true
      bell.ring(NO_FILE)
    }
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    let isDue = false
    let nextLook = 0
    try {
      while (!this.#stopped) {
        const { names, list } = bell.take()
        isDue ||= list || names.some(name => splitName(name) !== undefined)
        const clock = performance.now()
        if (isDue && clock >= nextLook) {
          isDue = false
          await this.#backlog.look()
          // A look at a full outbox takes its time: it takes no more than a tenth of all.
          const took = performance.now() - clock
          nextLook = clock + took + Math.max(LOOK_PAUSE_MS, took * 9)
          continue
        }
        await this.#expire()
        const now = Date.now()
        this.#serveDue(now)
        if (untilEmpty && this.#backlog.size === 0 && !this.#backlog.isIncomplete) return
        const wait = Math.min(this.#nextAt(now) - now, isDue ? nextLook - clock : LONGEST_WAIT_MS)
        await bell.rung({ ms: Math.max(0, Math.min(wait, LONGEST_WAIT_MS)) })
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.#stopped = true
      this.#backlog.abort()
      await Promise.all(this.#serving)
      await store.sync().catch(() => undefined)
    }
  }

  /** Tries the peer with this address at once, and those whose names did not lead to any; or all peers. */
  wake(address?: string): void {
    for (const lane of this.#backlog.lanes.values()) {
      if (address === undefined || (lane.address ?? address) === address) lane.wake()
    }
    this.#options.bell.ring(NO_FILE)
  }

  /** Starts what is due, those first that were reached the last time, and of these who has waited longest. */
  #serveDue(now: number): void {
    if (this.#daemonAway !== undefined && (this.#daemonAway.nextAt > now || this.#serving.size > 0)) return
    const atOnce = this.#daemonAway === undefined ? this.#options.peersAtOnce : 1
    if (this.#serving.size >= atOnce) return
    const due = [...this.#backlog.lanes.values()]
      .filter(lane => !lane.active && lane.next(now) !== undefined)
      .sort((a, b) => a.failures - b.failures || a.dueAt - b.dueAt)
    for (const lane of due) {
      if (this.#serving.size >= atOnce) return
      // A peer that is away takes its whole timeout: the others must not wait for it.
      if (lane.failures > 0 && this.#failing >= Math.max(1, atOnce / 2)) return
      this.#start(lane)
    }
  }

  #start(lane: Lane): void {
    lane.active = true
    const failing = lane.failures > 0 ? 1 : 0
    this.#failing += failing
    const serving = this.#serve(lane).finally(() => {
      this.#failing -= failing
      this.#serving.delete(serving)
      this.#backlog.release(lane)
      this.#options.bell.ring(NO_FILE)
    })
    this.#serving.add(serving)
  }

  /** Sends to one peer, entry after entry, until none is due, or others have waited for long. */
  async #serve(lane: Lane): Promise<void> {
    const startedAt = performance.now()
    let client: Client | undefined
    const isTurnOver = () =>
      performance.now() - startedAt > LIMITS.outboxTurn.value &&
      this.#serving.size >= this.#options.peersAtOnce
    try {
      for (let entry = lane.next(Date.now()); entry !== undefined; entry = lane.next(Date.now())) {
        if (this.#stopped) return
        if (isTurnOver()) {
          lane.dueAt = Date.now()
          return
        }
        client = await this.#try(lane, entry, client)
        if (client === undefined) return
      }
    } catch (error) {
      // The outbox’s own folder fails: nothing can be sent safely, and a pause does no harm.
      this.#options.logger.error({ err: error, peer: lane.key }, 'the outbox cannot be written')
      lane.failures++
      lane.dueAt = Date.now() + backoffMs(lane.failures, this.#options.backoff)
    } finally {
      await client?.close()
    }
  }

  /** One try. Resolves with the connection where the entry was delivered on it. */
  async #try(lane: Lane, entry: Waiting, client: Client | undefined): Promise<Client | undefined> {
    const { store, driver, maxFrameSize, timeoutMs } = this.#options
    const before = entry.state
    const sending = new AbortController()
    entry.sending = sending
    const options = { dir: store.dir, stem: entry.stem, signal: sending.signal, timeoutMs }
    let open = client
    try {
      if (entry.hasFile) await checkFile(store.dir, entry.stem)
      if (this.#goesInChunks(entry)) {
        const address = await this.#resolve(lane, entry, sending.signal)
        await this.#begin(entry)
        await this.#delivered(lane, entry, await sendInChunks(driver, address, { ...options, maxFrameSize }))
      } else {
        if (open === undefined) {
          const address = await this.#resolve(lane, entry, sending.signal)
          open = await Client.dial(driver, address, { signal: sending.signal, maxFrameSize })
        }
        await this.#begin(entry)
        await this.#delivered(lane, entry, await sendFrame(open, options))
        return open
      }
    } catch (error) {
      await this.#failed(lane, entry, { error, before })
    } finally {
      entry.sending = undefined
    }
    await open?.close()
    return undefined
  }

  #goesInChunks({ fileSize }: Waiting): boolean {
    const cap = this.#options.maxFrameSize ?? defaultMaxFrameSize()
    // What is around a file takes much less than the other half of a frame.
    return fileSize > Math.min(LIMITS.outboxFrameFile.value, cap / 2)
  }

  async #resolve(lane: Lane, { target }: Waiting, signal: AbortSignal): Promise<Address> {
    const address = await resolveTarget(this.#options.driver, target, { signal })
    lane.address = address.toString()
    return address
  }

  /**
   * Written before the entry is opened: who removes the entry, and then finds no such word, knows that it was not
   * sent.
   */
  #begin(entry: Waiting): Promise<void> {
    const { state } = entry
    return this.#note(entry, { ...state, tries: state.tries + 1, sending: true, maybeStored: true })
  }

  async #delivered(lane: Lane, entry: Waiting, { type, bytes, duplicate }: Delivered): Promise<void> {
    const { store, logger, publish, bell } = this.#options
    await store.remove(entry.stem)
    // Nobody waits for it: an entry that a power cut brings back is sent again with its id, and known there.
    void store.sync().catch(error => logger.warn({ err: error }, 'a removal may not be durable'))
    this.#backlog.remove(entry)
    lane.failures = 0
    this.#daemonIsBack()
    const { id, target, state } = entry
    const to = lane.address ?? ''
    const event: OutboxEvents['outbox.delivered'] = {
      id,
      target,
      to,
      type,
      bytes,
      tries: state.tries,
      duplicate,
    }
    publish('outbox.delivered', event)
    logger.info(event, 'delivered from the outbox')
    bell.ring(NO_FILE)
  }

  async #failed(lane: Lane, entry: Waiting, { error, before }: Failure): Promise<void> {
    if (!this.#backlog.has(entry)) return
    if (!(await this.#options.store.has(entry.stem))) {
      // Removed meanwhile: there is nothing left to say of it.
      this.#backlog.remove(entry)
      return
    }
    const lastError = tryError(error)
    const tried = { ...entry.state, sending: false, lastError }
    switch (verdictOf(error)) {
      case 'stopped':
        if (entry.state.sending) await this.#note(entry, { ...entry.state, sending: false })
        return
      case 'daemon':
        this.#daemonIsAway(lastError.message)
        if (entry.state.lastError?.code !== lastError.code) await this.#note(entry, tried)
        return
      case 'never':
        await this.#giveUp(entry, tried, lane)
        return
      case 'refused': {
        // This time it was told that it is not stored.
        const refusals = before.refusals + 1
        const nextTryAt = Date.now() + backoffMs(refusals, this.#options.backoff)
        await this.#putOff(lane, entry, { ...tried, maybeStored: before.maybeStored, refusals, nextTryAt })
        return
      }
      case 'peer': {
        // A transfer begins before it is connected.
        const maybeStored = lastError.code === 'DIAL_FAILED' ? before.maybeStored : tried.maybeStored
        await this.#putOff(lane, entry, { ...tried, maybeStored, tries: before.tries + 1 })
        return
      }
    }
  }

  /** All that is for the peer waits. */
  async #putOff(lane: Lane, entry: Waiting, state: EntryState): Promise<void> {
    this.#daemonIsBack()
    lane.failures++
    lane.dueAt = Date.now() + backoffMs(lane.failures, this.#options.backoff)
    await this.#note(entry, { ...state, nextTryAt: Math.max(state.nextTryAt, lane.dueAt) })
    const { id, target } = entry
    const { code, message: reason } = state.lastError ?? {}
    const level = lane.failures === 1 ? 'info' : 'debug'
    this.#options.logger[level]({ id, target, tries: state.tries, code, reason }, 'not delivered yet')
  }

  async #note(entry: Waiting, state: EntryState): Promise<void> {
    await this.#options.store.writeState(entry.stem, state)
    entry.state = state
    entry.stateWrittenAt = performance.now()
  }

  async #giveUp(entry: Waiting, state: EntryState, lane?: Lane): Promise<void> {
    await this.#fail(entry, state, lane?.address)
    this.#backlog.remove(entry)
  }

  async #setAside(seen: Seen, error: unknown): Promise<void> {
    const state = (await this.#options.store.readState(seen.stem)) ?? FRESH
    await this.#fail({ ...seen, target: '' }, { ...state, lastError: tryError(error) })
  }

  async #fail(
    { stem, id, target }: Pick<Waiting, 'stem' | 'id' | 'target'>,
    state: EntryState,
    to?: string,
  ): Promise<void> {
    const { store, logger, publish } = this.#options
    await store.fail(stem, { ...state, sending: false, nextTryAt: 0 })
    const { code = 'INTERNAL', message: reason = '' } = state.lastError ?? {}
    const event: OutboxEvents['outbox.failed'] = {
      id,
      target,
      to: to ?? '',
      code,
      reason,
      tries: state.tries,
    }
    publish('outbox.failed', event)
    logger.warn(event, 'failed; it stays in the outbox until it is tried again or removed')
  }

  async #expire(): Promise<void> {
    const now = Date.now()
    if (this.#backlog.expiresAt > now) return
    for (const entry of this.#backlog.expired(now)) {
      const lastError = tryError(expiredError(entry.state))
      await this.#giveUp(entry, { ...entry.state, lastError })
    }
  }

  #daemonIsAway(reason: string): void {
    const looks = (this.#daemonAway?.looks ?? 0) + 1
    if (looks === 1) this.#options.logger.warn({ reason }, 'the outbox waits for the daemon')
    const { min } = this.#options.backoff
    const pause = backoffMs(looks, { min, max: Math.max(min, LIMITS.outboxDaemonRetryMax.value) })
    this.#daemonAway = { looks, nextAt: Date.now() + pause }
  }

  /** Whoever could not be reached before may be there again as well. */
  #daemonIsBack(): void {
    if (this.#daemonAway === undefined) return
    this.#daemonAway = undefined
    this.#options.logger.info({}, 'the daemon is back')
    this.wake()
  }

  /** When there is something to do without being asked, after all that was due at `now`: ms since the Unix epoch. */
  #nextAt(now: number): number {
    const { expiresAt, lanes } = this.#backlog
    // Who is being served rings at its end.
    if (this.#daemonAway !== undefined) {
      return this.#serving.size > 0 ? expiresAt : Math.min(expiresAt, this.#daemonAway.nextAt)
    }
    let next = expiresAt
    if (this.#serving.size >= this.#options.peersAtOnce) return next
    for (const lane of lanes.values()) {
      if (lane.active) continue
      const at = lane.nextAt()
      // One that is due already waits for a place, not for a time.
      if (at > now) next = Math.min(next, at)
    }
    return next
  }
}

interface Failure {
  readonly error: unknown
  /** What was known of the entry before the try. */
  readonly before: EntryState
}

/** Between two looks at a folder that changes all the time. */
const LOOK_PAUSE_MS = 20
const LONGEST_WAIT_MS = 60_000
