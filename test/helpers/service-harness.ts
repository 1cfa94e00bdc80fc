import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Logger } from '#lib/logger.js'
import { DATA_EXCHANGE_PORT, type Stream } from '#lib/pilot/transport.js'
import { EventBus, type PublishedEvent } from '#lib/plugin/events.js'
import { Service, type ServiceConfig } from '#lib/service/service.js'
import type { Frame } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { SERVER_ADDRESS, type SocketStreams, socketStreams } from './socket-streams.ts'
import { tempDir } from './temp-dir.ts'

/** A running service over real sockets, with its folders, its events and its log at hand. */
export interface ServiceHarness {
  readonly service: Service
  readonly streams: SocketStreams
  readonly inboxDir: string
  readonly receivedDir: string
  readonly events: PublishedEvent[]
  readonly log: LogEntry[]
  /** Starts the service again, after it was stopped. */
  start(): Promise<void>
  /** Connects as a peer would. */
  dial(): Promise<Stream>
  /** Sends frames on a connection of their own, and gives the text of each answer. */
  ask(...frames: Frame[]): Promise<string[]>
  /** The messages in the inbox, oldest first. */
  messages(): Record<string, unknown>[]
  /** The received files, by name. */
  files(): Map<string, Buffer>
}

export interface LogEntry {
  level: string
  message: string
  fields: Record<string, unknown>
}

export async function startService(t: TestContext, config: ServiceConfig = {}): Promise<ServiceHarness> {
  // Before the folder is removed: what is registered first is done first.
  t.after(() => service.stop())
  const dir = tempDir(t)
  const inboxDir = join(dir, 'inbox')
  const receivedDir = join(dir, 'received')
  const streams = socketStreams(t)
  const { logger, log } = recordingLogger()
  const bus = new EventBus()
  const events: PublishedEvent[] = []
  bus.subscribe('*', event => {
    events.push(event)
  })

  const service = new Service({ inboxDir, receivedDir, ...config })
  const resolver = { resolve: async () => SERVER_ADDRESS }
  const identity = { nodeId: SERVER_ADDRESS.node, address: SERVER_ADDRESS }
  const start = () => service.start({ streams, resolver, identity, events: bus, logger })
  await start()

  const dial = () => streams.dial(SERVER_ADDRESS, DATA_EXCHANGE_PORT)
  const ask = async (...frames: Frame[]) => {
    const stream = await dial()
    try {
      const writing = Promise.all(frames.map(frame => writeFrame(stream, frame)))
      const answers: string[] = []
      for (const _ of frames) answers.push(textOf(await readFrame(stream)))
      await writing
      return answers
    } finally {
      await closeStream(stream)
    }
  }
  return {
    service,
    streams,
    inboxDir,
    receivedDir,
    events,
    log,
    start,
    dial,
    ask,
    messages: () => readMessages(inboxDir),
    files: () => readFiles(receivedDir),
  }
}

export function text(text: string): Frame {
  return { type: 1, payload: Buffer.from(text) }
}

export function textOf(frame: Frame | null): string {
  if (frame === null) throw new Error('the connection ended where an answer was due')
  return Buffer.from(frame.payload).toString()
}

/** Resolves when a stream is closed, whether it failed or not. */
export function closed(stream: Stream): Promise<unknown> {
  return new Promise(resolve => stream.once('close', resolve))
}

/** Ends a stream and waits until it is closed. */
export async function closeStream(stream: Stream): Promise<void> {
  if (stream.closed) return
  stream.on('error', () => {})
  const over = closed(stream)
  stream.end()
  stream.resume()
  await over
}

export function readMessages(inboxDir: string): Record<string, unknown>[] {
  return visible(inboxDir).map(name => JSON.parse(readFileSync(join(inboxDir, name), 'utf8')))
}

export function readFiles(receivedDir: string): Map<string, Buffer> {
  return new Map(visible(receivedDir).map(name => [name, readFileSync(join(receivedDir, name))]))
}

/** The visible files of the folder, oldest first. */
export function visible(dir: string): string[] {
  const time = (name: string) => /\d{8}-\d{6}\.\d{3}-\d{6,}/.exec(name)?.[0] ?? name
  return readdirSync(dir)
    .filter(name => statSync(join(dir, name)).isFile())
    .sort((a, b) => (time(a) < time(b) ? -1 : 1))
}

export function recordingLogger(): { logger: Logger; log: LogEntry[] } {
  const log: LogEntry[] = []
  const line = (level: string) => (fields: Record<string, unknown>, message: string) => {
    log.push({ level, message, fields })
  }
  return {
    logger: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    log,
  }
}
