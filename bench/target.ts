import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { parseAddress } from '#lib/pilot/address.js'
import { Driver } from '#lib/pilot/driver.js'
import { DATA_EXCHANGE_PORT } from '#lib/pilot/transport.js'
import { SocketStreams } from '../test/helpers/socket-streams.ts'

/** The address of a service: a Unix socket that carries its frames, or an address behind a daemon. */
export interface Target {
  readonly socket: string
  readonly address?: string | undefined
}

/** Opens connections to `target`. One after the other: a backlog is short. */
export async function dialAll({ socket, address }: Target, count: number): Promise<Duplex[]> {
  const connections: Duplex[] = []
  const dial = await dialler(socket, address)
  for (let i = 0; i < count; i++) connections.push(await dial())
  return connections
}

async function dialler(socket: string, address: string | undefined): Promise<() => Promise<Duplex>> {
  if (address === undefined) return () => dialBare(socket)
  const driver = await Driver.connect(socket)
  return () => driver.dial(parseAddress(address), DATA_EXCHANGE_PORT)
}

async function dialBare(socket: string): Promise<Duplex> {
  for (;;) {
    try {
      return await new SocketStreams(socket, null).dial()
    } catch (error) {
      // The backlog of the socket is full.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await delay(5)
    }
  }
}
