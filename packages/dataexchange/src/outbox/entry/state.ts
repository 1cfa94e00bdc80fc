/** What went wrong with a try. */
export interface TryError {
  /** A code of the library, or of the system. */
  readonly code: string
  readonly message: string
  /** ms since the Unix epoch. */
  readonly at: number
}

/** What the tries of an entry have come to, for those who look and for the next process that runs the outbox. */
export interface EntryState {
  /** How often a delivery was begun. */
  readonly tries: number
  /** How often the peer said no, one after the other. */
  readonly refusals: number
  /** True once a part of it may have left: the peer may have it. */
  readonly maybeStored: boolean
  /** True while it is being sent; a process that dies leaves it so. */
  readonly sending: boolean
  /** ms since the Unix epoch; 0 is as soon as possible. */
  readonly nextTryAt: number
  readonly lastError?: TryError
}

/** Of an entry that has not been tried. */
export const FRESH: EntryState = { tries: 0, refusals: 0, maybeStored: false, sending: false, nextTryAt: 0 }

/** As {@link decodeState} reads it. */
export function encodeState(state: EntryState): string {
  return `${JSON.stringify(state)}\n`
}

/**
 * The state in `text`. One that cannot be read says the little that is certain: it was tried, since only then
 * is there one.
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
