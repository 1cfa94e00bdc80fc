/**
 * Wraps `run` so that concurrent calls share runs. Calls that arrive during a run may be too late for it, so they share
 * the next one: each run sees everything that happened before its calls.
 */
export function coalesce<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | undefined
  return () => {
    next ??= running.then(() => {
      next = undefined
      const current = run()
      running = current.catch(() => undefined)
      return current
    })
    return next
  }
}
