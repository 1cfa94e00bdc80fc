import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { HarnessError } from './commands.js'

/**
 * `dribble`: a byte a second. `zero`: empty frames without a pause. `lie`: declares 256 MiB and sends nothing of it.
 * `silent`: connects. `deaf`: sends frames and reads no answers.
 */
export type HostileKind = 'dribble' | 'zero' | 'lie' | 'silent' | 'deaf'

export const HOSTILE_KINDS: readonly HostileKind[] = ['dribble', 'zero', 'lie', 'silent', 'deaf']

/** The behaviour of a process of hostile peers. */
export interface HostileOrder {
  /** The service's. */
  readonly socket: string
  readonly kinds: readonly HostileKind[]
  /** Connections of each kind. */
  readonly each: number
  /** Connections of one address. */
  readonly perNode: number
  /** The addresses are this one and those after it. */
  readonly firstNode: number
}

/** Milliseconds that the last connection of each kind stayed. */
export type Lives = Partial<Record<HostileKind, number>>

/** Hostile peers, in a process of their own. */
export class HostilePeers {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  readonly #open: Promise<unknown>
  readonly #gone: Promise<Lives>

  constructor(order: HostileOrder) {
    this.#child = fork(CHILD, [JSON.stringify(order)])
    this.#exit = once(this.#child, 'exit')
    this.#open = new Promise(resolve =>
      this.#child.on('message', message => message === 'open' && resolve(true)),
    )
    this.#gone = new Promise(resolve =>
      this.#child.on('message', message => message !== 'open' && resolve(message as Lives)),
    )
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resolves when all of them are connected. */
  async open(): Promise<void> {
    const isOpen = await Promise.race([this.#open, this.#exit.then(() => false)])
    if (isOpen !== true) throw new HarnessError('the hostile peers have ended')
  }

  /** Resolves when the service has closed all of them; with undefined where it has not within `ms`. */
  async gone(ms: number): Promise<Lives | undefined> {
    let late: NodeJS.Timeout | undefined
    const tooLong = new Promise<undefined>(resolve => {
      late = setTimeout(() => resolve(undefined), ms)
    })
    const lives = await Promise.race([this.#gone, tooLong])
    clearTimeout(late)
    return lives
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}

const CHILD = fileURLToPath(new URL('hostile-child.js', import.meta.url))
