import { DeliveryError, DriverError, PilotError } from '../../errors.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import { DATA_EXCHANGE_PORT, type Stream } from '../../pilot/transport.ts'
import { closedError } from '../pending-answers.ts'
import { hashSource } from '../source/hash-source.ts'
import { isLost } from './answers.ts'
import { Retries } from './retries.ts'
import { upload } from './upload.ts'
import type { TransferJob, UploadListener, UploadOutcome } from './upload-types.ts'

/** How sending by FILESTREAM ended that did not fail. */
export type StreamResult =
  | { kind: 'stored'; answer: string }
  /** The peer cannot take it so; it may take a FILE frame. If not, the transfer fails with `error`. */
  | { kind: 'impossible'; error: DeliveryError }

/**
 * Sends a file by FILESTREAM (section 4), on as many connections as it takes: where one is lost, the next goes on
 * from what the peer has.
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
  /** INIT was answered once: the peer speaks FILESTREAM. */
  #isKnown = false
  /** What the peer has had at most: only what goes beyond it is progress. */
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
      // A peer that was never there is no lost one.
      throw this.#isConnected && isPassing(error) ? closedError(error) : error
    }
  }

  /** What an outcome means for the transfer; undefined where it is to be tried again. */
  async #handleOutcome(outcome: UploadOutcome): Promise<StreamResult | undefined> {
    if (outcome.kind === 'stored') return outcome
    if (outcome.kind === 'mismatch') return this.#mismatch(outcome.answer)
    const { why, answered } = outcome
    // What it spoke before it has not forgotten.
    if (answered !== 'other' && this.#isKnown) throw closedError(undefined)
    // Once may be an accident.
    if (answered === 'close' && ++this.#closedAtInit < CLOSES_THAT_TELL) return undefined
    const message = `the peer does not speak FILESTREAM: ${why}`
    return { kind: 'impossible', error: new DeliveryError('PEER_UNSUPPORTED', message) }
  }

  /**
   * The peer’s copy is another. Where the file is still what it was, what the peer had before may be damaged: a
   * receiver that discards that takes a second try from its beginning, one that keeps it fails for ever.
   */
  async #mismatch(answer: string): Promise<StreamResult | undefined> {
    const { file, signal } = this.#job
    this.#resetForHashing()
    const now = await hashSource(file.source, signal)
    if (now.some((byte, at) => byte !== file.sha256[at])) {
      const message = 'the file changed while it was sent; send it again once it is at rest'
      throw new DeliveryError('SOURCE_CHANGED', message)
    }
    this.#furthest = NOTHING_YET
    if (++this.#mismatches < MISMATCHES_THAT_TELL) return undefined
    const partial = Buffer.from(file.id).toString('hex')
    const message = `the peer does not get the file right (${answer}): what it keeps of an earlier transfer may be damaged; have .partial/${partial} removed from its received folder`
    return { kind: 'impossible', error: new DeliveryError('PEER_REFUSED', message, { answer }) }
  }

  #listener(): UploadListener {
    const { progress, stallTimer } = this.#job
    return {
      begun: offset => {
        stallTimer.reset()
        // Later the peer has what this transfer has sent.
        const resumed = this.#furthest === NOTHING_YET ? offset : progress.state.resumed
        this.#isKnown = true
        this.#advance(offset)
        progress.update({ phase: 'sending', bytesDone: offset, resumed })
      },
      sent: bytes => progress.update({ bytesSent: progress.state.bytesSent + bytes }),
      acknowledged: offset => {
        // The last ones come after DONE has been written.
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
      `the connection was lost ${this.#retries.failures} times in a row; the peer has ${bytesDone} of ${total} bytes, and goes on from there when the file is sent again`,
      { cause: cause.cause ?? cause },
    )
  }
}

const NOTHING_YET = -1
const CLOSES_THAT_TELL = 2
const MISMATCHES_THAT_TELL = 2

/** True where another dial may do better. What is no error of the library is one of another transport. */
function isPassing(error: unknown): boolean {
  return !(error instanceof PilotError) || (error instanceof DriverError && PASSING.has(error.code))
}

const PASSING: ReadonlySet<string> = new Set([
  'DIAL_FAILED',
  'TIMED_OUT',
  'DAEMON_UNAVAILABLE',
  'DAEMON_GONE',
])
