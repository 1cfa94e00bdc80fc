import { type FSWatcher, watch } from 'node:fs'

/**
 * Rings when something in a folder may have changed, and when it is rung. A ring that nobody waits for is kept
 * for the next wait.
 */
export class FolderBell {
  readonly #dir: string
  #watcher: FSWatcher | undefined
  #pending = false
  #changed = false
  #wake: (() => void) | undefined

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Wakes who waits. With `changed` the folder is to be looked at. */
  ring(changed = true): void {
    this.#pending = true
    this.#changed ||= changed
    this.#wake?.()
  }

  /** Whether the folder may have changed since the last call. */
  takeChanged(): boolean {
    // The folder may be made again, and a system may have no watch left for a while.
    this.#watcher ??= this.#open()
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  /** Resolves when it rings, or has rung since the last wait, and after `ms` at the latest. */
  async wait(ms: number): Promise<void> {
    if (!this.#pending) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
        timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS))
      })
      clearTimeout(timer)
    }
    this.#wake = undefined
    this.#pending = false
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #open(): FSWatcher | undefined {
    try {
      return watch(this.#dir, () => this.ring()).on('error', () => {
        this.close()
        this.ring()
      })
    } catch {
      return undefined
    }
  }
}

const MAX_TIMER_MS = 0x7fff_ffff
