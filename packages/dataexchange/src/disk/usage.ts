/** A number of files and their total size in bytes. */
export interface Count {
  readonly files: number
  readonly bytes: number
}

/** Zero files and bytes. */
export const NOTHING: Count = { files: 0, bytes: 0 }

/** Adds two counts. */
export function sum(one: Count, other: Count): Count {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes }
}

/** The usage of each sender, and the total. */
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
