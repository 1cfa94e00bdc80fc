import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ConsumerOptions } from '#lib/mailbox/inbox-consumer.js'

/** How a {@link ConsumerProcess} works. */
export interface ConsumerSetup extends ConsumerOptions {
  readonly leaseMs: number
  /** The file that it writes down in what it does. */
  readonly log: string
  readonly seed: number
  /** Whether it acknowledges every message, at once. */
  readonly faithful?: boolean
}

/** A consumer of an inbox in a process of its own. */
export class ConsumerProcess {
  /** Resolves when it works. */
  readonly working: Promise<unknown>
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>

  constructor(setup: ConsumerSetup) {
    this.#child = spawn(process.execPath, [CHILD, JSON.stringify(setup)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#exit = once(this.#child, 'exit')
    this.working = Promise.race([once(this.#child.stdout!, 'data'), this.#exit])
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL')
    await this.#exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

const CHILD = fileURLToPath(new URL('consumer-child.js', import.meta.url))
