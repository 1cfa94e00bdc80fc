import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { DriverError } from '../../errors.ts'
import type { OpenSource } from '../../exchange/file-source.ts'
import { openSource } from '../../exchange/file-source.ts'
import { defaultMaxFrameSize } from '../../exchange/max-frame-size.ts'
import { afterMs } from '../../pilot/wait.ts'
import { encodeHeader } from '../../wire/encode.ts'
import { FrameType } from '../../wire/frame.ts'
import { checkTarget, withPeer } from '../connect.ts'
import type { Context } from '../context.ts'
import { CliError } from '../errors.ts'
import { bytesText, durationText } from '../format.ts'
import { startProgress } from '../progress.ts'
import { safeLine } from '../safe-text.ts'

/** Options of `send-file`. */
export interface SendFileOptions {
  name?: string
  /** Milliseconds without a byte taken, or without an answer. @default 90000 */
  timeout?: number
}

/** Sends one file and tells what the peer answered. */
export async function sendFile(
  context: Context,
  target: string,
  path: string,
  { name = basename(path), timeout = DEFAULT_TIMEOUT_MS }: SendFileOptions,
): Promise<void> {
  if (name === '') throw new CliError('the file name is empty', { hint: 'give it one with --name' })
  await checkTarget(target)
  const cap = defaultMaxFrameSize()
  const source = await openSource(path, cap)
  try {
    // Refuses what cannot be sent before anybody is asked for anything.
    encodeHeader({ type: FrameType.File, filename: name, length: source.size }, { maxFrameSize: cap })
    const result = await deliver(context, { target, name, source, timeout })
    context.output.confirm(
      result,
      () =>
        `${safeLine(result.ack)}  ${safeLine(name)} to ${result.destination}, ` +
        `${bytesText(result.bytes)} in ${elapsedText(result.elapsed_ms)}\nsha256 ${result.sha256}`,
    )
  } finally {
    await source.close()
  }
}

const DEFAULT_TIMEOUT_MS = 90_000

interface Delivery {
  target: string
  name: string
  source: OpenSource
  timeout: number
}

async function deliver(context: Context, { target, name, source, timeout }: Delivery) {
  const hash = createHash('sha256')
  async function* hashed() {
    for await (const piece of source.pieces()) {
      hash.update(piece)
      yield piece
    }
  }
  const watchdog = new Watchdog(timeout)
  const progress = startProgress(safeLine(name), context.output)
  try {
    return await withPeer(context, target, { signal: watchdog.signal }, async (client, address) => {
      watchdog.feed()
      const startedAt = performance.now()
      const receipt = await client.deliver(
        { file: Readable.from(hashed(), { highWaterMark: 1 }), name, size: source.size },
        {
          signal: watchdog.signal,
          timeoutMs: timeout,
          onProgress: (done, total) => {
            watchdog.feed()
            progress.update(done, total)
          },
        },
      )
      const elapsedMs = performance.now() - startedAt
      return {
        filename: name,
        bytes: source.size,
        sha256: hash.digest('hex'),
        destination: address.toString(),
        elapsed_ms: Math.round(elapsedMs),
        throughput_mbps: Number(((source.size * 8) / 1000 / elapsedMs).toFixed(3)),
        ack: receipt.answer,
      }
    })
  } catch (error) {
    throw watchdog.signal.aborted ? watchdog.signal.reason : error
  } finally {
    watchdog.stop()
    progress.end()
  }
}

/** Fires its signal when it has not been fed for a while. */
class Watchdog {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number) {
    const bite = () => {
      const message = `the peer took no byte and gave no answer for ${durationText(timeoutMs)}`
      this.#controller.abort(new DriverError('TIMED_OUT', message))
    }
    // The answer has as long again as the last byte, so that its own timeout comes first.
    this.#timer = afterMs(timeoutMs + 100, bite)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  feed(): void {
    this.#timer?.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

function elapsedText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`
}
