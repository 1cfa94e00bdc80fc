import { type FSWatcher, statSync, watch } from 'node:fs'

/** What may have changed in a folder. */
export interface Changes {
  /** The files that the system named. */
  readonly names: readonly string[]
  /** Whether the folder must be listed: the names may not be all. */
  readonly list: boolean
}

/**
 * Rings when something may have changed in a folder: at the system's notifications, and every 2 s for those
 * that a file system does not send. The folder need not exist yet, and may be removed and made again. One
 * waiter at a time; a ring that nobody waits for is kept for the next.
 */
export class FolderBell {
  readonly #dir: string
  readonly #timer: NodeJS.Timeout
  #watcher: FSWatcher | undefined
  /** Of the folder that is watched. */
  #inode: number | undefined
  #names = new Set<string>()
  #list = true
  #pending = false
  #wake: (() => void) | undefined

  constructor(dir: string) {
    this.#dir = dir
    this.#rewatch()
    this.#timer = setInterval(() => {
      this.#rewatch()
      this.ring()
    }, LOOK_EVERY_MS)
  }

  /** Rings for the file `name`, or for all of the folder. */
  ring(name?: string): void {
    if (name === undefined || this.#names.size >= MOST_NAMES) this.#list = true
    else this.#names.add(name)
    this.#pending = true
    this.#wake?.()
  }

  /** Resolves when it rings, or has rung since it was last waited for; also after `ms`, or when `signal` fires. */
  async rung({ ms, signal }: { ms?: number; signal?: AbortSignal } = {}): Promise<void> {
    if (!this.#pending && !signal?.aborted) {
      let timer: NodeJS.Timeout | undefined
      let wake = () => {}
      await new Promise<void>(resolve => {
        wake = () => resolve()
        this.#wake = wake
        signal?.addEventListener('abort', wake, { once: true })
        if (ms !== undefined) timer = setTimeout(wake, ms)
      })
      clearTimeout(timer)
      signal?.removeEventListener('abort', wake)
    }
    this.#wake = undefined
    this.#pending = false
  }

  /** What may have changed since the last call; at the first, all. */
  take(): Changes {
    const changes = { names: [...this.#names], list: this.#list }
    this.#names = new Set()
    this.#list = false
    return changes
  }

  close(): void {
    clearInterval(this.#timer)
    this.#watcher?.close()
  }

  /** A watcher stays with the folder that it was made for, also when that has been removed. */
  #rewatch(): void {
    const inode = inodeOf(this.#dir)
    if (this.#watcher !== undefined && inode === this.#inode) return
    this.#watcher?.close()
    this.#inode = inode
    this.#watcher = this.#openWatcher()
    this.#list = true
  }

  /** Undefined where the folder is missing or the system has no watch left: the looks do without. */
  #openWatcher(): FSWatcher | undefined {
    try {
      return watch(this.#dir, (_, name) => this.ring(name ?? undefined)).on('error', () => this.ring())
    } catch {
      return undefined
    }
  }
}

const LOOK_EVERY_MS = 2_000
const MOST_NAMES = 1_000

function inodeOf(dir: string): number | undefined {
  return statSync(dir, { throwIfNoEntry: false })?.ino
}
