import { basename, resolve } from 'node:path'
import { DriverError } from '../../errors.ts'
import { openSource } from '../../exchange/file-source.ts'
import { defaultMaxFrameSize } from '../../exchange/max-frame-size.ts'
import { transferFile } from '../../exchange/transfer/transfer-file.ts'
import type { FileReceipt } from '../../exchange/transfer/transfer-types.ts'
import type { Address } from '../../pilot/address.ts'
import { encodeHeader } from '../../wire/encode.ts'
import { encodeFilePrefix } from '../../wire/file.ts'
import { FrameType } from '../../wire/frame.ts'
import { checkTarget, withDriver } from '../connect.ts'
import type { Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { bytesText, plural } from '../format.ts'
import { startProgress } from '../progress.ts'
import { checkQueue, type QueueOptions, queueMessage } from '../queueing.ts'
import { safeLine } from '../safe-text.ts'
import { StopSignals } from '../stop-signals.ts'

/** Options of `send-file`. */
export interface SendFileOptions extends QueueOptions {
  /** With `queue`: the file is copied into the outbox. */
  copy?: boolean
  name?: string
  /** Milliseconds without progress. @default 90000 */
  timeout?: number
  /** False: one FILE frame. @default true */
  stream: boolean
}

/** Sends one file and tells what came of it. */
export async function sendFile(
  context: Context,
  target: string,
  path: string,
  options: SendFileOptions,
): Promise<void> {
  const { name = basename(path), timeout = DEFAULT_TIMEOUT_MS, stream, copy } = options
  checkQueue(options, { '--timeout': options.timeout, '--no-stream': !stream })
  if (copy && !options.queue) throw new CliError('--copy goes with --queue')
  if (name === '') throw new CliError('the file name is empty', { hint: 'give it one with --name' })
  await checkTarget(target)
  await checkFile(path, name, stream)
  if (options.queue) {
    const facts = { filename: name, path: resolve(path), copied: copy ?? false }
    await queueMessage(context, options, { target, message: { file: path, name }, options: { copy }, facts })
    return
  }
  const signals = new StopSignals()
  const progress = startProgress(safeLine(name), context.output)
  try {
    const { signal } = signals
    const result = await withDriver(context, target, { signal }, async (driver, address) => {
      const transfer = transferFile(driver, address, path, {
        name,
        signal,
        timeoutMs: timeout,
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

/** Refuses what cannot be sent before anybody is asked for anything. */
async function checkFile(path: string, name: string, stream: boolean): Promise<void> {
  const cap = defaultMaxFrameSize()
  encodeFilePrefix(name)
  const source = await openSource(path, stream ? Number.POSITIVE_INFINITY : cap)
  await source.close()
  if (stream) return
  encodeHeader({ type: FrameType.File, filename: name, length: source.size }, { maxFrameSize: cap })
}

/** What `--json` prints, in pilotctl’s words. */
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
  /** Of a FILE frame. */
  ack?: string
}

function resultOf(receipt: FileReceipt, address: Address): Result {
  const { filename, bytes, bytesSent, sha256, elapsedMs, transport, verified, reconnects } = receipt
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
  }
}

function resultText(result: Result): string {
  const remarks = [
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
