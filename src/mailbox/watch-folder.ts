import { type FSWatcher, watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { ifThere } from './missing.ts'

/** Options of {@link watchFolder}. */
export interface WatchOptions {
  /** Which names count. */
  accepts: (name: string) => boolean
  /** Called once what is there already has been taken down: what comes from then on is told. */
  onReady?: () => void
  /** Ends the iteration when it fires. @default never */
  signal?: AbortSignal
}

/**
 * The names of the files that come into `dir` from now on, those that come at once together, in no order.
 * The folder need not exist yet. The system's notifications make it quick, and a look every 2 s makes up for
 * those that a file system does not send.
 */
export async function* watchFolder(
  dir: string,
  options: WatchOptions,
): AsyncGenerator<string[], void, undefined> {
  const { accepts, onReady, signal } = options
  const bell = new Bell()
  const ring = () => bell.ring()
  const timer = setInterval(ring, LOOK_EVERY_MS)
  signal?.addEventListener('abort', ring, { once: true })
  let watcher = openWatcher(dir, ring)
  try {
    let known = new Set(await namesIn(dir))
    onReady?.()
    while (!signal?.aborted) {
      await bell.rung()
      if (signal?.aborted) return
      watcher ??= openWatcher(dir, ring)
      const names = await namesIn(dir)
      const fresh = names.filter(name => !known.has(name) && accepts(name))
      known = new Set(names)
      if (fresh.length > 0) yield fresh
    }
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', ring)
    watcher?.close()
  }
}

const LOOK_EVERY_MS = 2_000

/** Wakes one waiter; a ring that nobody waits for is kept for the next. */
class Bell {
  #pending = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#pending = true
    this.#wake?.()
  }

  async rung(): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    this.#wake = undefined
    this.#pending = false
  }
}

/** Undefined where the folder is missing or the system has no watch left: the looks do without. */
function openWatcher(dir: string, ring: () => void): FSWatcher | undefined {
  try {
    return watch(dir, ring).on('error', ring)
  } catch {
    return undefined
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return ifThere(readdir(dir), [])
}
