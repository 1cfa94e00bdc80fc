/**
 * Wraps `run` so that calls share runs: calls that arrive while one is under way, and so may have come too
 * late for it, share the next. Each run sees everything that happened before any of its calls.
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
