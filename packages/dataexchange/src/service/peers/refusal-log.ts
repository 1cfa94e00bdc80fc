import type { Logger } from '../../logger.ts'

/** Time between two log lines of one kind about refusals; each line has their number. @limit ms */
const REFUSAL_LOG_INTERVAL_MS = 10_000

/** Counts refusals by reason. Each reason is logged once in an interval, so that a peer cannot fill the log. */
export class RefusalLog {
  readonly #logger: Logger
  readonly #counts = new Map<string, RefusalCount>()
  readonly #hooks = new Map<string, RefusalCount>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Number of refusals by reason. */
  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([reason, { total }]) => [reason, total]))
  }

  /** Counts one refusal. `reason` is one of a few texts and holds nothing that a peer has sent. */
  note(reason: string, fields: Record<string, unknown>): void {
    const times = increment(this.#counts, reason)
    if (times > 0) this.#logger.warn({ ...fields, times }, reason)
  }

  /** Reports that a hook of the application threw. The refusal that follows from it is counted by {@link note}. */
  hookFailed(hook: string, fields: Record<string, unknown>): void {
    const times = increment(this.#hooks, hook)
    if (times > 0) this.#logger.error({ ...fields, times }, `${hook} failed`)
  }
}

interface RefusalCount {
  total: number
  /** The part of `total` that the log lines so far have covered. */
  logged: number
  loggedAt: number
}

/** Returns the number to log now; 0 if the last log line was less than an interval ago. */
function increment(counts: Map<string, RefusalCount>, key: string): number {
  const count = counts.get(key) ?? { total: 0, logged: 0, loggedAt: Number.NEGATIVE_INFINITY }
  counts.set(key, count)
  count.total++
  const now = performance.now()
  if (now - count.loggedAt < REFUSAL_LOG_INTERVAL_MS) return 0
  const times = count.total - count.logged
  count.logged = count.total
  count.loggedAt = now
  return times
}
