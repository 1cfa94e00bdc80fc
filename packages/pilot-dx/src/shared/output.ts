import { reportOf } from './errors.ts'
import { safeJson, safeLine } from './safe-text.ts'

/** How a command tells its result: one JSON line on stdout with `--json`, else text for a person. */
export class Output {
  readonly json: boolean
  readonly quiet: boolean

  constructor(options: { json?: boolean; quiet?: boolean }) {
    this.json = options.json ?? false
    this.quiet = options.quiet ?? false
  }

  /** What the command was asked for. Texts must be safe for a terminal already. */
  result(data: unknown, text: () => string): void {
    this.#write(process.stdout, this.json ? safeJson({ status: 'ok', data }) : text())
  }

  /** What a person may like to know; `--quiet` leaves it out. */
  confirm(data: unknown, text: () => string): void {
    if (this.json || !this.quiet) this.result(data, text)
  }

  /** One of many: a bare JSON object, or a text. */
  item(data: unknown, text: () => string): void {
    this.#write(process.stdout, this.json ? safeJson(data) : text())
  }

  /** A remark on stderr; neither with `--quiet` nor with `--json`. */
  note(text: string): void {
    if (!this.json && !this.quiet) this.#write(process.stderr, text)
  }

  /** Tells of a failure on stderr, and returns the exit code. */
  error(error: unknown): number {
    const { exitCode, envelope } = reportOf(error)
    if (this.json) {
      this.#write(process.stderr, safeJson({ status: 'error', ...envelope }))
    } else {
      this.#write(process.stderr, `error: ${safeLine(envelope.message)}`)
      if (envelope.hint !== undefined) this.#write(process.stderr, `hint: ${safeLine(envelope.hint)}`)
    }
    return exitCode
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    stream.write(text.endsWith('\n') ? text : `${text}\n`)
  }
}
