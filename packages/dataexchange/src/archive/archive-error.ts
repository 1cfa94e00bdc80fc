import { MailboxError } from '../errors.ts'

/** An archive is not what it should be; `why` says what is wrong with it. */
export function archiveError(why: string): MailboxError {
  return new MailboxError('ARCHIVE_INVALID', why)
}
