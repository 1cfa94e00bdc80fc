/** One level of a {@link Logger}: the fields first, then a sentence for people. */
export type LogLine = (fields: Record<string, unknown>, message: string) => void

/** Receives the reports of background work. A pino logger fits as it is. */
export interface Logger {
  debug: LogLine
  info: LogLine
  warn: LogLine
  /** Called only for an error that the application's own hook, handler or listener threw. */
  error: LogLine
}

/** Logs nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * The default of everything that calls hooks, handlers or listeners of the application: an error that one of them
 * throws goes to `console.warn`, since nobody would see it otherwise. Nothing else is logged.
 */
export const defaultLogger: Logger = {
  ...silentLogger,
  error: (fields, message) => console.warn(`pilot-dataexchange: ${message}:`, fields.err ?? fields),
}
