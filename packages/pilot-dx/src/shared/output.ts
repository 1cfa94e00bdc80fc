import { reportOf } from './errors.ts'
import { safeJson, safeLine } from './safe-text.ts'

/** Prints the result of a command: one JSON line on stdout with `--json`, else human-readable text. */
export class Output {
  readonly json: boolean
  readonly quiet: boolean

  constructor(options: { json?: boolean; quiet?: boolean }) {
    this.json = options.json ?? false
    this.quiet = options.quiet ?? false
  }

  /** Prints the requested result. Texts must already be safe for a terminal. */
  result(data: unknown, text: () => string): void {
    this.#write(process.stdout, this.json ? safeJson({ status: 'ok', data }) : text())
  }

  /** Prints additional text for people. Not printed with `--quiet`. */
  confirm(data: unknown, text: () => string): void {
    if (this.json || !this.quiet) this.result(data, text)
  }

  /** Prints one item of a stream: a bare JSON object, or a text. */
  item(data: unknown, text: () => string): void {
    this.#write(process.stdout, this.json ? safeJson(data) : text())
  }

  /** Prints a remark on stderr. Not printed with `--quiet` or `--json`. */
  note(text: string): void {
    if (!this.json && !this.quiet) this.#write(process.stderr, text)
  }

  /** Prints a failure on stderr. Returns the exit code. */
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
