import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import {
  type Address,
  DriverError,
  defaultMaxFrameSize,
  type FileReceipt,
  openToSend,
  transferFile,
} from 'pilot-dataexchange'
import { encodeHeader, FrameType } from 'pilot-dataexchange/wire'
import { checkTarget, withDriver } from '../shared/connect.ts'
import type { Context } from '../shared/context.ts'
import { CliError } from '../shared/errors.ts'
import { bytesText, plural } from '../shared/format.ts'
import { checkQueue, type QueueOptions, queueMessage } from '../shared/queueing.ts'
import { safeLine } from '../shared/safe-text.ts'
import { StopSignals } from '../shared/stop-signals.ts'
import { keepYoungGenerationSmall } from '../shared/young-generation.ts'
import { startProgress } from './progress.ts'

/** Options of `send-file`. */
export interface SendFileOptions extends QueueOptions {
  /** With `queue`: copies the file into the outbox. */
  copy?: boolean
  name?: string
  /** Time in ms without progress. @default 90000 */
  timeout?: number
  /** False: sends one FILE frame. @default true */
  stream: boolean
  /** For a folder: leaves out links, devices, sockets and FIFOs. */
  skipSpecial?: boolean
}

/** Sends a file, a folder, or stdin for the path `-`. Prints the result. */
export async function sendFile(
  context: Context,
  target: string,
  path: string,
  options: SendFileOptions,
): Promise<void> {
  keepYoungGenerationSmall()
  const { name: givenName, timeout = DEFAULT_TIMEOUT_MS, stream, copy, skipSpecial } = options
  checkQueue(options, { '--timeout': options.timeout, '--no-stream': !stream })
  if (copy && !options.queue) throw new CliError('--copy goes with --queue')
  const isStdin = path === STDIN
  if (isStdin && givenName === undefined) throw noName()
  if (givenName === '') throw new CliError('the file name is empty', { hint: 'give it one with --name' })
  checkTarget(target)
  const name = isStdin
    ? checkedName(givenName ?? '')
    : await checkFile(path, { givenName, stream, skipSpecial })
  if (options.queue) {
    await queueFile(context, options, { target, path, name })
    return
  }
  const signals = new StopSignals()
  const progress = startProgress(safeLine(name), context.output)
  try {
    const { signal } = signals
    const result = await withDriver(context, target, { signal }, async (driver, address) => {
      const transfer = transferFile(driver, address, isStdin ? process.stdin : path, {
        name,
        skipSpecial,
        signal,
        stallTimeoutMs: timeout,
        transport: stream ? 'stream' : 'file',
        onProgress: progress.update,
      })
      return resultOf(await transfer.result, address)
    })
    progress.end()
    context.output.confirm(result, () => resultText(result))
  } catch (error) {
    throw signals.signal.aborted ? stopped(error, signals.exitCode) : error
  } finally {
    progress.end()
    signals.forget()
  }
}

const DEFAULT_TIMEOUT_MS = 90_000

/** True if the source must be copied into the outbox: stdin, and a folder as its archive. */
async function queueFile(
  context: Context,
  options: SendFileOptions,
  { target, path, name }: { target: string; path: string; name: string },
): Promise<void> {
  const isStdin = path === STDIN
  const opened = isStdin ? undefined : await openToSend(path, { name, skipSpecial: options.skipSpecial })
  await opened?.source.close()
  const folder = opened?.folder
  const file = isStdin ? process.stdin : folder === undefined ? path : Readable.from(folder.pieces())
  const size = folder === undefined ? {} : { size: folder.size }
  const { copy } = options
  const copied = file === path ? (copy ?? false) : true
  const facts = { filename: name, path: isStdin ? path : resolve(path), copied }
  await queueMessage(context, options, { target, message: { file, name, ...size }, options: { copy }, facts })
}

/** The path of stdin. A file of that name is `./-`. */
const STDIN = '-'

function noName(): CliError {
  return new CliError('what comes from stdin has no name', {
    hint: 'give it one with --name; a file that is called - is ./-',
  })
}

function checkedName(name: string): string {
  encodeHeader({ type: FrameType.File, filename: name, length: 0 })
  return name
}

/** Refuses an invalid source before any request to a daemon. Resolves with the name for the peer. */
async function checkFile(
  path: string,
  {
    givenName,
    stream,
    skipSpecial,
  }: { givenName?: string | undefined; stream: boolean; skipSpecial?: boolean },
): Promise<string> {
  const cap = defaultMaxFrameSize()
  const { source, name } = await openToSend(path, { name: givenName, skipSpecial })
  await source.close()
  if (!stream)
    encodeHeader({ type: FrameType.File, filename: name, length: source.size }, { maxFrameSize: cap })
  return name
}

/** The result in `--json`, with pilotctl’s field names. */
interface Result {
  filename: string
  bytes: number
  bytes_sent: number
  bytes_resumed: number
  sha256: string
  destination: string
  elapsed_ms: number
  throughput_mbps: number
  transport: 'filestream' | 'file'
  verified: boolean
  reconnects: number
  /** The answer to a FILE frame. */
  ack?: string
  /** For a folder: the number of files and folders sent, and the skipped entries. */
  files?: number
  folders?: number
  skipped?: readonly string[]
}

function resultOf(receipt: FileReceipt, address: Address): Result {
  const { filename, size: bytes, bytesSent, sha256, elapsedMs, transport, verified, reconnects } = receipt
  return {
    filename,
    bytes,
    bytes_sent: bytesSent,
    bytes_resumed: receipt.bytesResumed,
    sha256,
    destination: address.toString(),
    elapsed_ms: Math.round(elapsedMs),
    throughput_mbps: Number(((bytesSent * 8) / 1000 / elapsedMs).toFixed(3)),
    transport: transport === 'stream' ? 'filestream' : 'file',
    verified,
    reconnects,
    ...(transport === 'file' && { ack: receipt.answer }),
    ...receipt.folder,
  }
}

function resultText(result: Result): string {
  const { files, skipped = [] } = result
  const remarks = [
    ...(files !== undefined ? [plural(files, 'file')] : []),
    ...(skipped.length > 0 ? [`left out: ${skipped.map(safeLine).join(', ')}`] : []),
    ...(result.bytes_resumed > 0 ? [`${bytesText(result.bytes_resumed)} were there already`] : []),
    ...(result.reconnects > 0 ? [`connected again ${plural(result.reconnects, 'time')}`] : []),
  ]
  const more = remarks.length > 0 ? ` (${remarks.join(', ')})` : ''
  return (
    `${safeLine(result.ack ?? 'stored and verified')}  ${safeLine(result.filename)} to ${result.destination}, ` +
    `${bytesText(result.bytes)} in ${elapsedText(result.elapsed_ms)}${more}\nsha256 ${result.sha256}`
  )
}

function elapsedText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`
}

function stopped(error: unknown, exitCode: number): unknown {
  if (!(error instanceof DriverError) || error.code !== 'ABORTED') return error
  return new CliError('stopped: the file was not sent to its end', {
    cause: error,
    exitCode,
    envelopeCode: 'internal',
    hint: 'send it again to go on with what the peer has kept of it',
  })
}
