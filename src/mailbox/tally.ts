/** Files, or what becomes files, and their bytes. */
export interface Count {
  readonly files: number
  readonly bytes: number
}

/** Counts what each of several senders has, and all of them together. */
export class Tally {
  readonly #bySender = new Map<string, Count>()
  #all: Count = NOTHING

  get all(): Count {
    return this.#all
  }

  of(sender: string): Count {
    return this.#bySender.get(sender) ?? NOTHING
  }

  add(sender: string, { files, bytes }: Count): void {
    const own = this.of(sender)
    const now = { files: own.files + files, bytes: own.bytes + bytes }
    this.#all = { files: this.#all.files + files, bytes: this.#all.bytes + bytes }
    if (now.files === 0 && now.bytes === 0) this.#bySender.delete(sender)
    else this.#bySender.set(sender, now)
  }

  remove(sender: string, { files, bytes }: Count): void {
    this.add(sender, { files: -files, bytes: -bytes })
  }
}

const NOTHING: Count = { files: 0, bytes: 0 }
