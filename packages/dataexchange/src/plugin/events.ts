import { type Logger, silentLogger } from '../logger.ts'

/** Events that wait for a slow subscriber; beyond it the oldest are dropped. @limit count */
const EVENT_QUEUE = 1_024

/** The events of data exchange and their payloads (section 3). */
export interface DataExchangeEvents {
  'message.received': { type: string; from: string; size: number; message_id?: string; reply_to?: string }
  /** Of a folder that was unpacked, `path` is the folder, and `size` that of the archive which it came in. */
  'file.received': {
    filename: string
    size: number
    path: string
    folder?: true
    /** In the folder: how many files, and the bytes of all. */
    files?: number
    bytes?: number
    message_id?: string
    reply_to?: string
  }
  /** A folder’s archive that was stored and is not unpacked; not an event of the original. */
  'folder.kept': { filename: string; path: string; reason: string }
  /** A request that was answered on its connection and not stored (section 6); not an event of the original. */
  'request.answered': {
    from: string
    size: number
    reply_size: number
    message_id?: string
    reply_to?: string
  }
  'dataexchange.ack_failed': { remote: string; frame_type: string; error: string }
  'inbox.full': { from: string; type: string; frame_bytes: number; max_bytes: number }
  'received.full': { type: string; frame_bytes: number; max_bytes: number }
}

/** What a subscriber is handed. */
export interface PublishedEvent {
  readonly topic: string
  readonly payload: unknown
}

/** Takes one event at a time: the next comes when the promise it returned has settled. */
export type EventListener = (event: PublishedEvent) => void | Promise<void>

/** Carries events from services to whoever listens (section 9). Publishing never blocks and never throws. */
export class EventBus {
  readonly #subscriptions = new Set<Subscription>()
  readonly #logger: Logger

  constructor(logger: Logger = silentLogger) {
    this.#logger = logger
  }

  /** Hands `payload` to every listener of `topic`, later: listeners run after the caller has gone on. */
  publish<T extends keyof DataExchangeEvents>(topic: T, payload: DataExchangeEvents[T]): void
  publish(topic: string, payload: unknown): void
  publish(topic: string, payload: unknown): void {
    for (const subscription of this.#subscriptions) subscription.offer({ topic, payload })
  }

  /**
   * Calls `listener` for every event whose topic matches `pattern`, in which `*` stands for any characters
   * (`file.*`, `*`). Up to 1,024 events wait for a slow listener; then the oldest are dropped. What a
   * listener throws is logged.
   *
   * @returns a function that ends the subscription; events that still wait for the listener are dropped
   */
  subscribe(pattern: string, listener: EventListener): () => void {
    const subscription = new Subscription(globToRegExp(pattern), listener, this.#logger)
    this.#subscriptions.add(subscription)
    return () => {
      this.#subscriptions.delete(subscription)
      subscription.end()
    }
  }
}

class Subscription {
  readonly #topic: RegExp
  readonly #listener: EventListener
  readonly #logger: Logger
  #waiting: PublishedEvent[] = []
  #running = false
  #dropped = 0

  constructor(topic: RegExp, listener: EventListener, logger: Logger) {
    this.#topic = topic
    this.#listener = listener
    this.#logger = logger
  }

  offer(event: PublishedEvent): void {
    if (!this.#topic.test(event.topic)) return
    if (this.#waiting.length >= EVENT_QUEUE) {
      this.#waiting.shift()
      // One line now and one when it is over: a peer must not fill the log through a slow subscriber.
      if (this.#dropped++ === 0) {
        this.#logger.warn({ topic: event.topic }, 'a subscriber is too slow: the oldest events are dropped')
      }
    }
    this.#waiting.push(event)
    if (!this.#running) {
      this.#running = true
      setImmediate(() => void this.#run())
    }
  }

  /** Drops what waits. */
  end(): void {
    this.#waiting = []
  }

  async #run(): Promise<void> {
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      try {
        await this.#listener(event)
      } catch (err) {
        this.#logger.error({ err, topic: event.topic }, 'a subscriber failed')
      }
    }
    this.#running = false
    if (this.#dropped > 0) this.#logger.warn({ dropped: this.#dropped }, 'a slow subscriber has caught up')
    this.#dropped = 0
  }
}

function globToRegExp(pattern: string): RegExp {
  const literal = pattern.split('*').map(text => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literal.join('.*')}$`, 's')
}
