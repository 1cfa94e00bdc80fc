import { AbortError, DeliveryError, DriverError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { defaultMaxFrameSize } from '../../max-frame-size.ts'
import type { Address } from '../../pilot/address.ts'
import type { Resolver, Streams } from '../../pilot/transport.ts'
import { encodeHeader } from '../../wire/encode.ts'
import { TRANSFER_ID_SIZE } from '../../wire/file-stream.ts'
import { FrameType } from '../../wire/frame.ts'
import type { FileSource } from '../source/file-source.ts'
import { hashSource } from '../source/hash-source.ts'
import { openToSend, type ToSend } from '../source/open-to-send.ts'
import { resolveTarget } from '../target.ts'
import { ProgressFeed, type TransferProgress } from './progress.ts'
import { sendByFrame } from './send-frame.ts'
import { sendByStream } from './send-stream.ts'
import { StallTimer } from './stall-timer.ts'
import type { FileReceipt, FileTransfer, TransferOptions } from './transfer-types.ts'
import type { TransferJob } from './upload-types.ts'

/**
 * Sends a file of any size in chunks, which the peer acknowledges and checks by their SHA-256. The result resolves when the
 * peer has stored the file. After a lost connection, and when the same file is sent again, the transfer resumes at the
 * peer's offset `[stream.send-resume]`; it fails after 10 connections without progress. A peer without FILESTREAM gets one
 * FILE frame `[stream.send-fallback]`, unless `fallback` is false.
 *
 * The file is read twice: for its hash, and to send it. Memory is bounded; a stream is first copied to an unlinked temporary
 * file. The file must not change meanwhile: size and time of change are compared, and after a mismatch at the peer the file
 * is hashed again, to name the right reason.
 *
 * A folder is sent as a tar archive `<folder>.tar`, which a receiver of this library unpacks and any other keeps. The
 * archive is generated while it is read; the same folder resumes. Files and folders keep their permission bits and times,
 * not their owners. Any other entry, such as a symbolic link, is an error, or left out with `skipSpecial`. A file or folder
 * that changes meanwhile is an error.
 *
 * `stallTimeoutMs` (@default 60 s, `LIMITS.uploadStall`) is the longest time without progress `[stream.send-stall]`. When
 * `signal` fires, the peer gets ABORT, and the connection is closed before the result rejects; the peer may keep its part
 * of the file to resume from.
 *
 * The errors are rejections of `result`:
 *
 * @throws {DeliveryError} PEER_REFUSED with the peer's reason. PEER_UNSUPPORTED if it does not support FILESTREAM, and
 * `fallback` is false or the file is over the frame cap. CONNECTION_CLOSED when the tries are used up: send it again to
 * resume. ANSWER_TIMED_OUT: all is sent, and no answer came. ANSWER_INVALID. SOURCE_UNREADABLE, also for an entry of a
 * folder that cannot be sent. SOURCE_CHANGED
 * @throws {DriverError} TIMED_OUT without progress; ABORTED; those of resolving and of the first dial
 * @throws {WireError} FILENAME_TOO_LONG, FILENAME_UNSAFE; FRAME_TOO_LARGE with `transport: 'file'`
 * @throws {AddressError} ADDRESS_INVALID for an invalid target
 * @throws {PluginError} CONFIG_INVALID for a source without a name
 */
export function transferFile(
  driver: Pick<Streams, 'dial'> & Resolver,
  target: Address | string,
  file: FileSource,
  options: TransferOptions = {},
): FileTransfer {
  const progress = new ProgressFeed(options.onProgress)
  const result = run(driver, target, file, options, progress).finally(() => progress.end())
  // A caller may follow the progress first and await the result later.
  result.catch(() => {})
  return { result, progress: () => progress.latest() }
}

async function run(
  driver: Pick<Streams, 'dial'> & Resolver,
  target: Address | string,
  file: FileSource,
  options: TransferOptions,
  progress: ProgressFeed,
): Promise<FileReceipt> {
  const { name, skipSpecial, stallTimeoutMs = LIMITS.uploadStall.value } = options
  const giveUp = new AbortController()
  const { signal } = giveUp
  const onAbort = () => {
    giveUp.abort(new AbortError('the transfer was aborted', { cause: options.signal?.reason }))
  }
  const stallTimer = new StallTimer(stallTimeoutMs, () =>
    giveUp.abort(stalled(progress.state, stallTimeoutMs)),
  )
  if (options.signal?.aborted) onAbort()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    const opened = await openToSend(file, { name, skipSpecial, signal })
    const { source } = opened
    try {
      const address = await resolveTarget(driver, target, { signal })
      progress.update({ total: source.size })
      const job = { driver, address, signal, progress, stallTimer, ...capOf(options) }
      return await sendOpened(job, opened, options)
    } finally {
      await source.close()
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    stallTimer.stop()
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function sendOpened(
  parts: Omit<TransferJob, 'file'>,
  { source, name, folder }: ToSend,
  { transport = 'stream', fallback = true }: TransferOptions,
): Promise<FileReceipt> {
  const checkFrame = () => {
    const { maxFrameSize } = parts
    encodeHeader({ type: FrameType.File, filename: name, length: source.size }, { maxFrameSize })
  }
  // Refuse before reading the file.
  if (transport === 'file') checkFrame()
  const sha256 = await hashSource(source, parts.signal)
  const job = { ...parts, file: { source, name, sha256, id: sha256.subarray(0, TRANSFER_ID_SIZE) } }
  const startedAt = performance.now()
  job.stallTimer.reset()
  const receipt = (sentBy: 'stream' | 'file', answer: string): FileReceipt => {
    const { bytesSent, bytesResumed: resumed, reconnects } = job.progress.state
    return {
      transport: sentBy,
      filename: name,
      size: source.size,
      bytesSent,
      bytesResumed: resumed,
      sha256: Buffer.from(sha256).toString('hex'),
      verified: sentBy === 'stream',
      elapsedMs: performance.now() - startedAt,
      reconnects,
      answer,
      ...(folder && { folder: { files: folder.files, folders: folder.folders, skipped: folder.skipped } }),
    }
  }
  if (transport === 'stream') {
    const result = await sendByStream(job)
    if (result.kind === 'stored') return receipt('stream', result.answer)
    if (!fallback) throw result.error
    try {
      checkFrame()
    } catch (cause) {
      throw tooLargeForFallback(result.error, source.size, cause)
    }
  }
  return receipt('file', await sendByFrame(job))
}

function capOf({ maxFrameSize = defaultMaxFrameSize() }: TransferOptions): Pick<TransferJob, 'maxFrameSize'> {
  return { maxFrameSize }
}

function tooLargeForFallback(
  { code, message, answer }: DeliveryError,
  size: number,
  cause: unknown,
): DeliveryError {
  const tooOld = code === 'PEER_UNSUPPORTED' ? ': the peer is too old for so large a file' : ''
  const why = `${message}; ${size} bytes do not fit a FILE frame either${tooOld}`
  return new DeliveryError(code, why, { cause, ...(answer !== undefined && { answer }) })
}

function stalled(
  { phase, bytesDone, total }: TransferProgress,
  timeoutMs: number,
): DeliveryError | DriverError {
  if (phase === 'finishing') {
    const message = 'the peer has the whole file and did not answer in time; it may or may not be stored'
    return new DeliveryError('ANSWER_TIMED_OUT', message)
  }
  const message = `no progress for ${timeoutMs} ms; the peer has ${bytesDone} of ${total} bytes`
  return new DriverError('TIMED_OUT', message)
}
