import { once } from 'node:events'
import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { DriverError, PluginError } from '../errors.ts'
import { systemCode } from '../system-errors.ts'
import { CLAIM_SUFFIX_LENGTH, takeName } from './exclusive-name.ts'
import { makeSturdy } from './half-open-socket.ts'

/** A Unix socket that listens under a name which is its own. */
export interface PublishedSocket {
  readonly path: string
  readonly server: Server
  /** Removes the name, unless another socket stands there by now; connections live on. */
  unpublish(): Promise<void>
}

/**
 * Listens on `wanted`, mode 0600. The socket appears there complete, in one step; a socket that a dead process
 * left is replaced, a live one never. A missing parent folder is made, mode 0700. Connections are half-open
 * and sturdy (see {@link makeSturdy}).
 *
 * @throws {DriverError} SOCKET_IN_USE where a live process listens there
 * @throws {PluginError} CONFIG_INVALID where the path is too long for a socket, is something else than a
 * socket, or cannot be written
 */
export async function publishSocket(
  wanted: string,
  onConnection: (socket: Socket) => void,
): Promise<PublishedSocket> {
  const path = checkedPath(wanted)
  const server = createServer({ allowHalfOpen: true }, socket => onConnection(makeSturdy(socket)))
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await checkKind(path)
    if (!(await listenAs(server, path))) throw inUse(path)
    const { ino } = await lstat(path)
    return { path, server, unpublish: () => removeIfOurs(path, ino) }
  } catch (error) {
    server.close()
    const code = systemCode(error)
    if (code === undefined) throw error
    throw new PluginError('CONFIG_INVALID', `the socket ${path} cannot be made: ${code}`, { cause: error })
  }
}

/**
 * Tells the common case before anything is made; {@link publishSocket} has the last word.
 *
 * @throws {DriverError} SOCKET_IN_USE, {PluginError} CONFIG_INVALID
 */
export async function refuseLive(path: string): Promise<void> {
  if (await isListening(checkedPath(path))) throw inUse(path)
}

/** True where a process listens on the socket at `path`. What cannot be told counts as alive. */
export async function isListening(path: string): Promise<boolean> {
  // Node 24 refuses to connect to such a path, older ones cut it.
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) return false
  const socket = createConnection({ path })
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return !DEAD.has(systemCode(error) ?? '')
  } finally {
    socket.destroy()
  }
}

const DEAD = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR'])

/**
 * Binds in a fresh folder that only this user may enter, so that nobody connects before the mode is set;
 * `rename` then carries the listening socket to where it belongs.
 */
async function listenAs(server: Server, path: string): Promise<boolean> {
  const folder = await mkdtemp(join(dirname(path), '.n'))
  const born = join(folder, 's')
  try {
    server.listen(born)
    await once(server, 'listening')
    await chmod(born, 0o600)
    return await takeName(path, {
      place: claim => rename(born, claim),
      withdraw: claim => rename(claim, born),
      isLive: isListening,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The longest path of a socket, from the size of sun_path less its final zero. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

function checkedPath(wanted: string): string {
  const path = resolve(wanted)
  const most = MAX_SOCKET_PATH - CLAIM_SUFFIX_LENGTH
  const length = Buffer.byteLength(path)
  if (length <= most) return path
  throw new PluginError(
    'CONFIG_INVALID',
    `the socket path ${path} has ${length} bytes, at most ${most} are possible; use a folder with a shorter path`,
  )
}

function inUse(path: string): DriverError {
  return new DriverError('SOCKET_IN_USE', `a live daemon already serves ${path}; use it or another path`)
}

async function checkKind(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats === undefined || stats.isSocket()) return
  throw new PluginError('CONFIG_INVALID', `${path} exists and is no socket; name another path or remove it`)
}

async function removeIfOurs(path: string, ino: number): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.ino === ino) await unlink(path).catch(() => {})
}
