/** Holds what is to be ended with it: the last first. */
export class AsyncDisposableList implements AsyncDisposable {
  readonly #held: AsyncDisposable[] = []

  use<T extends AsyncDisposable>(item: T): T {
    this.#held.push(item)
    return item
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const item of this.#held.reverse()) await item[Symbol.asyncDispose]()
  }
}
