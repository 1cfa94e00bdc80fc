import { ERROR_CODES, type ErrorCode } from './error-codes.ts'
import { MailboxError, PilotError } from './errors.ts'

/**
 * Returns the reason in `ERR <NAME> save failed: <why>`, which a peer receives. It never holds a path, a host
 * name or anything else of this machine `[ack.err-private]`: it is the text of {@link ERROR_CODES} for errors of
 * the library, and the kind of the fault (`no space left`) for errors of the operating system.
 */
export function reasonForPeer(error: unknown): string {
  const cause = error instanceof MailboxError && error.code === 'STORE_FAILED' ? error.cause : error
  if (cause instanceof PilotError) return textFor(cause.code)
  const code = systemCode(cause)
  if (code !== undefined) return `storage error: ${SYSTEM_REASONS[code] ?? code}`
  return error === cause ? INTERNAL_ERROR : textFor('STORE_FAILED')
}

/** Returns the `code` of an error of the operating system, such as `ENOENT`; undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

const INTERNAL_ERROR = 'internal error'

const SYSTEM_REASONS: Record<string, string> = {
  ENOSPC: 'no space left',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'read-only file system',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  EIO: 'input/output error',
  ENOENT: 'folder is missing',
  ENOTDIR: 'folder is not a directory',
}

function textFor(code: ErrorCode): string {
  return ERROR_CODES[code].toPeer ?? INTERNAL_ERROR
}
