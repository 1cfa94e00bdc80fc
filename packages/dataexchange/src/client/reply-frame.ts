import type { WaitOptions } from '../async/wait.ts'
import { withWait } from '../async/wait.ts'
import { decodeUtf8 } from '../bytes.ts'
import { DeliveryError, DriverError, type PilotError } from '../errors.ts'
import { type Frame, FrameType, typeName } from '../wire/frame.ts'
import type { MessageIds } from '../wire/tagged.ts'
import type { Receipt } from './receipt.ts'

/** Options of {@link Client.request}. */
export interface RequestOptions extends WaitOptions, MessageIds {
  /** Milliseconds for the whole exchange, from the last byte of the request written. @default 40000 */
  timeoutMs?: number | undefined
  /** Told as soon as the peer has acknowledged the request and works out its reply. */
  onAcknowledged?: ((receipt: Receipt) => void) | undefined
}

/**
 * What became of a request. Without a reply, the peer has stored it and may reply later: as it came
 * (`receipt.type` is AUTOANSWER), or, where it does not know requests, as TEXT.
 */
export interface RequestOutcome {
  /** The reply that came on the connection; what is not UTF-8 in it as U+FFFD. */
  reply?: string
  /** Its bytes. */
  replyBytes?: Uint8Array
  /** What the peer answered at once. */
  receipt: Receipt
}

/**
 * The reply to a request that was acknowledged with ACK+REPLY. It is TEXT; any other frame says that there is
 * none.
 *
 * @throws {DeliveryError} REPLY_FAILED, REPLY_TIMED_OUT
 * @throws {DriverError} ABORTED
 */
export async function readReply(
  coming: Promise<Frame>,
  options: WaitOptions,
): Promise<Required<Pick<RequestOutcome, 'reply' | 'replyBytes'>>> {
  const frame = await withWait('the reply', options, () => coming).catch(error => {
    throw asReplyError(error)
  })
  if (frame.type === FrameType.Text) {
    return { reply: Buffer.from(frame.payload).toString('utf8'), replyBytes: frame.payload }
  }
  throw new DeliveryError('REPLY_FAILED', `the peer took the request and gave no reply: ${reasonIn(frame)}`)
}

/** Whether `error` says that the peer does not know requests (section 6). */
export function isUnknownRequest(error: unknown): boolean {
  const { code, answer } = error as Partial<DeliveryError>
  return code === 'PEER_UNSUPPORTED' && answer?.includes(`UNKNOWN(${FrameType.AutoAnswer})`) === true
}

function asReplyError(error: PilotError): PilotError {
  if (!(error instanceof DriverError) || error.code !== 'TIMED_OUT') {
    if (error.code === 'ABORTED') return error
    const message = 'the peer took the request, and the connection ended before its reply came'
    return new DeliveryError('REPLY_FAILED', message, { cause: error })
  }
  return new DeliveryError('REPLY_TIMED_OUT', 'the peer took the request; its reply did not come in time', {
    cause: error,
  })
}

function reasonIn({ type, payload }: Frame): string {
  try {
    const { error } = JSON.parse(decodeUtf8(payload) ?? '') as { error?: unknown }
    if (typeof error === 'string') return error.slice(0, 200)
  } catch {
    // Not what this service writes.
  }
  return `a ${typeName(type)} frame came in its place`
}
