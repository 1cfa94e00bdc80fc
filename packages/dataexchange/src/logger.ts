/** One level of a {@link Logger}: the fields first, then a sentence for a person. */
export type LogLine = (fields: Record<string, unknown>, message: string) => void

/** Where the library reports what nobody waits for. A pino logger is one as it is. */
export interface Logger {
  debug: LogLine
  info: LogLine
  warn: LogLine
  error: LogLine
}

/** Says nothing; the default everywhere. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
