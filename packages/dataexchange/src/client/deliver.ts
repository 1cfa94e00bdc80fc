import { DeliveryError, PilotError } from '../errors.ts'
import type { Address } from '../pilot/address.ts'
import type { Resolver, Streams } from '../pilot/transport.ts'
import { FrameType } from '../wire/frame.ts'
import { newMessageId } from '../wire/message-id.ts'
import { Client, type ClientOptions, type DeliverOptions } from './client.ts'
import type { Message } from './outgoing.ts'
import type { Receipt } from './receipt.ts'
import { resolveTarget } from './target.ts'

/** Options of {@link deliver}. */
export interface DeliverOnceOptions extends ClientOptions, DeliverOptions {
  /**
   * Whether a message whose answer was lost is sent once more, on a new connection and under the same id, which
   * the peer stores once. Never done for a TRACE, for a stream, which can be read once only, and for a peer that
   * does not know ids.
   * @default true
   */
  resend?: boolean | undefined
}

/**
 * Delivers one message: finds the peer, connects, sends, and resolves with the receipt once the peer has
 * acknowledged it. The message is sent under `messageId`, or under a new id where none is given (a TRACE only under
 * one that is given), so that it can be sent again where the answer is lost: the receipt's `resent` tells. The id adds
 * some 60 bytes to what must fit the cap of both sides. For several messages to one peer, keep a {@link Client}.
 *
 * @throws what {@link resolveTarget}, {@link Client.dial} and {@link Client.deliver} throw; where the second try failed too,
 * the error of the first, with that of the second as its cause
 */
export async function deliver(
  driver: Pick<Streams, 'dial'> & Resolver,
  target: Address | string,
  message: Message,
  options: DeliverOnceOptions = {},
): Promise<Receipt> {
  const { signal, maxFrameSize, resend = true } = options
  const messageId = options.messageId ?? (isStored(message) ? newMessageId() : undefined)
  const address = typeof target === 'string' ? await resolveTarget(driver, target, { signal }) : target
  let mayResend = resend && messageId !== undefined && isRepeatable(message)
  const attempt = async (): Promise<Receipt> => {
    const client = await Client.dial(driver, address, { signal, maxFrameSize })
    try {
      return await client.deliver(message, { ...options, ...(messageId !== undefined && { messageId }) })
    } finally {
      if (client.takesIds === false) mayResend = false
      await client.close()
    }
  }
  try {
    return await attempt()
  } catch (error) {
    if (!mayResend || !isLostAnswer(error)) throw error
    const receipt = await attempt().catch(second => Promise.reject(stillLost(error, second)))
    return { ...receipt, resent: true }
  }
}

/** What receivers store, and so remember. */
function isStored(message: Message): boolean {
  if ('type' in message) return STORED.has(message.type)
  return !('trace' in message)
}

const STORED: ReadonlySet<number> = new Set([
  FrameType.Text,
  FrameType.Binary,
  FrameType.JSON,
  FrameType.File,
])

function isRepeatable(message: Message): boolean {
  if ('trace' in message) return false
  if (!('file' in message)) return true
  const { file } = message
  return typeof file === 'string' || [URL, Uint8Array, Blob].some(kind => file instanceof kind)
}

function isLostAnswer(error: unknown): error is DeliveryError {
  return error instanceof DeliveryError && LOST.has(error.code)
}

const LOST: ReadonlySet<string> = new Set(['ANSWER_TIMED_OUT', 'CONNECTION_CLOSED'])

/** The second try tells nothing of the first: whatever became of it, the message may be stored. */
function stillLost({ code, message }: DeliveryError, second: unknown): unknown {
  if (second instanceof PilotError && second.code === 'ABORTED') return second
  const why = second instanceof Error ? second.message : String(second)
  return new DeliveryError(code, `${message}; it was sent once more, which failed too: ${why}`, {
    cause: second,
  })
}
