import type { Logger } from '../../logger.ts'

/** Time between two log lines about refusals of one kind; each line has their number. @limit ms */
const REFUSAL_LOG_INTERVAL_MS = 10_000

/** Counts what is refused, by its reason, and logs each reason once in a while: a peer must not fill the log. */
export class RefusalLog {
  readonly #logger: Logger
  readonly #counts = new Map<string, Count>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** How often each thing was refused. */
  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([what, { total }]) => [what, total]))
  }

  /** Counts one refusal. `what` is one of few texts: nothing of a peer's making. */
  note(what: string, fields: Record<string, unknown>): void {
    const count = this.#counts.get(what) ?? { total: 0, logged: 0, loggedAt: Number.NEGATIVE_INFINITY }
    this.#counts.set(what, count)
    count.total++
    const now = performance.now()
    if (now - count.loggedAt < REFUSAL_LOG_INTERVAL_MS) return
    this.#logger.warn({ ...fields, times: count.total - count.logged }, what)
    count.logged = count.total
    count.loggedAt = now
  }
}

interface Count {
  total: number
  /** Of these, what the log has told. */
  logged: number
  loggedAt: number
}
