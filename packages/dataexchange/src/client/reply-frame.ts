import type { WaitOptions } from '../async/wait.ts'
import { withWait } from '../async/wait.ts'
import { decodeUtf8 } from '../bytes.ts'
import { DeliveryError, DriverError, type PilotError } from '../errors.ts'
import { type Frame, FrameType, typeName } from '../wire/frame.ts'
import type { MessageIds } from '../wire/tagged.ts'
import type { Receipt } from './receipt.ts'

/** Options of {@link Client.request}. */
export interface RequestOptions extends WaitOptions, MessageIds {
  /** Milliseconds for ACK and reply, from the last written byte of the request. @default 40000 */
  timeoutMs?: number | undefined
  /** Called when the peer has acknowledged the request and works on its reply. */
  onAcknowledged?: ((receipt: Receipt) => void) | undefined
}

/**
 * The outcome of a request. Without a reply, the peer has stored the request and may reply later: as a request
 * (`receipt.type` is AUTOANSWER) or, if it does not know requests, as TEXT.
 */
export interface RequestOutcome {
  /** The reply on the connection, with U+FFFD for invalid UTF-8. */
  reply?: string
  /** The bytes of the reply. */
  replyBytes?: Uint8Array
  /** The peer's acknowledgement of the request. */
  receipt: Receipt
}

/**
 * The reply to a request that was acknowledged with ACK+REPLY. A reply is TEXT; any other frame says that there is no
 * reply `[autoanswer.reply-text]`.
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
  throw new DeliveryError(
    'REPLY_FAILED',
    `the peer accepted the request and did not reply: ${reasonIn(frame)}`,
  )
}

/** True if `error` says that the peer does not know requests. */
export function isUnknownRequest(error: unknown): boolean {
  const { code, answer } = error as Partial<DeliveryError>
  return code === 'PEER_UNSUPPORTED' && answer?.includes(`UNKNOWN(${FrameType.AutoAnswer})`) === true
}

function asReplyError(error: PilotError): PilotError {
  if (!(error instanceof DriverError) || error.code !== 'TIMED_OUT') {
    if (error.code === 'ABORTED') return error
    const message = 'the peer accepted the request, and the connection ended before its reply'
    return new DeliveryError('REPLY_FAILED', message, { cause: error })
  }
  return new DeliveryError(
    'REPLY_TIMED_OUT',
    'the peer accepted the request; its reply did not come in time',
    {
      cause: error,
    },
  )
}

function reasonIn({ type, payload }: Frame): string {
  try {
    const { error } = JSON.parse(decodeUtf8(payload) ?? '') as { error?: unknown }
    if (typeof error === 'string') return error.slice(0, 200)
  } catch {
    // Another implementation wrote this frame.
  }
  return `a ${typeName(type)} frame came in its place`
}
