import { MailboxError } from '../errors.ts'

/** Returns the error for an invalid archive; `why` describes the problem. */
export function archiveError(why: string): MailboxError {
  return new MailboxError('ARCHIVE_INVALID', why)
}
