import { join } from 'node:path'
import {
  Driver,
  DriverError,
  type Logger,
  type NodeInfo,
  Service,
  type ServiceConfig,
} from 'pilot-dataexchange'
import { EmbeddedDaemon } from 'pilot-dataexchange/embedded'
import { type PublishedEvent, Runtime } from 'pilot-dataexchange/plugin'
import { type Context, inboxDir, outboxDir, receivedDir } from '../shared/context.ts'
import { CliError } from '../shared/errors.ts'
import { bytesText, facts, plural, timeText } from '../shared/format.ts'
import type { Output } from '../shared/output.ts'
import { safeLine } from '../shared/safe-text.ts'
import { createLogger, type LogLevel } from '../shared/serve-log.ts'
import { StopSignals } from '../shared/stop-signals.ts'
import { keepYoungGenerationSmall } from '../shared/young-generation.ts'
import { answerCommand } from './answer-command.ts'
import { serveOutbox } from './outbox.ts'
import { sendCommand } from './send-command.ts'

/** Options of `serve`. A negative limit is off. */
export interface ServeOptions {
  inbox?: string
  received?: string
  /** False: does not send the outbox. */
  outbox?: string | false
  includeBase64?: boolean
  inboxMaxFiles?: number
  inboxMaxBytes?: number
  whenFull: 'evict' | 'refuse'
  inboxShare?: number
  receivedMaxBytes?: number
  receivedMaxFiles?: number
  partialTimeout?: number
  idleTimeout?: number
  frameTimeout?: number
  maxConnections?: number
  maxConnectionsPerPeer?: number
  allow?: string[]
  deny?: string[]
  rateFrames?: number
  rateBytes?: number
  maxFrame?: number
  /** Shell command that answers each request. */
  answer?: string
  answerTimeout?: number
  durability: 'full' | 'os'
  /** False: keeps archives of folders packed. */
  unpack: boolean
  hostname?: string
  logLevel?: LogLevel
  /** True: never attaches. False: only attaches. @default attaches if a daemon answers */
  embedded?: boolean
}

/** Runs the data exchange service until a signal. */
export async function serve(context: Context, options: ServeOptions): Promise<void> {
  keepYoungGenerationSmall()
  const { output } = context
  checkAnswer(options)
  const signals = new StopSignals()
  const logger = createLogger(output, options.logLevel)
  const cleanUp: (() => Promise<void>)[] = []
  try {
    const { driver, embedded } = await reachDaemon(context, options, logger)
    cleanUp.push(async () => embedded?.close())
    cleanUp.push(() => driver.close())
    if (embedded === undefined && options.hostname !== undefined) await driver.setHostname(options.hostname)

    const service = new Service(serviceConfig(context, options, logger))
    const runtime = new Runtime({ driver, logger })
    runtime.register(service)
    tellEvents(runtime, output)
    await runtime.start(signals.signal)
    cleanUp.push(() => runtime.stop())

    const isOn = options.outbox !== false && service.folders !== undefined
    const outbox = isOn ? outboxDir(context, options.outbox || undefined) : undefined
    if (outbox !== undefined) {
      cleanUp.push(await serveOutbox(outbox, { driver, events: runtime.events, logger }))
    }
    const { inbox, received } = service.folders ?? {}
    const node = await driver.info()
    const isEmbedded = embedded !== undefined
    tellStart(context, { node, embedded: isEmbedded, inbox, received, outbox, answer: options.answer })
    await signals.stopped
    output.note('stopping')
  } catch (error) {
    // A signal before the service runs is not a failure.
    if (!signals.signal.aborted) throw explained(error, options)
  } finally {
    for (const end of cleanUp.reverse()) {
      await end().catch((err: unknown) => logger.error({ err }, 'not stopped cleanly'))
    }
    signals.forget()
  }
}

function checkAnswer({ answer, answerTimeout }: ServeOptions): void {
  if (answer?.trim() === '') throw new CliError('--answer needs a command, and got an empty text')
  if (answer === undefined && answerTimeout !== undefined) {
    throw new CliError('--answer-timeout goes with --answer')
  }
}

/** Attaches to a daemon if one answers, else starts the embedded daemon. */
async function reachDaemon(
  { socketPath, home }: Context,
  { embedded: wanted, hostname }: ServeOptions,
  logger: Logger,
): Promise<{ driver: Driver; embedded?: EmbeddedDaemon }> {
  if (wanted !== true) {
    try {
      return { driver: await Driver.connect(socketPath) }
    } catch (error) {
      const nobody = error instanceof DriverError && error.code === 'DAEMON_UNAVAILABLE'
      if (!nobody || wanted === false) throw error
    }
  }
  const identityFile = join(home, 'embedded-node.json')
  const embedded = await EmbeddedDaemon.start({ socketPath, identityFile, hostname, logger })
  try {
    return { driver: await Driver.connect(socketPath), embedded }
  } catch (error) {
    await embedded.close()
    throw error
  }
}

/** Names the hostname in a refusal: a daemon refuses nothing else at a start. */
function explained(error: unknown, { hostname }: ServeOptions): unknown {
  if (hostname === undefined || !(error instanceof DriverError) || error.code !== 'DAEMON_REFUSED')
    return error
  return new CliError(`the hostname ${JSON.stringify(hostname)} was refused: ${error.message}`, {
    cause: error,
  })
}

function serviceConfig(context: Context, options: ServeOptions, logger: Logger): ServiceConfig {
  return {
    inboxDir: inboxDir(context, options.inbox),
    receivedDir: receivedDir(context, options.received),
    includeBase64: options.includeBase64,
    inboxMaxFiles: options.inboxMaxFiles,
    inboxMaxBytes: options.inboxMaxBytes,
    whenFull: options.whenFull,
    inboxShare: options.inboxShare,
    receivedMaxBytes: options.receivedMaxBytes,
    receivedMaxFiles: options.receivedMaxFiles,
    partialTimeoutMs: options.partialTimeout,
    idleTimeoutMs: options.idleTimeout,
    frameTimeoutMs: options.frameTimeout,
    maxConnections: options.maxConnections,
    maxConnectionsPerPeer: options.maxConnectionsPerPeer,
    allow: options.allow,
    deny: options.deny,
    rates: { framesPerSecond: options.rateFrames, bytesPerSecond: options.rateBytes },
    maxFrameSize: options.maxFrame,
    answer: options.answer === undefined ? undefined : answerCommand(options.answer, logger),
    replyTimeoutMs: options.answerTimeout,
    durability: options.durability,
    unpack: options.unpack,
  }
}

interface Started {
  node: NodeInfo
  embedded: boolean
  inbox?: string
  received?: string
  outbox?: string
  answer?: string
}

function tellStart({ output, socketPath }: Context, started: Started): void {
  const { node, embedded, inbox, received, outbox, answer } = started
  const address = node.address.toString()
  const send = sendCommand({ address, socketPath })
  const data = {
    address,
    hostname: node.hostname,
    node_id: node.nodeId,
    socket: socketPath,
    embedded,
    inbox: inbox ?? null,
    received: received ?? null,
    outbox: outbox ?? null,
    ...(answer !== undefined && { answer }),
    send_command: send,
  }
  const daemon = embedded
    ? 'embedded, for this machine only: no Pilot daemon answered on the socket'
    : `attached, version ${safeLine(node.version) || 'unknown'}`
  output.result(
    data,
    () =>
      `${facts([
        ['address', address],
        ['hostname', safeLine(node.hostname) || '-'],
        ['daemon', daemon],
        ['socket', safeLine(socketPath)],
        ['inbox', inbox === undefined ? 'none: data exchange is disabled' : safeLine(inbox)],
        ['received', received === undefined ? 'none: data exchange is disabled' : safeLine(received)],
        ['outbox', outbox === undefined ? 'not sent by this process' : safeLine(outbox)],
        ...(answer === undefined ? [] : [['answers', safeLine(answer)] as const]),
      ])}\n\nFrom a second terminal:\n\n  ${safeLine(send)}\n`,
  )
}

function tellEvents(runtime: Runtime, output: Output): void {
  runtime.events.subscribe('*', ({ topic, payload }) => {
    if (output.json) output.item({ event: topic, ...(payload as object) }, () => '')
    else if (!output.quiet) {
      const text = eventText({ topic, payload })
      if (text !== undefined) output.item(payload, () => `${timeText(Date.now()).slice(11)}  ${text}`)
    }
  })
}

/** Undefined for events that the log already has. */
function eventText({ topic, payload }: PublishedEvent): string | undefined {
  const fields = payload as Record<string, unknown>
  const text = (name: string) => safeLine(String(fields[name]))
  switch (topic) {
    case 'message.received':
      return `${text('type')} from ${text('from')}, ${bytesText(Number(fields.size))}`
    case 'file.received':
      if (fields.folder === true)
        return `folder ${text('filename')}, ${plural(Number(fields.files), 'file')}, ${bytesText(Number(fields.bytes))}, stored as ${text('path')}`
      return `file ${text('filename')}, ${bytesText(Number(fields.size))}, stored as ${text('path')}`
    case 'request.answered':
      return `request from ${text('from')}, ${bytesText(Number(fields.size))}, answered with ${bytesText(Number(fields.reply_size))}`
    case 'folder.kept':
      return `folder ${text('filename')} stays an archive: ${text('reason')}`
    default:
      return undefined
  }
}
