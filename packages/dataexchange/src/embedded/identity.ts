import { randomBytes, randomInt } from 'node:crypto'
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PluginError } from '../errors.ts'
import { Address, BROADCAST_NODE, parseAddress } from '../pilot/address.ts'
import { systemCode } from '../system-errors.ts'

/** The identity that a node keeps between its runs. */
export interface NodeIdentity {
  readonly address: Address
  /** Undefined until the node first has a hostname. */
  readonly hostname?: string
}

/** A random address in network 0, neither node 0 nor the broadcast address. */
export function randomAddress(): Address {
  return new Address(0, randomInt(1, BROADCAST_NODE))
}

/**
 * Reads the identity in `file`. A missing file is created, mode 0600, with a random address. Two processes that create
 * it at the same time get the same identity.
 *
 * @throws {PluginError} CONFIG_INVALID if the file is damaged, or cannot be read or created
 */
export async function loadIdentity(file: string): Promise<NodeIdentity> {
  try {
    return parseIdentity(
      file,
      await readFile(file, 'utf8').catch(error => {
        if (systemCode(error) === 'ENOENT') return makeIdentity(file)
        throw error
      }),
    )
  } catch (error) {
    throw unusable(file, error)
  }
}

/** Resolves with the text of the file. Another process may have created it first. */
async function makeIdentity(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await write(file, { address: randomAddress() }, async temp => {
    await link(temp, file).catch(error => {
      if (systemCode(error) !== 'EEXIST') throw error
    })
    await unlink(temp)
  })
  return readFile(file, 'utf8')
}

/**
 * Replaces the identity in `file` atomically.
 *
 * @throws {PluginError} CONFIG_INVALID if it cannot be written
 */
export async function saveIdentity(file: string, identity: NodeIdentity): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await write(file, identity, temp => rename(temp, file))
  } catch (error) {
    throw unusable(file, error)
  }
}

function unusable(file: string, cause: unknown): unknown {
  const code = systemCode(cause)
  if (code === undefined) return cause
  const message = `the identity file ${file} cannot be used: ${code}; use a file in a writable folder`
  return new PluginError('CONFIG_INVALID', message, { cause })
}

async function write(
  file: string,
  identity: NodeIdentity,
  publish: (temp: string) => Promise<void>,
): Promise<void> {
  const temp = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temp, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(identity)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await publish(temp)
}

function parseIdentity(file: string, text: string): NodeIdentity {
  try {
    const { address, hostname } = JSON.parse(text) as { address: string; hostname?: unknown }
    const parsed = parseAddress(address)
    return typeof hostname === 'string' ? { address: parsed, hostname } : { address: parsed }
  } catch (error) {
    throw new PluginError(
      'CONFIG_INVALID',
      `the identity file ${file} is damaged; remove it to get a new address`,
      { cause: error },
    )
  }
}
