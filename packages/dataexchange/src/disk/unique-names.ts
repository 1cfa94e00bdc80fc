import { randomBytes } from 'node:crypto'

/** Whose a file in a hidden subfolder is, as its name tells. */
export interface NameOwner {
  /** The id of the process; a process of an earlier boot or container may have had it as well. */
  readonly pid: number
  /** What tells apart whom {@link pid} does not. */
  readonly token: string
  /** What the same owner named later has a higher one. */
  readonly number: number
}

/** New names for files: `<pid>-<16 hex digits of this object>-<number>` and an ending. Nobody else gives the same. */
export class OwnNames {
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

/** Whose the file `name` with the ending `suffix` is; undefined where {@link OwnNames} gave no such name. */
export function ownerIn(name: string, suffix: string): NameOwner | undefined {
  if (!name.endsWith(suffix)) return undefined
  const [, pid, token, number] = OWN_NAME.exec(name.slice(0, -suffix.length)) ?? []
  if (pid === undefined || token === undefined) return undefined
  return { pid: Number(pid), token, number: Number(number) }
}

const OWN_NAME = /^(\d{1,10})-([0-9a-f]{16})-(\d+)$/
