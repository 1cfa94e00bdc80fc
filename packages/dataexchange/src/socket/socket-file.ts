import { once } from 'node:events'
import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { DriverError, PluginError } from '../errors.ts'
import { systemCode } from '../system-errors.ts'
import { acquireName, CLAIM_SUFFIX_LENGTH } from './exclusive-name.ts'
import { keepReadable } from './half-open-socket.ts'

/** A listening Unix socket that owns its name. */
export interface PublishedSocket {
  readonly path: string
  readonly server: Server
  /** Removes the name, unless another socket has it by now. Open connections continue. */
  unpublish(): Promise<void>
}

/**
 * Listens on `wanted` with mode 0600. The socket appears there atomically. The socket of a dead process is replaced,
 * that of a live one never. A missing parent folder is created with mode 0700. Connections are half-open and stay
 * readable, see {@link keepReadable}.
 *
 * @throws {DriverError} SOCKET_IN_USE if a live process listens there
 * @throws {PluginError} CONFIG_INVALID if the path is too long for a socket, is not a socket, or cannot be written
 */
export async function publishSocket(
  wanted: string,
  onConnection: (socket: Socket) => void,
): Promise<PublishedSocket> {
  const path = checkedPath(wanted)
  const server = createServer({ allowHalfOpen: true }, socket => onConnection(keepReadable(socket)))
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
    throw new PluginError('CONFIG_INVALID', `the socket ${path} cannot be created: ${code}`, { cause: error })
  }
}

/**
 * Checks early whether the socket is in use, before any file is created. {@link publishSocket} makes the final check.
 *
 * @throws {DriverError} SOCKET_IN_USE
 * @throws {PluginError} CONFIG_INVALID if the path is too long for a socket
 */
export async function refuseLive(path: string): Promise<void> {
  if (await isListening(checkedPath(path))) throw inUse(path)
}

/** Whether a process listens on the socket at `path`; true if that cannot be determined. */
export async function isListening(path: string): Promise<boolean> {
  // Node 24 refuses such a path; older versions truncate it.
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
 * Binds in a new folder that only this user may enter, so that no other user connects before the mode is set. `rename`
 * then moves the listening socket to its place.
 */
async function listenAs(server: Server, path: string): Promise<boolean> {
  const folder = await mkdtemp(join(dirname(path), '.n'))
  const born = join(folder, 's')
  try {
    server.listen(born)
    await once(server, 'listening')
    await chmod(born, 0o600)
    return await acquireName(path, {
      place: claim => rename(born, claim),
      withdraw: claim => rename(claim, born),
      isLive: isListening,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The longest path of a socket: the size of sun_path without its terminating zero. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

function checkedPath(wanted: string): string {
  const path = resolve(wanted)
  const max = MAX_SOCKET_PATH - CLAIM_SUFFIX_LENGTH
  const length = Buffer.byteLength(path)
  if (length <= max) return path
  throw new PluginError(
    'CONFIG_INVALID',
    `the socket path ${path} has ${length} bytes, at most ${max} are possible; use a folder with a shorter path`,
  )
}

function inUse(path: string): DriverError {
  return new DriverError('SOCKET_IN_USE', `a live daemon already serves ${path}; use it or another path`)
}

async function checkKind(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats === undefined || stats.isSocket()) return
  throw new PluginError('CONFIG_INVALID', `${path} exists and is not a socket; use another path or remove it`)
}

async function removeIfOurs(path: string, ino: number): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.ino === ino) await unlink(path).catch(() => {})
}
