import { basename, isAbsolute, relative } from 'node:path'
import { defaultSocketPath } from 'pilot-dataexchange'
import { shellQuote } from './shell-quote.ts'

/** Options of {@link sendCommand}. */
export interface SendCommandInput {
  /** Address of the node to send to. */
  address: string
  /** Socket of the daemon to send through. */
  socketPath: string
  /** Path of the running program. @default process.argv[1] */
  program?: string
  /** @default process.cwd() */
  cwd?: string
  /** @default process.env */
  env?: NodeJS.ProcessEnv
}

/** The command line that sends a message to `address` from a second terminal. */
export function sendCommand({
  address,
  socketPath,
  program = process.argv[1] ?? 'pilot-dx',
  cwd = process.cwd(),
  env = process.env,
}: SendCommandInput): string {
  // PILOT_SOCKET may not be set in the other terminal.
  const usual = defaultSocketPath({ ...env, PILOT_SOCKET: undefined })
  const words = [
    ...programWords(program, cwd),
    'send-message',
    ...(socketPath === usual ? [] : ['--socket', socketPath]),
    address,
    'hello',
  ]
  return words.map(shellQuote).join(' ')
}

function programWords(program: string, cwd: string): string[] {
  if (basename(program) === 'pilot-dx') return ['pilot-dx']
  const path = relative(cwd, program)
  return ['node', path.startsWith('..') || isAbsolute(path) ? program : path]
}
