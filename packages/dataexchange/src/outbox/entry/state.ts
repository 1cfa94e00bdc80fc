/** The error of a try. */
export interface TryError {
  /** Error code of the library or the system. */
  readonly code: string
  readonly message: string
  /** ms since the Unix epoch. */
  readonly at: number
}

/** The state of an entry's tries, for listings and for the next process that runs the outbox. */
export interface EntryState {
  /** Number of tries. */
  readonly tries: number
  /** Consecutive refusals by the peer. */
  readonly refusals: number
  /** True if the peer may have it: a try has begun to write it. */
  readonly maybeStored: boolean
  /** True while it is sent; a process that dies leaves it true. */
  readonly sending: boolean
  /** ms since the Unix epoch; 0 for as soon as possible. */
  readonly nextTryAt: number
  readonly lastError?: TryError
}

/** The state of an untried entry. */
export const FRESH: EntryState = { tries: 0, refusals: 0, maybeStored: false, sending: false, nextTryAt: 0 }

/** Encodes a state for {@link decodeState}. */
export function encodeState(state: EntryState): string {
  return `${JSON.stringify(state)}\n`
}

/**
 * Decodes a state. An unreadable one counts as tried and maybe stored: only a try writes a state.
 */
export function decodeState(text: string): EntryState {
  const value = parse(text)
  const number = (name: string) => {
    const field = value[name]
    return typeof field === 'number' && field >= 0 ? field : 0
  }
  const error = value.lastError as Partial<TryError> | undefined
  return {
    tries: typeof value.tries === 'number' ? number('tries') : 1,
    refusals: number('refusals'),
    maybeStored: value.maybeStored !== false,
    sending: value.sending === true,
    nextTryAt: number('nextTryAt'),
    ...(typeof error?.code === 'string' &&
      typeof error.message === 'string' &&
      typeof error.at === 'number' && {
        lastError: { code: error.code, message: error.message, at: error.at },
      }),
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
