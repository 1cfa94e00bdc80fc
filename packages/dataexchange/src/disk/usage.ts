/** A number of files and their total size in bytes. */
export interface Usage {
  readonly files: number
  readonly bytes: number
}

/** Zero files and bytes. */
export const NO_USAGE: Usage = { files: 0, bytes: 0 }

/** Adds two counts. */
export function sum(one: Usage, other: Usage): Usage {
  return { files: one.files + other.files, bytes: one.bytes + other.bytes }
}

/** The usage of each sender, and the total. */
export class UsageBySender {
  readonly #bySender = new Map<string, Usage>()
  #all: Usage = NO_USAGE

  get all(): Usage {
    return this.#all
  }

  of(sender: string): Usage {
    return this.#bySender.get(sender) ?? NO_USAGE
  }

  add(sender: string, count: Usage): void {
    const now = sum(this.of(sender), count)
    this.#all = sum(this.#all, count)
    if (now.files === 0 && now.bytes === 0) this.#bySender.delete(sender)
    else this.#bySender.set(sender, now)
  }

  remove(sender: string, { files, bytes }: Usage): void {
    this.add(sender, { files: -files, bytes: -bytes })
  }
}
