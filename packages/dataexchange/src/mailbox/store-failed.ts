import { MailboxError } from '../errors.ts'

/** `error`, which came up while something was stored in `dir`, as a MailboxError: STORE_FAILED unless it is one. */
export function storeFailure(dir: string, error: unknown): MailboxError {
  if (error instanceof MailboxError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new MailboxError('STORE_FAILED', `cannot store in ${dir}: ${reason}`, { cause: error })
}
