import { basename, isAbsolute, relative } from 'node:path'
import { defaultSocketPath } from 'pilot-dataexchange'
import { shellQuote } from './shell-quote.ts'

/** What {@link sendCommand} is made from. */
export interface SendCommandInput {
  /** Of the node to send to. */
  address: string
  /** Of the daemon to send through. */
  socketPath: string
  /** Path of the program that runs. @default process.argv[1] */
  program?: string
  /** @default process.cwd() */
  cwd?: string
  /** @default process.env */
  env?: NodeJS.ProcessEnv
}

/** The command that sends a message to `address`, to be pasted into a second terminal. */
export function sendCommand({
  address,
  socketPath,
  program = process.argv[1] ?? 'pilot-dx',
  cwd = process.cwd(),
  env = process.env,
}: SendCommandInput): string {
  // A variable of this terminal need not be set in the other.
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
