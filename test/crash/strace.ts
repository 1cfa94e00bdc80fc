import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { HarnessError } from './commands.js'

/** The system calls by which the mailbox uses files. Sockets and pipes are used by some of them too. */
const FILE_CALLS: readonly string[] = [
  ...['open', 'openat', 'creat', 'close', 'read', 'pread64', 'readv', 'preadv', 'getdents64'],
  ...['write', 'pwrite64', 'writev', 'pwritev', 'fsync', 'fdatasync', 'ftruncate', 'fallocate'],
  ...['ioctl', 'sendfile', 'copy_file_range'],
  ...['link', 'linkat', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2', 'mkdir', 'mkdirat', 'rmdir'],
  ...[
    'stat',
    'lstat',
    'fstat',
    'newfstatat',
    'statx',
    'access',
    'faccessat',
    'faccessat2',
    'fchmod',
    'utimensat',
  ],
]

/** One system call that strace has seen. */
export interface Call {
  readonly name: string
  readonly thread: number
  /** The rest of the line: arguments, with the paths of descriptors, and the result. */
  readonly text: string
}

/** The effect of {@link Strace} on a process. */
export interface StraceOptions {
  readonly pid: number
  /** Only calls on one of these paths, exactly; of none: all. */
  readonly paths: readonly string[]
  /** Such as `fsync:error=EIO:when=2`: calls are counted by thread and by name. */
  readonly inject?: readonly string[]
}

/** strace on a running process. */
export class Strace {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  #log = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    // Not at its exit: some of its log may not have been read then.
    this.#exit = once(child, 'close')
  }

  /** Resolves when every call is seen. */
  static async attach({ pid, paths, inject = [] }: StraceOptions): Promise<Strace> {
    const options = [
      ...['-f', '-y', '-p', `${pid}`, '-e', 'signal=none'],
      ...['-e', `trace=${FILE_CALLS.map(name => `?${name}`).join(',')}`],
      ...paths.flatMap(path => ['-P', path]),
      ...inject.flatMap(expression => ['-e', `inject=${expression}`]),
    ]
    const child = spawn('strace', options, { stdio: ['ignore', 'ignore', 'pipe'] })
    const strace = new Strace(child)
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        strace.#log += chunk
        if (strace.#log.includes(' attached')) resolve()
      })
      child.once('exit', () => reject(new HarnessError(`strace ended: ${strace.#log}`)))
    })
    return strace
  }

  /** Lets the process go, and gives what it has done. One that has been killed has an `ending`. */
  async detach(ending: boolean): Promise<Call[]> {
    // strace that is interrupted while its process dies may wait for ever; it ends by itself then.
    const timers = [
      setTimeout(() => this.#child.kill('SIGINT'), ending ? 5_000 : 0),
      setTimeout(() => this.#child.kill('SIGKILL'), 60_000),
    ]
    await this.#exit
    for (const timer of timers) clearTimeout(timer)
    return this.#log.split('\n').flatMap(parseLine)
  }
}

function parseLine(line: string): Call[] {
  const [, thread, name, text = ''] = /^(?:\[pid\s+(\d+)\] )?(\w+)\((.*)$/.exec(line) ?? []
  return name === undefined ? [] : [{ name, thread: Number(thread ?? 0), text }]
}
