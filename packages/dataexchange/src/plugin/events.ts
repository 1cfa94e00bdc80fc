import { defaultLogger, type Logger } from '../logger.ts'

/** Events that wait for a slow subscriber; beyond it the oldest are dropped. @limit count */
const EVENT_QUEUE = 1_024

/** The events of data exchange, by topic, with their payloads. */
export interface DataExchangeEvents {
  /** A message is durable in the inbox. */
  'message.received': { type: string; from: string; size: number; message_id?: string; reply_to?: string }
  /** A file is durable in the received folder. For an unpacked folder, `path` is the folder and `size` the size of its archive. */
  'file.received': {
    filename: string
    size: number
    path: string
    folder?: true
    /** Number of files in the folder, and their total size in bytes. */
    files?: number
    bytes?: number
    message_id?: string
    reply_to?: string
  }
  /** A folder’s archive was stored and is not unpacked, for `reason`. The original has no such event. */
  'folder.kept': { filename: string; path: string; reason: string }
  /** A request was answered on its connection and not stored `[autoanswer.ack-reply]`. The original has no such event. */
  'request.answered': {
    from: string
    size: number
    reply_size: number
    message_id?: string
    reply_to?: string
  }
  /** An ACK could not be written. */
  'dataexchange.ack_failed': { remote: string; frame_type: string; error: string }
  /** A message was refused: the inbox is full. */
  'inbox.full': { from: string; type: string; frame_bytes: number; max_bytes: number }
  /** A file was refused: the received folder is full. */
  'received.full': { type: string; frame_bytes: number; max_bytes: number }
}

/** The topic of an event of data exchange. */
export type DataExchangeTopic = keyof DataExchangeEvents

/**
 * An event as a listener receives it. With a topic of {@link DataExchangeEvents} the payload has its type; without one,
 * the topic is any text and the payload unknown.
 */
export type PublishedEvent<T extends string = string> = T extends DataExchangeTopic
  ? { readonly topic: T; readonly payload: DataExchangeEvents[T] }
  : { readonly topic: T; readonly payload: unknown }

/**
 * The topics that a pattern of {@link EventBus.subscribe} matches: for a pattern with `*` those of data exchange, for
 * another text the topic itself. A pattern that matches none of data exchange is of another service: any topic.
 */
export type MatchingTopic<Pattern extends string> = string extends Pattern
  ? string
  : Pattern extends `${string}*${string}`
    ? [Extract<DataExchangeTopic, PatternText<Pattern>>] extends [never]
      ? string
      : Extract<DataExchangeTopic, PatternText<Pattern>>
    : Pattern

/** A template type of the texts that a pattern with `*` matches. */
export type PatternText<Pattern extends string> = Pattern extends `${infer Before}*${infer After}`
  ? `${Before}${string}${PatternText<After>}`
  : Pattern

/** Handles one event at a time: the next call comes when the returned promise has settled. */
export type EventListener<T extends string = string> = (event: PublishedEvent<T>) => void | Promise<void>

/** Delivers events from services to subscribers. Publishing never blocks and never throws. */
export class EventBus {
  readonly #subscriptions = new Set<Subscription>()
  readonly #logger: Logger

  constructor(logger: Logger = defaultLogger) {
    this.#logger = logger
  }

  /** Queues `payload` for every subscriber of `topic`. Listeners run later, never within this call. */
  publish<T extends DataExchangeTopic>(topic: T, payload: DataExchangeEvents[T]): void
  publish(topic: string, payload: unknown): void
  publish(topic: string, payload: unknown): void {
    for (const subscription of this.#subscriptions) subscription.push({ topic, payload })
  }

  /**
   * Calls `listener` for every event whose topic matches `pattern`; `*` stands for any characters (`file.*`, `*`).
   * Up to 1,024 events are queued for a slow listener (`EVENT_QUEUE`); then the oldest are dropped, with a
   * warning in the log. Errors of a listener are logged; without a logger, they go to `console.warn`.
   *
   * @returns a function that ends the subscription and drops its queued events
   */
  subscribe<Pattern extends string>(
    pattern: Pattern,
    listener: EventListener<MatchingTopic<Pattern>>,
  ): () => void {
    // The pattern decides which events it is called with.
    const subscription = new Subscription(globToRegExp(pattern), listener as EventListener, this.#logger)
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
  #queue: PublishedEvent[] = []
  #running = false
  #dropped = 0

  constructor(topic: RegExp, listener: EventListener, logger: Logger) {
    this.#topic = topic
    this.#listener = listener
    this.#logger = logger
  }

  push(event: PublishedEvent): void {
    if (!this.#topic.test(event.topic)) return
    if (this.#queue.length >= EVENT_QUEUE) {
      this.#queue.shift()
      // Logs one line at the start and one at the end, so that a peer cannot fill the log through a slow subscriber.
      if (this.#dropped++ === 0) {
        this.#logger.warn({ topic: event.topic }, 'a subscriber is too slow: the oldest events are dropped')
      }
    }
    this.#queue.push(event)
    if (!this.#running) {
      this.#running = true
      setImmediate(() => void this.#run())
    }
  }

  /** Drops the queued events. */
  end(): void {
    this.#queue = []
  }

  async #run(): Promise<void> {
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
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
