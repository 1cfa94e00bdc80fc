import { WireError } from '../errors.ts'

/** A fresh id for a message: 32 lower-case hex digits of randomness (section 5). */
export function newMessageId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Whether `text` can be the id of a message: 1 to 128 characters of `A-Z a-z 0-9 - _ . :` (section 5). */
export function isMessageId(text: string): boolean {
  return /^[A-Za-z0-9\-_.:]{1,128}$/.test(text)
}

/**
 * `id` as it is, where it can be one.
 *
 * @throws {WireError} MESSAGE_ID_INVALID
 */
export function checkMessageId(id: string): string {
  if (isMessageId(id)) return id
  throw new WireError(
    'MESSAGE_ID_INVALID',
    `${JSON.stringify(id.slice(0, 140))} is no message id: it has 1 to 128 characters of A-Z a-z 0-9 - _ . :`,
  )
}
