import {
  type Address,
  Client,
  Driver,
  DriverError,
  parseTarget,
  resolveTarget,
  type WaitOptions,
} from 'pilot-dataexchange'
import type { Context } from './context.ts'
import { CliError, ExitCode } from './errors.ts'

/**
 * Refuses an invalid target, before any request to a daemon.
 *
 * @throws {AddressError} ADDRESS_INVALID
 */
export function checkTarget(target: string): void {
  if (target.trim() === '') throw new CliError('the target is empty')
  parseTarget(target)
}

/** Runs `use` with a connection to the data exchange of `target`, then closes it. */
export async function withPeer<T>(
  context: Context,
  target: string,
  options: WaitOptions,
  use: (client: Client, address: Address) => Promise<T>,
): Promise<T> {
  return withDriver(context, target, options, async (driver, address) => {
    const client = await Client.dial(driver, address, options)
    try {
      return await use(client, address)
    } finally {
      await client.close()
    }
  })
}

/** Runs `use` with a driver and the address of `target`, then closes the driver. */
export async function withDriver<T>(
  context: Context,
  target: string,
  options: WaitOptions,
  use: (driver: Driver, address: Address) => Promise<T>,
): Promise<T> {
  const driver = await Driver.connect(context.socketPath, { signal: options.signal })
  try {
    return await use(driver, await findPeer(driver, target, options))
  } finally {
    await driver.close()
  }
}

async function findPeer(driver: Driver, target: string, { signal }: WaitOptions): Promise<Address> {
  try {
    return await resolveTarget(driver, target, { signal })
  } catch (error) {
    if (!(error instanceof DriverError) || error.code !== 'DAEMON_REFUSED') throw error
    throw new CliError(`no node is known as ${JSON.stringify(target)}: ${error.message}`, {
      cause: error,
      exitCode: ExitCode.Unreachable,
      envelopeCode: 'not_found',
      hint: 'check the spelling, or use the address that pilot-dx serve prints on the peer’s side',
    })
  }
}
