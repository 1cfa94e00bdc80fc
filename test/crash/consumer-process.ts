import type { ConsumerOptions } from '#lib/mailbox/consumers/consumer-options.js'
import { Child } from './child-process.js'

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
export class ConsumerProcess extends Child {
  /** Resolves when it works, or has ended. */
  readonly working: Promise<unknown>

  constructor(setup: ConsumerSetup) {
    super('consumer-child.js', JSON.stringify(setup))
    this.working = this.line()
  }
}
