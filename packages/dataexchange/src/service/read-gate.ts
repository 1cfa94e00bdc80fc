import { Condition } from '../async/condition.ts'

/** A reason not to read from a peer. */
export type Obstacle = 'arriving frames' | 'transfers' | 'answers'

/**
 * Tells the read loop of a connection whether it may read. Each part that holds data of the peer reports when it
 * becomes full and when it has space again, so the read loop asks one flag instead of all of them.
 */
export class ReadGate {
  /** False while there is an obstacle. */
  isOpen = true
  readonly #obstacles = new Set<Obstacle>()
  readonly #condition = new Condition()
  #isUnblocked = false
  #isReleased = false

  /** Adds or removes an obstacle. */
  report(obstacle: Obstacle, isPresent: boolean): void {
    if (isPresent) this.#obstacles.add(obstacle)
    else this.#obstacles.delete(obstacle)
    this.isOpen = this.#isUnblocked || this.#obstacles.size === 0
    if (this.isOpen) this.#condition.notify()
  }

  /** Ignores obstacles from now on: the stream is closed and brings no more data. */
  unblock(): void {
    this.#isUnblocked = true
    this.isOpen = true
    this.#condition.notify()
  }

  /** Also ends {@link pause}: the connection ends. */
  release(): void {
    this.#isReleased = true
    this.unblock()
  }

  /** Resolves when there is no obstacle. */
  opened(): Promise<void> {
    return this.#condition.until(() => this.isOpen)
  }

  /** Resolves after `ms` milliseconds, or when the gate is released. */
  async pause(ms: number): Promise<void> {
    let isOver = false
    const timer = setTimeout(() => {
      isOver = true
      this.#condition.notify()
    }, ms)
    await this.#condition.until(() => isOver || this.#isReleased)
    clearTimeout(timer)
  }
}
