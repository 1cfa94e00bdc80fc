import { MailboxError } from '../errors.ts'

/** Wraps an error of a store in `dir` as STORE_FAILED, unless it is a MailboxError already. */
export function storeFailure(dir: string, error: unknown): MailboxError {
  if (error instanceof MailboxError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new MailboxError('STORE_FAILED', `cannot store in ${dir}: ${reason}`, { cause: error })
}
