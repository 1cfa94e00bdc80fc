import type { CodesByClass, ErrorCode } from './error-codes.ts'

/**
 * The base of every error that this library throws: an `Error` with a stable string {@link code}, a
 * message that says what went wrong and what to do, and the original error, where there is one, as `cause`.
 */
export class PilotError extends Error {
  override readonly name: string = 'PilotError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Bytes that are no frame, or a frame that cannot be written (PROTOCOL section 1). */
export class WireError extends PilotError {
  override readonly name: string = 'WireError'
  declare readonly code: CodesByClass['WireError']

  constructor(code: CodesByClass['WireError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A text that is no address (section 7). */
export class AddressError extends PilotError {
  override readonly name: string = 'AddressError'
  declare readonly code: CodesByClass['AddressError']

  constructor(message: string, options?: ErrorOptions) {
    super('ADDRESS_INVALID', message, options)
  }
}

/** What goes wrong between this process and the daemon, or between the daemon and a peer (section 8). */
export class DriverError extends PilotError {
  override readonly name: string = 'DriverError'
  declare readonly code: CodesByClass['DriverError']
  /** The number in the daemon's ERROR message, where the error is one. */
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

/** The caller's `AbortSignal` fired: code ABORTED, the signal's reason as `cause`. */
export class AbortError extends DriverError {
  override readonly name: string = 'AbortError'

  constructor(message: string, options?: ErrorOptions) {
    super('ABORTED', message, options)
  }
}

/** A frame that was not delivered, or may not have been (section 2). */
export class DeliveryError extends PilotError {
  override readonly name: string = 'DeliveryError'
  declare readonly code: CodesByClass['DeliveryError']
  /** The receiver's answer, where it gave one. */
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

/** A reply that a service owes to a request and cannot give (section 6). */
export class AnswerError extends PilotError {
  override readonly name: string = 'AnswerError'
  declare readonly code: CodesByClass['AnswerError']

  constructor(code: CodesByClass['AnswerError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A frame that could not be stored, or a message that could not be taken (section 3). */
export class MailboxError extends PilotError {
  override readonly name: string = 'MailboxError'
  declare readonly code: CodesByClass['MailboxError']

  constructor(code: CodesByClass['MailboxError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** What the outbox could not do with a message. */
export class OutboxError extends PilotError {
  override readonly name: string = 'OutboxError'
  declare readonly code: CodesByClass['OutboxError']

  constructor(code: CodesByClass['OutboxError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A service that could not be registered, started or stopped (section 9). */
export class PluginError extends PilotError {
  override readonly name: string = 'PluginError'
  declare readonly code: CodesByClass['PluginError']

  constructor(code: CodesByClass['PluginError'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
