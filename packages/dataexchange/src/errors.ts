import type { CodesByClass, ErrorCode } from './error-codes.ts'

/**
 * The base of every error that this library throws. The {@link code} is stable; the message names the problem and
 * the remedy; `cause` is the original error, if there is one.
 */
export class PilotError extends Error {
  override readonly name: string = 'PilotError'
  /** See `docs/errors.md` for the meaning of each code. */
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Bytes that are not a frame, or a frame that cannot be written. */
export class WireError extends PilotError {
  override readonly name: string = 'WireError'
  declare readonly code: CodesByClass['WireError']

  constructor(code: CodesByClass['WireError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A text that is not an address. */
export class AddressError extends PilotError {
  override readonly name: string = 'AddressError'
  declare readonly code: CodesByClass['AddressError']

  constructor(message: string, options?: ErrorOptions) {
    super('ADDRESS_INVALID', message, options)
  }
}

/** A failure between this process and the daemon, or between the daemon and a peer. */
export class DriverError extends PilotError {
  override readonly name: string = 'DriverError'
  declare readonly code: CodesByClass['DriverError']
  /** The number in the ERROR message of the daemon, if the daemon answered with one. */
  declare readonly daemonCode?: number

  constructor(
    code: CodesByClass['DriverError'],
    message: string,
    options?: ErrorOptions & { daemonCode?: number },
  ) {
    super(code, message, options)
    if (options?.daemonCode !== undefined) this.daemonCode = options.daemonCode
  }
}

/** The `AbortSignal` of the caller fired. The code is ABORTED, and `cause` is the reason of the signal. */
export class AbortError extends DriverError {
  override readonly name: string = 'AbortError'

  constructor(message: string, options?: ErrorOptions) {
    super('ABORTED', message, options)
  }
}

/** A frame that was not delivered, or whose delivery is uncertain. */
export class DeliveryError extends PilotError {
  override readonly name: string = 'DeliveryError'
  declare readonly code: CodesByClass['DeliveryError']
  /** The answer of the receiver, if it sent one. */
  declare readonly answer?: string

  constructor(
    code: CodesByClass['DeliveryError'],
    message: string,
    options?: ErrorOptions & { answer?: string },
  ) {
    super(code, message, options)
    if (options?.answer !== undefined) this.answer = options.answer
  }
}

/** A service could not reply to a request. */
export class AnswerError extends PilotError {
  override readonly name: string = 'AnswerError'
  declare readonly code: CodesByClass['AnswerError']

  constructor(code: CodesByClass['AnswerError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A frame could not be stored, or a stored message could not be read or leased. */
export class MailboxError extends PilotError {
  override readonly name: string = 'MailboxError'
  declare readonly code: CodesByClass['MailboxError']

  constructor(code: CodesByClass['MailboxError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** The outbox could not accept, read, send or remove a message. */
export class OutboxError extends PilotError {
  override readonly name: string = 'OutboxError'
  declare readonly code: CodesByClass['OutboxError']

  constructor(code: CodesByClass['OutboxError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A service could not be registered, started or stopped, or an option has an invalid value. */
export class PluginError extends PilotError {
  override readonly name: string = 'PluginError'
  declare readonly code: CodesByClass['PluginError']

  constructor(code: CodesByClass['PluginError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
