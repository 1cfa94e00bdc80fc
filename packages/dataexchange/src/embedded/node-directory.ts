import { chmod, lstat, mkdir, readdir, readlink, symlink, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PluginError } from '../errors.ts'
import { type Address, decodeAddress, encodeAddress } from '../pilot/address.ts'
import { acquireName } from '../socket/exclusive-name.ts'
import { isListening } from '../socket/socket-file.ts'
import { systemCode } from '../system-errors.ts'

/** A running node on this machine. */
export interface NodeEntry {
  readonly address: Address
  /** Undefined in the moment between the start of a node and its acquiring a name. */
  readonly hostname: string | undefined
}

/**
 * The folder in which the nodes of one user on one machine find each other. A node is a socket,
 * `<address as 12 hex digits>.sock`. A hostname is a symbolic link to it, `<hostname>.name`. A node is alive if its
 * socket accepts connections; the files of a dead node are ignored and replaced.
 */
export class NodeDirectory {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Opens the folder. Creates it with mode 0700 if it is missing.
   *
   * @throws {PluginError} CONFIG_INVALID if it is not a folder, belongs to another user, or cannot be created
   */
  static async open(path: string = defaultPath()): Promise<NodeDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 }).catch(cause => {
      const message = `the folder ${path}, in which nodes find each other, cannot be created: ${systemCode(cause)}`
      throw new PluginError('CONFIG_INVALID', message, { cause })
    })
    const stats = await lstat(path)
    if (!stats.isDirectory()) {
      throw new PluginError('CONFIG_INVALID', `${path} is not a folder; nodes cannot find each other in it`)
    }
    if (stats.uid !== process.getuid?.()) {
      throw new PluginError(
        'CONFIG_INVALID',
        `the folder ${path} belongs to another user; use a folder of your own`,
      )
    }
    if ((stats.mode & 0o777) !== 0o700) await chmod(path, 0o700)
    return new NodeDirectory(path)
  }

  /** Path of the socket of the node with `address`. */
  socketOf(address: Address): string {
    return join(this.path, socketName(address))
  }

  /** The running nodes, with this one. */
  async nodes(): Promise<NodeEntry[]> {
    const files = await this.#files()
    const hostnames = new Map<string, string>()
    for (const file of files.filter(isNameLink)) {
      const target = await readlink(join(this.path, file)).catch(() => undefined)
      if (target !== undefined) hostnames.set(target, file.slice(0, -NAME_ENDING.length))
    }
    const entries = files.map(async file => {
      const address = addressOf(file)
      if (address === undefined || !(await isListening(join(this.path, file)))) return []
      return [{ address, hostname: hostnames.get(file) }]
    })
    return (await Promise.all(entries)).flat()
  }

  /** The address of the running node with `hostname`, a valid name in lower case. */
  async resolve(hostname: string): Promise<Address | undefined> {
    const path = this.#nameLink(hostname)
    const address = addressOf(await readlink(path).catch(() => ''))
    return address !== undefined && (await this.#isLiveName(path)) ? address : undefined
  }

  /** Acquires `hostname` for the node with `address`. Resolves with false if another running node has it. */
  acquireHostname(hostname: string, address: Address): Promise<boolean> {
    return acquireName(this.#nameLink(hostname), {
      place: path => symlink(socketName(address), path),
      withdraw: path => unlink(path),
      isLive: path => this.#isLiveName(path),
    })
  }

  /** Releases all hostnames of the node with `address`, except `keep`. Only that node may call it. */
  async releaseHostnames(address: Address, keep?: string): Promise<void> {
    for (const file of (await this.#files()).filter(isNameLink)) {
      const path = join(this.path, file)
      if (file === `${keep}${NAME_ENDING}`) continue
      const target = await readlink(path).catch(() => undefined)
      if (target === socketName(address)) await unlink(path).catch(() => {})
    }
  }

  /** Empty also if the folder has been removed, so that a daemon can still end. */
  #files(): Promise<string[]> {
    return readdir(this.path).catch(() => [])
  }

  #nameLink(hostname: string): string {
    return join(this.path, `${hostname}${NAME_ENDING}`)
  }

  async #isLiveName(path: string): Promise<boolean> {
    const target = await readlink(path).catch(() => undefined)
    // Connects by the socket's own path, because the path of the link may be too long for connect().
    return target !== undefined && isListening(join(this.path, target))
  }
}

const NAME_ENDING = '.name'

function isNameLink(file: string): boolean {
  return file.endsWith(NAME_ENDING)
}

function socketName(address: Address): string {
  return `${Buffer.from(encodeAddress(address)).toString('hex')}.sock`
}

function addressOf(file: string): Address | undefined {
  const hex = /^([0-9a-f]{12})\.sock$/.exec(file)?.[1]
  return hex === undefined ? undefined : decodeAddress(Buffer.from(hex, 'hex'))
}

function defaultPath(): string {
  const runtime = process.env.XDG_RUNTIME_DIR
  return runtime ? join(runtime, 'pilot-dx') : join(tmpdir(), `pilot-dx-${process.getuid?.()}`)
}
