import { type Folders, look, type Seen } from './folders.js'

interface Entry {
  sent: number
  acknowledged: number
  refused: number
}

/** The sent messages and their answers, to be compared with the disk. */
export class Ledger {
  readonly #entries = new Map<string, Entry>()
  /** The files of an earlier comparison: visible files never change, except by a power cut. */
  readonly #known = new Map<string, Seen>()
  readonly #folders: Folders
  #closed = false

  constructor(folders: Folders) {
    this.#folders = folders
  }

  /** Counts since the start: sent, acknowledged, refused. */
  get totals(): Entry {
    const totals = { sent: 0, acknowledged: 0, refused: 0 }
    for (const entry of this.#entries.values()) {
      totals.sent += entry.sent
      totals.acknowledged += entry.acknowledged
      totals.refused += entry.refused
    }
    return totals
  }

  /** Counts no answer any more, until {@link open}: nobody would get to read it. */
  close(): void {
    this.#closed = true
  }

  /** Counts answers again. The next comparison reads everything anew: what was whole need not have stayed so. */
  open(): void {
    this.#closed = false
    this.#known.clear()
  }

  count(key: string, what: keyof Entry): void {
    if (this.#closed && what !== 'sent') return
    const entry = this.#entries.get(key) ?? { sent: 0, acknowledged: 0, refused: 0 }
    entry[what]++
    this.#entries.set(key, entry)
  }

  /** Reads what is new in the folders, and names all that breaks the promise. */
  compare(): string[] {
    const present = new Set<string>()
    const fresh = look(this.#folders, path => {
      present.add(path)
      return this.#known.has(path)
    })
    const torn = fresh.filter(({ key }) => key === undefined).map(({ path }) => `not whole: ${path}`)
    for (const path of this.#known.keys()) if (!present.has(path)) this.#known.delete(path)
    for (const seen of fresh) if (seen.key !== undefined) this.#known.set(seen.path, seen)
    return [...torn, ...this.judge([...this.#known.values()])]
  }

  /** The entries of `found` that break the promise, except torn ones. */
  judge(
    found: readonly Seen[],
    isAcknowledged: (key: string) => number = key => this.#acknowledged(key),
  ): string[] {
    const counts = new Map<string, number>()
    const recorded = new Map<string, number>()
    const problems: string[] = []
    for (const { path, key, record } of found) {
      if (key === undefined) continue
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (record !== 'none') recorded.set(key, (recorded.get(key) ?? 0) + 1)
      if (record === 'wrong') problems.push(`a wrong record: ${path}`)
    }
    for (const [key, { sent, refused }] of this.#entries) {
      const count = counts.get(key) ?? 0
      const due = isAcknowledged(key)
      if (count < due) problems.push(`lost: ${due} of ${key} acknowledged, ${count} found`)
      else if ((recorded.get(key) ?? 0) < due)
        problems.push(`lost: the record of ${key}, ${due} acknowledged`)
      if (count > sent - refused)
        problems.push(`left behind: ${sent - refused} of ${key} may be there, ${count} are`)
      counts.delete(key)
    }
    for (const key of counts.keys()) problems.push(`never sent: ${key}`)
    return problems
  }

  #acknowledged(key: string): number {
    return this.#entries.get(key)?.acknowledged ?? 0
  }
}
