import { type ChildProcess, spawn } from 'node:child_process'
import { AnswerError, type AnswerHook, type AnswerRequest, type Logger } from 'pilot-dataexchange'

/**
 * Output of the command of `serve --answer`; a command that prints more is killed, and gives no reply.
 * @limit bytes
 */
const COMMAND_REPLY = 1024 * 1024

/** Part of the stderr of the command of `serve --answer` that is logged. @limit bytes */
const COMMAND_STDERR = 4 * 1024

/**
 * An answer hook that runs `command` in the shell for each request, with the text on stdin and the reply on stdout.
 * `PILOT_FROM` is the sender's address, `PILOT_MESSAGE_ID` the request's id if it has one. A command that fails, prints too
 * much or takes too long is killed with all its child processes, and gives no reply.
 */
export function answerCommand(command: string, logger: Logger): AnswerHook {
  return (request, signal) => {
    const child = spawn(command, { shell: true, detached: true, env: environment(request) })
    const run = new CommandRun(child)
    const stop = () => run.kill(new AnswerError('ANSWER_FAILED', 'the answer command was stopped'))
    signal.addEventListener('abort', stop, { once: true })
    child.stdin.end(request.text)
    return run.output.then(({ reply, complaint }) => {
      if (complaint !== '')
        logger.info({ from: request.from, stderr: complaint }, 'stderr of the answer command')
      return reply
    })
  }
}

/** A running command and its output. */
class CommandRun {
  /** Resolves with the output when the command has ended. Rejects with AnswerError. */
  readonly output: Promise<{ reply: Uint8Array; complaint: string }>
  readonly #child: ChildProcess
  readonly #printed: Buffer[] = []
  readonly #complaint: Buffer[] = []
  #printedBytes = 0
  #complaintBytes = 0
  #failure: AnswerError | undefined

  constructor(child: ChildProcess) {
    this.#child = child
    running.add(this)
    // A second Ctrl-C ends this process at once, and must end the command, too.
    if (running.size === 1) process.on('exit', killAll)
    child.stdout?.on('data', chunk => this.#onPrinted(chunk))
    child.stderr?.on('data', chunk => this.#onComplaint(chunk))
    // The command may not read its input.
    child.stdin?.on('error', () => {})
    this.output = new Promise((resolve, reject) => {
      child.on('error', cause => {
        this.#forget()
        reject(new AnswerError('ANSWER_FAILED', 'the answer command could not be started', { cause }))
      })
      child.on('close', (code, signal) => {
        this.#forget()
        const complaint = Buffer.concat(this.#complaint).toString().trim()
        const failure = this.#failure ?? failureOf(code, signal, complaint)
        if (failure === undefined) resolve({ reply: Buffer.concat(this.#printed), complaint })
        else reject(failure)
      })
    })
  }

  /** Kills the command and its child processes, for this reason. */
  kill(reason: AnswerError): void {
    if (!running.has(this)) return
    this.#failure ??= reason
    this.killGroup()
    // A child process outside the group may keep these open for ever.
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream?.destroy()
  }

  killGroup(): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // The command has ended, or the system has no process groups.
      this.#child.kill('SIGKILL')
    }
  }

  #onPrinted(chunk: Buffer): void {
    this.#printedBytes += chunk.length
    const limit = COMMAND_REPLY
    if (this.#printedBytes <= limit) this.#printed.push(chunk)
    else this.kill(new AnswerError('ANSWER_UNFIT', `the answer command printed more than ${limit} bytes`))
  }

  #onComplaint(chunk: Buffer): void {
    const room = COMMAND_STDERR - this.#complaintBytes
    if (room <= 0) return
    this.#complaint.push(chunk.subarray(0, room))
    this.#complaintBytes += chunk.length
  }

  #forget(): void {
    running.delete(this)
    if (running.size === 0) process.off('exit', killAll)
  }
}

const running = new Set<CommandRun>()

function killAll(): void {
  for (const run of running) run.killGroup()
}

function environment({ from, messageId }: AnswerRequest): NodeJS.ProcessEnv {
  return { ...process.env, PILOT_FROM: from, PILOT_MESSAGE_ID: messageId }
}

function failureOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  complaint: string,
): AnswerError | undefined {
  if (code === 0) return undefined
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
  return new AnswerError('ANSWER_FAILED', `the answer command ${how}${complaint && `: ${complaint}`}`)
}
