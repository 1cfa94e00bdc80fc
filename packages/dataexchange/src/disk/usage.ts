/** Files, or what becomes files, and their bytes. */
export interface Count {
  readonly files: number
  readonly bytes: number
}

/** No file and no byte. */
export const NOTHING: Count = { files: 0, bytes: 0 }

/** Both together. */
export function sum(one: Count, other: Count): Count {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes }
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

  add(sender: string, count: Count): void {
    const now = sum(this.of(sender), count)
    this.#all = sum(this.#all, count)
    if (now.files === 0 && now.bytes === 0) this.#bySender.delete(sender)
    else this.#bySender.set(sender, now)
  }

  remove(sender: string, { files, bytes }: Count): void {
    this.add(sender, { files: -files, bytes: -bytes })
  }
}
