import { WireError } from '../errors.ts'

/** Returns a new random message id: 32 lower-case hex digits `[tagged.new-id]`. */
export function newMessageId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Whether `text` is a valid message id: 1 to 128 characters of `A-Z a-z 0-9 - _ . :` `[tagged.id-form]`. */
export function isMessageId(text: string): boolean {
  return /^[A-Za-z0-9\-_.:]{1,128}$/.test(text)
}

/**
 * Returns `id` if it is a valid message id.
 *
 * @throws {WireError} MESSAGE_ID_INVALID
 */
export function checkMessageId(id: string): string {
  if (isMessageId(id)) return id
  throw new WireError(
    'MESSAGE_ID_INVALID',
    `${JSON.stringify(id.slice(0, 140))} is not a message id: use 1 to 128 characters of A-Z a-z 0-9 - _ . :`,
  )
}
