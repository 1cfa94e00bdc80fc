import { type ErrorCode, PilotError } from 'pilot-dataexchange'

/** Exit codes of `pilot-dx`. */
export const ExitCode = {
  Ok: 0,
  /** The peer or this machine refused or failed. */
  Failed: 1,
  /** The command line, or a value in it, is invalid. */
  Usage: 2,
  NoDaemon: 3,
  Unreachable: 4,
  TimedOut: 5,
} as const

/** An error of the command itself, not of the library. */
export class CliError extends Error {
  override readonly name: string = 'CliError'
  readonly exitCode: number
  /** The code in the JSON envelope, a word of pilotctl. */
  readonly envelopeCode: string
  readonly hint: string | undefined
  /** Additional fields of the JSON envelope. */
  readonly details: Record<string, unknown>

  constructor(message: string, options: ErrorOptions & Partial<CliErrorFields> = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? ExitCode.Usage
    this.envelopeCode = options.envelopeCode ?? 'invalid_argument'
    this.hint = options.hint
    this.details = options.details ?? {}
  }
}

/** Options of {@link CliError}. */
export interface CliErrorFields {
  /** @default 2, usage */
  exitCode: number
  /** @default invalid_argument */
  envelopeCode: string
  /** A hint that says what to do. @default none */
  hint: string
  /** @default none */
  details: Record<string, unknown>
}

/** An error as the command prints it. */
export interface ErrorReport {
  exitCode: number
  /** Fields of the JSON envelope on stderr, beside `"status":"error"`. */
  envelope: { code: string; error_code?: string; message: string; hint?: string } & Record<string, unknown>
}

/** The printed form of any error. */
export function reportOf(error: unknown): ErrorReport {
  if (error instanceof CliError) {
    const cause = error.cause instanceof PilotError ? { error_code: error.cause.code } : {}
    return {
      exitCode: error.exitCode,
      envelope: {
        code: error.envelopeCode,
        ...cause,
        message: error.message,
        ...(error.hint !== undefined && { hint: error.hint }),
        ...error.details,
      },
    }
  }
  if (error instanceof PilotError) {
    // The cause of a failed start is more specific.
    if (error.code === 'SERVICE_START_FAILED' && error.cause instanceof Error) return reportOf(error.cause)
    const { exitCode, code: word, hint } = TABLE[error.code] ?? UNEXPECTED
    const code = systemCode(error.cause) === 'ENOENT' && exitCode === ExitCode.Usage ? 'not_found' : word
    const envelope = { code, error_code: error.code, message: error.message, ...(hint && { hint }) }
    return { exitCode, envelope }
  }
  const message = error instanceof Error ? error.message : String(error)
  const reason = systemCode(error)
  return {
    exitCode: ExitCode.Failed,
    envelope: { code: UNEXPECTED.code, ...(reason && { error_code: reason }), message },
  }
}

/** Adds fields for the JSON envelope to `error`. */
export function withDetails(error: unknown, details: Record<string, unknown>): CliError {
  const { exitCode, envelope } = reportOf(error)
  const { code, message, hint } = envelope
  return new CliError(message, { cause: error, exitCode, envelopeCode: code, hint, details })
}

/** The `code` of a system error, such as `ENOENT`, and undefined for any other error. */
function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

interface Row {
  readonly exitCode: number
  readonly code: string
  readonly hint?: string
}

const UNEXPECTED: Row = { exitCode: ExitCode.Failed, code: 'internal' }

const NO_DAEMON_HINT = 'start one with pilot-dx serve, or name the socket of a running one with --socket'
const MAYBE_STORED_HINT = 'the receiver may have stored it: check before you send it again'

/** Exit code, word of the envelope and hint for each code of the library. */
const TABLE: Partial<Record<ErrorCode, Row>> = {
  ADDRESS_INVALID: {
    exitCode: ExitCode.Usage,
    code: 'invalid_argument',
    hint: 'a target is an address N:NNNN.HHHH.LLLL, a node id, or a hostname',
  },
  CONFIG_INVALID: { exitCode: ExitCode.Usage, code: 'invalid_argument' },
  FRAME_TOO_LARGE: {
    exitCode: ExitCode.Usage,
    code: 'invalid_argument',
    hint: 'nothing was sent; send it in parts, or raise PILOT_DATAEXCHANGE_MAX_FRAME (bytes) on both sides',
  },
  FILENAME_TOO_LONG: {
    exitCode: ExitCode.Usage,
    code: 'invalid_argument',
    hint: 'give it another with --name',
  },
  FILENAME_UNSAFE: {
    exitCode: ExitCode.Usage,
    code: 'invalid_argument',
    hint: 'give the name alone, without folders: --name report.pdf',
  },
  SOURCE_UNREADABLE: { exitCode: ExitCode.Usage, code: 'invalid_argument' },
  SOURCE_CHANGED: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'send it again when no program changes it',
  },
  DAEMON_UNAVAILABLE: { exitCode: ExitCode.NoDaemon, code: 'not_running', hint: NO_DAEMON_HINT },
  DAEMON_NOT_PILOT: {
    exitCode: ExitCode.NoDaemon,
    code: 'not_running',
    hint: 'another program may own that socket: check --socket and PILOT_SOCKET',
  },
  DAEMON_GONE: { exitCode: ExitCode.NoDaemon, code: 'not_running', hint: NO_DAEMON_HINT },
  DIAL_FAILED: {
    exitCode: ExitCode.Unreachable,
    code: 'connection_failed',
    hint: 'the peer must be running, and its data exchange service listening on port 1001',
  },
  STREAM_CLOSED: { exitCode: ExitCode.Unreachable, code: 'connection_failed', hint: MAYBE_STORED_HINT },
  STREAM_STALLED: { exitCode: ExitCode.Unreachable, code: 'connection_failed', hint: MAYBE_STORED_HINT },
  CONNECTION_CLOSED: { exitCode: ExitCode.Unreachable, code: 'connection_failed', hint: MAYBE_STORED_HINT },
  TIMED_OUT: { exitCode: ExitCode.TimedOut, code: 'timeout', hint: 'give it more time with --timeout' },
  ANSWER_TIMED_OUT: { exitCode: ExitCode.TimedOut, code: 'timeout', hint: MAYBE_STORED_HINT },
  REPLY_TIMED_OUT: {
    exitCode: ExitCode.TimedOut,
    code: 'timeout',
    hint: 'wait longer, check pilot-dx inbox for a later reply, and check that pilot-dx serve runs for this node',
  },
  REPLY_FAILED: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'ask again later, or send it without --reply-on-conn to have it stored',
  },
  PORT_IN_USE: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'start the daemon with -no-dataexchange, or stop the other pilot-dx serve',
  },
  SOCKET_IN_USE: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'attach to it (without --embedded), or give this node its own --socket and --home',
  },
  OUTBOX_FULL: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'nothing was added; pilot-dx outbox lists the queue, pilot-dx outbox clear removes failed messages',
  },
  OUTBOX_UNKNOWN: {
    exitCode: ExitCode.Usage,
    code: 'not_found',
    hint: 'pilot-dx outbox lists the ids',
  },
  OUTBOX_FAILED: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'check that the folder can be written and the disk has room, or choose another with --outbox or --home',
  },
  STORE_FAILED: {
    exitCode: ExitCode.Failed,
    code: 'internal',
    hint: 'check that the folder can be written and the disk has room, or choose another with --home',
  },
}
