import { randomBytes } from 'node:crypto'

/** The owner of a file in a hidden subfolder, from its name. */
export interface NameOwner {
  /** The id of the process. A process of an earlier boot or another container may have the same id. */
  readonly pid: number
  /** Distinguishes owners with the same {@link pid}. */
  readonly token: string
  /** Higher for names that the same owner gave later. */
  readonly number: number
}

/** Generates unique file names: `<pid>-<16 hex digits of this object>-<number>` and a suffix. */
export class UniqueNames {
  readonly token: string = randomBytes(8).toString('hex')
  readonly #suffix: string
  #count = 0

  constructor(suffix: string) {
    this.#suffix = suffix
  }

  next(): string {
    return `${process.pid}-${this.token}-${++this.#count}${this.#suffix}`
  }
}

/** Returns the owner of the file `name` with the suffix `suffix`; undefined if the name has another form. */
export function ownerIn(name: string, suffix: string): NameOwner | undefined {
  if (!name.endsWith(suffix)) return undefined
  const [, pid, token, number] = UNIQUE_NAME.exec(name.slice(0, -suffix.length)) ?? []
  if (pid === undefined || token === undefined) return undefined
  return { pid: Number(pid), token, number: Number(number) }
}

const UNIQUE_NAME = /^(\d{1,10})-([0-9a-f]{16})-(\d+)$/
