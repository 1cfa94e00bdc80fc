/** The limits of the modelled mailbox. */
export interface ModelLimits {
  readonly whenFull: 'evict' | 'refuse'
  readonly inboxMaxFiles: number
  readonly inboxMaxBytes: number
  readonly receivedMaxBytes: number
  /** False where the clock is set: which messages are the oldest is not known then. */
  readonly isOrdered: boolean
}

/** One file that is visible. */
export interface Shown {
  readonly key: string
  /** Its size on the disk. */
  readonly size: number
}

/** The visible files of both folders, by path. */
export interface Found {
  readonly inbox: ReadonlyMap<string, Shown>
  readonly received: ReadonlyMap<string, Shown>
}

/** Something that was sent, and what came of it. */
export interface Sent {
  readonly key: string
  readonly isFile: boolean
  /** Bytes of the payload. */
  readonly bytes: number
  readonly outcome: 'acknowledged' | 'refused' | 'unanswered'
}

/**
 * A mailbox, in a few lines: by path what is there, oldest first. It is told what was sent and removed, and
 * compares what it then expects with what is found, which becomes what it knows.
 */
export class MailboxModel {
  readonly #limits: ModelLimits
  #inbox: ReadonlyMap<string, Shown> = new Map()
  #received: ReadonlyMap<string, Shown> = new Map()
  /** Sizes of messages that others have removed: the service may count them until it lists the folder again. */
  #ghosts: number[] = []

  constructor(limits: ModelLimits) {
    this.#limits = limits
  }

  /** Another program has removed the file at `path`. */
  removed(path: string): void {
    const message = this.#inbox.get(path)
    if (message !== undefined) this.#ghosts.push(message.size)
    this.#inbox = without(this.#inbox, path)
    this.#received = without(this.#received, path)
  }

  /** The service has been started again. */
  restarted(): void {
    this.#ghosts = []
  }

  /**
   * Returns the errors in the files after `sent` was sent. Both maps are oldest first.
   */
  compare(sent: readonly Sent[], { inbox, received }: Found): string[] {
    const problems = [
      ...this.#compareFolder('received', sent, this.#received, received),
      ...this.#compareFolder('inbox', sent, this.#inbox, inbox),
      ...this.#checkLost(inbox, sent.length),
      ...[...this.#received.keys()].filter(path => !received.has(path)).map(path => `a file went: ${path}`),
      ...(sent.length === 1 ? sent : []).flatMap(item => this.#checkRefusal(item)),
      ...this.#checkLimits({ inbox, received }, sent),
    ]
    this.#inbox = new Map(inbox)
    this.#received = new Map(received)
    return problems
  }

  /** New files must have been sent, each at most once. Acknowledged ones must be present unless evicted. */
  #compareFolder(
    name: 'inbox' | 'received',
    sent: readonly Sent[],
    before: ReadonlyMap<string, Shown>,
    now: ReadonlyMap<string, Shown>,
  ): string[] {
    const problems: string[] = []
    const fresh = [...now].filter(([path]) => !before.has(path)).map(([, { key }]) => key)
    const items = sent.filter(({ isFile }) => isFile === (name === 'received'))
    for (const { key, outcome } of items) {
      const at = fresh.indexOf(key)
      if (at >= 0) fresh.splice(at, 1)
      if (outcome === 'refused' && at >= 0) problems.push(`refused, and stored in ${name}: ${key}`)
      const mayGo = name === 'inbox' && this.#limits.whenFull === 'evict' && items.length > 1
      if (outcome === 'acknowledged' && at < 0 && !mayGo)
        problems.push(`acknowledged, and not in ${name}: ${key}`)
    }
    return [...problems, ...fresh.map(key => `in ${name}, and not sent: ${key}`)]
  }

  /** Only the oldest messages of the inbox are evicted and, after a send, no more than the limits require. */
  #checkLost(now: ReadonlyMap<string, Shown>, sent: number): string[] {
    const { whenFull, inboxMaxFiles, inboxMaxBytes, isOrdered } = this.#limits
    const lost = [...this.#inbox].filter(([path]) => !now.has(path))
    if (lost.length === 0) return []
    if (whenFull === 'refuse') return lost.map(([path]) => `a message went: ${path}`)
    const problems: string[] = []
    // The last to go went because with it there was too much: more than all of the files, or 90 % of the bytes.
    const last = Math.max(...lost.map(([, { size }]) => size))
    const files = now.size + 1 + this.#ghosts.length
    const bytes = sum(now) + last + this.#ghosts.reduce((total, size) => total + size, 0)
    if (sent <= 1 && files <= inboxMaxFiles && bytes <= inboxMaxBytes * EVICT_DOWN_TO) {
      problems.push(`${lost.length} messages went, and ${now.size} with ${sum(now)} bytes are left`)
    }
    const kept = [...this.#inbox.keys()].findIndex(path => now.has(path))
    if (isOrdered && kept >= 0 && kept !== lost.length)
      problems.push('messages went that were not the oldest')
    return problems
  }

  /** Nothing is refused that surely fits. */
  #checkRefusal({ key, isFile, bytes, outcome }: Sent): string[] {
    if (outcome !== 'refused') return []
    const { whenFull, inboxMaxFiles, inboxMaxBytes, receivedMaxBytes } = this.#limits
    if (isFile) return sum(this.#received) + bytes <= receivedMaxBytes ? [`refused, and it fits: ${key}`] : []
    const most = bytes * MOST_GROWTH + RECORD
    if (whenFull === 'evict')
      return most <= inboxMaxBytes ? [`refused, and old messages could go: ${key}`] : []
    const ghosts = this.#ghosts.reduce((total, size) => total + size, 0)
    const hasRoom = this.#inbox.size + this.#ghosts.length < inboxMaxFiles
    const fits = hasRoom && sum(this.#inbox) + ghosts + most <= inboxMaxBytes
    return fits ? [`refused, and it fits: ${key}`] : []
  }

  #checkLimits({ inbox, received }: Found, sent: readonly Sent[]): string[] {
    const { inboxMaxFiles, inboxMaxBytes, receivedMaxBytes } = this.#limits
    const problems: string[] = []
    if (sum(received) > receivedMaxBytes) problems.push(`${sum(received)} bytes are received`)
    // One that was killed may not have come to removing what is too much; the next message sees to it.
    if (sent.length !== 1 || sent[0]?.isFile || sent[0]?.outcome !== 'acknowledged') return problems
    if (inbox.size > inboxMaxFiles) problems.push(`${inbox.size} messages are in the inbox`)
    if (sum(inbox) > inboxMaxBytes) problems.push(`${sum(inbox)} bytes are in the inbox`)
    return problems
  }
}

const EVICT_DOWN_TO = 0.9
/** A byte of a payload takes up to six in JSON, and base64 on top. */
const MOST_GROWTH = 8
const RECORD = 600

function sum(files: ReadonlyMap<string, Shown>): number {
  return [...files.values()].reduce((total, { size }) => total + size, 0)
}

function without(files: ReadonlyMap<string, Shown>, path: string): ReadonlyMap<string, Shown> {
  return new Map([...files].filter(([other]) => other !== path))
}
