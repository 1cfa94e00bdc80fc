/** Lets one loop wait for a condition that other code changes. */
export class Condition {
  #wake: (() => void) | undefined

  /** Resolves once `isMet()` returns true. It is called again after every {@link notify}. */
  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** Reports a change of something that the condition depends on. */
  notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
