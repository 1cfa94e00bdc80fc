import { chmod, lstat, mkdir, readdir, readlink, symlink, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PluginError } from '../errors.ts'
import { type Address, decodeAddress, encodeAddress } from '../pilot/address.ts'
import { takeName } from '../socket/exclusive-name.ts'
import { isListening } from '../socket/socket-file.ts'
import { systemCode } from '../system-errors.ts'

/** A node that runs on this machine, as another one sees it. */
export interface NodeEntry {
  readonly address: Address
  /** Undefined for the moment between the start of a node and its taking a name. */
  readonly hostname: string | undefined
}

/**
 * The folder in which the nodes of one user on one machine find each other. A node is its socket,
 * `<address as 12 hex digits>.sock`; a name is a link to it, `<hostname>.name`. There is nothing else: who
 * listens is alive, and what a dead node left counts for nothing and is replaced.
 */
export class NodeDirectory {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Opens the folder, making it with mode 0700 when it is missing.
   *
   * @throws {PluginError} CONFIG_INVALID where it is no folder, is somebody else's, or cannot be made
   */
  static async open(path: string = defaultPath()): Promise<NodeDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 }).catch(cause => {
      const message = `the folder ${path}, where nodes find each other, cannot be made: ${systemCode(cause)}`
      throw new PluginError('CONFIG_INVALID', message, { cause })
    })
    const stats = await lstat(path)
    if (!stats.isDirectory()) {
      throw new PluginError('CONFIG_INVALID', `${path} is no folder; nodes cannot find each other in it`)
    }
    if (stats.uid !== process.getuid?.()) {
      throw new PluginError('CONFIG_INVALID', `the folder ${path} belongs to another user; name another one`)
    }
    if ((stats.mode & 0o777) !== 0o700) await chmod(path, 0o700)
    return new NodeDirectory(path)
  }

  /** Where the node with `address` takes streams. */
  socketOf(address: Address): string {
    return join(this.path, socketName(address))
  }

  /** The nodes that run now, this one included. */
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

  /** The address of the running node named `hostname`, which must be a valid name in lower case. */
  async resolve(hostname: string): Promise<Address | undefined> {
    const path = this.#nameLink(hostname)
    const address = addressOf(await readlink(path).catch(() => ''))
    return address !== undefined && (await this.#isLiveName(path)) ? address : undefined
  }

  /** Gives `hostname` to the node with `address`, unless another running node has it. */
  takeHostname(hostname: string, address: Address): Promise<boolean> {
    return takeName(this.#nameLink(hostname), {
      place: path => symlink(socketName(address), path),
      withdraw: path => unlink(path),
      isLive: path => this.#isLiveName(path),
    })
  }

  /** Takes all names away from the node with `address`, but for `keep`. Only that node may call it. */
  async releaseHostnames(address: Address, keep?: string): Promise<void> {
    for (const file of (await this.#files()).filter(isNameLink)) {
      const path = join(this.path, file)
      if (file === `${keep}${NAME_ENDING}`) continue
      const target = await readlink(path).catch(() => undefined)
      if (target === socketName(address)) await unlink(path).catch(() => {})
    }
  }

  /** Empty also where somebody has removed the folder: a daemon must be able to end then. */
  #files(): Promise<string[]> {
    return readdir(this.path).catch(() => [])
  }

  #nameLink(hostname: string): string {
    return join(this.path, `${hostname}${NAME_ENDING}`)
  }

  async #isLiveName(path: string): Promise<boolean> {
    const target = await readlink(path).catch(() => undefined)
    // By the socket's own path: the link's may be too long for connect().
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
