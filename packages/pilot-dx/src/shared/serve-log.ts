import type { Logger } from 'pilot-dataexchange'
import { pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { Output } from './output.ts'
import { escapeJsonText, safeLine } from './safe-text.ts'

/** Levels of the log. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** A logger to stderr: human-readable lines, or JSON lines with `--json`. Safe for terminals. */
export function createLogger(output: Output, level: LogLevel = output.quiet ? 'warn' : 'info'): Logger {
  const pretty = prettyFactory({
    colorize: false,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
  })
  const write = (line: string) => {
    process.stderr.write(output.json ? escapeJsonText(line) : safeLines(pretty(line) ?? ''))
  }
  return pino({ level, base: null }, { write })
}

function safeLines(text: string): string {
  return text
    .split('\n')
    .map(line => safeLine(line))
    .join('\n')
}
