import { type FSWatcher, statSync, watch } from 'node:fs'

/** The possible changes in a folder. */
export interface Changes {
  /** The names of changed files that the system reported. */
  readonly names: readonly string[]
  /** Whether the folder must be listed, because {@link names} may be incomplete. */
  readonly list: boolean
}

/**
 * Watches a folder for changes: by notifications of the system, and by a poll every 2 s, since some file systems send
 * no notifications. The folder need not exist, and may be removed and created again. Only one caller may wait at a
 * time; a change without a waiting caller is kept for the next.
 */
export class FolderWatcher {
  readonly #dir: string
  readonly #timer: NodeJS.Timeout
  #watcher: FSWatcher | undefined
  /** The inode of the watched folder. */
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
      this.notify()
    }, POLL_INTERVAL_MS)
  }

  /** Reports a possible change of the file `name`, or of the whole folder. */
  notify(name?: string): void {
    if (name === undefined || this.#names.size >= MAX_NAMES) this.#list = true
    else this.#names.add(name)
    this.#pending = true
    this.#wake?.()
  }

  /** Resolves on the first possible change since the last call, after `ms` milliseconds, or when `signal` fires. */
  async changed({ ms, signal }: { ms?: number; signal?: AbortSignal } = {}): Promise<void> {
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

  /** Returns the possible changes since the last call. The first call reports the whole folder. */
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

  /** Replaces the watcher if the folder was created again: a watcher stays with the removed folder. */
  #rewatch(): void {
    const inode = inodeOf(this.#dir)
    if (this.#watcher !== undefined && inode === this.#inode) return
    this.#watcher?.close()
    this.#inode = inode
    this.#watcher = this.#openWatcher()
    this.#list = true
  }

  /** Undefined if the folder is missing or the system has no watch left: then only the poll finds changes. */
  #openWatcher(): FSWatcher | undefined {
    try {
      return watch(this.#dir, (_, name) => this.notify(name ?? undefined)).on('error', () => this.notify())
    } catch {
      return undefined
    }
  }
}

const POLL_INTERVAL_MS = 2_000
const MAX_NAMES = 1_000

function inodeOf(dir: string): number | undefined {
  return statSync(dir, { throwIfNoEntry: false })?.ino
}
