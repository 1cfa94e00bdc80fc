import { existsSync, readFileSync } from 'node:fs'

/** A line of what consumers have written down; see consumer-child.ts. Times in ms since the Unix epoch. */
type Line =
  | { what: 'given'; id: string; attempt: number; start: number; end: number; now: number }
  | { what: 'giving back'; id: string; attempt: number }
  | { what: 'extended'; id: string; attempt: number; end: number }
  | { what: 'acknowledged'; id: string; now: number }

export type Given = Extract<Line, { what: 'given' }>

/** The log of all consumers, in one file. */
export class ConsumerLog {
  /** In the order of the attempts. */
  readonly given: ReadonlyMap<string, readonly Given[]>
  readonly #lines: readonly Line[]

  constructor(path: string) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    // The last line of one that was killed may be cut.
    this.#lines = text.split('\n').flatMap(line => (line.endsWith('}') ? [JSON.parse(line) as Line] : []))
    const given = new Map<string, Given[]>()
    for (const line of this.#lines) {
      if (line.what === 'given') given.set(line.id, [...(given.get(line.id) ?? []), line])
    }
    for (const lines of given.values()) lines.sort((a, b) => a.attempt - b.attempt)
    this.given = given
  }

  /** Messages with a confirmed acknowledgement, and its time. */
  get acknowledged(): ReadonlyMap<string, number> {
    const first = new Map<string, number>()
    for (const line of this.#lines) {
      if (line.what === 'acknowledged' && !first.has(line.id)) first.set(line.id, line.now)
    }
    return first
  }

  /** How often messages were given more than once. */
  get duplicates(): number {
    return [...this.given.values()].reduce((sum, lines) => sum + lines.length - 1, 0)
  }

  /** Messages that were delivered again although they were acknowledged, or leased to another consumer. */
  wrongs(): string[] {
    const { acknowledged } = this
    const problems: string[] = []
    for (const [id, lines] of this.given) {
      const at = acknowledged.get(id) ?? Number.POSITIVE_INFINITY
      lines.forEach((line, i) => {
        if (line.start > at) problems.push(`${id} was given again ${line.start - at} ms after its ack`)
        const before = lines[i - 1]
        if (before === undefined) return
        if (before.attempt === line.attempt)
          problems.push(`${id} was given to two at attempt ${line.attempt}`)
        const early = this.#endOf(before) - line.start
        if (early > 0) problems.push(`${id} was given again ${early} ms before its lease ended`)
      })
    }
    return problems
  }

  /** When a lease ended at the earliest. */
  #endOf({ id, attempt, end }: Given): number {
    let latest = end
    for (const line of this.#lines) {
      if (line.id !== id || line.what === 'acknowledged' || line.attempt !== attempt) continue
      if (line.what === 'giving back') return 0
      if (line.what === 'extended') latest = Math.max(latest, line.end)
    }
    return latest
  }
}
