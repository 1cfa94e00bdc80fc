/** Lets one loop wait until a condition holds that others change. */
export class Gate {
  #wake: (() => void) | undefined

  /** Resolves once `open()` is true; it is asked again after every {@link notify}. */
  async until(open: () => boolean): Promise<void> {
    while (!open()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** Tells that something the condition depends on has changed. */
  notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
