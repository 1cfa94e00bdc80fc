import { DeliveryError, DriverError, PilotError } from '../../errors.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import { DATA_EXCHANGE_PORT, type Stream } from '../../pilot/transport.ts'
import { closedError } from '../pending-answers.ts'
import { hashSource } from '../source/hash-source.ts'
import { isLost } from './answers.ts'
import { Retries } from './retries.ts'
import { upload } from './upload.ts'
import type { TransferJob, UploadListener, UploadOutcome } from './upload-types.ts'

/** The outcome of sending by FILESTREAM. */
export type StreamResult =
  | { kind: 'stored'; answer: string }
  /** The peer cannot receive it this way. If a FILE frame is not possible either, the transfer fails with `error`. */
  | { kind: 'impossible'; error: DeliveryError }

/**
 * Sends a file by FILESTREAM. After a lost connection it connects again and resumes at the peer's offset
 * `[stream.send-resume]`.
 *
 * @throws {DeliveryError} as of upload(); CONNECTION_CLOSED after `FIXED_LIMITS.uploadTries` tries without progress
 * @throws {DriverError} what the first dial fails with; a later one is a lost connection
 */
export function sendByStream(job: TransferJob): Promise<StreamResult> {
  return new StreamSender(job).run()
}

class StreamSender {
  readonly #job: TransferJob
  readonly #retries = new Retries()
  #isConnected = false
  /** The peer answered INIT before: it does support FILESTREAM. */
  #isKnown = false
  /** The highest offset so far. Only a higher one is progress. */
  #furthest = NOTHING_YET
  #closedAtInit = 0
  #mismatches = 0

  constructor(job: TransferJob) {
    this.#job = job
  }

  async run(): Promise<StreamResult> {
    for (;;) {
      const { progress, signal } = this.#job
      progress.update({ phase: 'connecting' })
      try {
        const result = await this.#handleOutcome(await this.#try())
        if (result !== undefined) return result
      } catch (error) {
        if (!isLost(error) || signal.aborted) throw error
        if (!this.#retries.fail()) throw this.#exhausted(error)
      }
      await this.#retries.pause(signal)
      progress.update({ reconnects: progress.state.reconnects + 1 })
    }
  }

  async #try(): Promise<UploadOutcome> {
    const { file, signal } = this.#job
    const stream = await this.#dial()
    return upload(stream, file, { signal, listener: this.#listener() })
  }

  async #dial(): Promise<Stream> {
    const { driver, address, signal } = this.#job
    try {
      const stream = await driver.dial(address, DATA_EXCHANGE_PORT, { signal })
      this.#isConnected = true
      return stream
    } catch (error) {
      // Without an earlier connection this is not a lost one.
      throw this.#isConnected && isPassing(error) ? closedError(error) : error
    }
  }

  /** The result of the transfer; undefined to try again. */
  async #handleOutcome(outcome: UploadOutcome): Promise<StreamResult | undefined> {
    if (outcome.kind === 'stored') return outcome
    if (outcome.kind === 'mismatch') return this.#mismatch(outcome.answer)
    const { why, answered } = outcome
    // It answered INIT before, so it does support FILESTREAM.
    if (answered !== 'other' && this.#isKnown) throw closedError(undefined)
    // A single close may be an accident.
    if (answered === 'close' && ++this.#closedAtInit < CLOSES_THAT_TELL) return undefined
    const message = `the peer does not support FILESTREAM: ${why}`
    return { kind: 'impossible', error: new DeliveryError('PEER_UNSUPPORTED', message) }
  }

  /**
   * The peer's copy has another hash. If the file has not changed, the peer's partial file may be damaged: a second try
   * succeeds if the peer discards it, and never if it keeps it.
   */
  async #mismatch(answer: string): Promise<StreamResult | undefined> {
    const { file, signal } = this.#job
    this.#resetForHashing()
    const now = await hashSource(file.source, signal)
    if (now.some((byte, at) => byte !== file.sha256[at])) {
      const message = 'the file changed while it was sent; send it again when nothing writes to it'
      throw new DeliveryError('SOURCE_CHANGED', message)
    }
    this.#furthest = NOTHING_YET
    if (++this.#mismatches < MISMATCHES_THAT_TELL) return undefined
    const partial = Buffer.from(file.id).toString('hex')
    const message = `the peer’s copy of the file is wrong (${answer}): its partial file of an earlier transfer may be damaged; have .partial/${partial} removed from its received folder`
    return { kind: 'impossible', error: new DeliveryError('PEER_REFUSED', message, { answer }) }
  }

  #listener(): UploadListener {
    const { progress, stallTimer } = this.#job
    return {
      begun: offset => {
        stallTimer.reset()
        // On a later connection the offset includes bytes of this transfer.
        const resumed = this.#furthest === NOTHING_YET ? offset : progress.state.bytesResumed
        this.#isKnown = true
        this.#advance(offset)
        progress.update({ phase: 'sending', bytesDone: offset, bytesResumed: resumed })
      },
      sent: bytes => progress.update({ bytesSent: progress.state.bytesSent + bytes }),
      acknowledged: offset => {
        // The last acknowledgements arrive after DONE was written.
        if (progress.state.phase === 'finishing') this.#resetForHashing()
        else stallTimer.reset()
        this.#advance(offset)
        progress.update({ bytesDone: offset })
      },
      finishing: () => {
        this.#resetForHashing()
        progress.update({ phase: 'finishing' })
      },
    }
  }

  #resetForHashing(): void {
    const { stallTimer, file } = this.#job
    stallTimer.reset((file.source.size / FIXED_LIMITS.uploadHashRate.value) * 1000)
  }

  #advance(offset: number): void {
    if (offset <= this.#furthest) return
    this.#furthest = offset
    this.#retries.reset()
  }

  #exhausted(cause: DeliveryError): DeliveryError {
    const { bytesDone, total } = this.#job.progress.state
    return new DeliveryError(
      'CONNECTION_CLOSED',
      `the connection was lost ${this.#retries.failures} times in a row; the peer has ${bytesDone} of ${total} bytes; send the file again to resume`,
      { cause: cause.cause ?? cause },
    )
  }
}

const NOTHING_YET = -1
const CLOSES_THAT_TELL = 2
const MISMATCHES_THAT_TELL = 2

/** True if another dial may succeed. Errors of other classes come from another transport. */
function isPassing(error: unknown): boolean {
  return !(error instanceof PilotError) || (error instanceof DriverError && PASSING.has(error.code))
}

const PASSING: ReadonlySet<string> = new Set([
  'DIAL_FAILED',
  'TIMED_OUT',
  'DAEMON_UNAVAILABLE',
  'DAEMON_GONE',
])
