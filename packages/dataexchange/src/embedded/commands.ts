import { decodeUtf8, utf8 } from '../bytes.ts'
import { DriverError } from '../errors.ts'
import type { Address, SocketAddress } from '../pilot/address.ts'
import {
  Command,
  decodeDial,
  decodePort,
  encodeConnId,
  encodeMessage,
  encodePort,
} from '../pilot/ipc-messages.ts'
import type { LocalNode } from './local-node.ts'
import { answerHandshake } from './trust.ts'

/** The client of a request. */
export interface Requester {
  readonly node: LocalNode
  bind(port: number): void
  unbind(port: number): void
  /** Resolves with the id of the stream, which delivers nothing until {@link startStream}. */
  dial(remote: SocketAddress): Promise<number>
  startStream(connId: number): void
  /** Stores the node's hostname for its next run. */
  saveHostname(): Promise<void>
}

/** A reply, and the action that follows its write. */
export interface Reply {
  readonly message: Uint8Array[]
  readonly sent?: () => void
}

/**
 * The handlers of requests, by command. A handler that throws is answered with ERROR. A malformed payload
 * (DAEMON_NOT_PILOT) ends the connection instead.
 */
export const REQUESTS: Readonly<
  Record<number, (client: Requester, payload: Uint8Array) => Promise<Reply> | Reply>
> = {
  [Command.Bind]: (client, payload) => {
    const port = decodePort(payload)
    client.bind(port)
    return { message: encodeMessage(Command.BindOk, encodePort(port)) }
  },

  [Command.Unbind]: (client, payload) => {
    const port = decodePort(payload)
    client.unbind(port)
    return { message: encodeMessage(Command.UnbindOk, encodePort(port)) }
  },

  [Command.Dial]: async (client, payload) => {
    const connId = await client.dial(decodeDial(payload))
    return {
      message: encodeMessage(Command.DialOk, encodeConnId(connId)),
      sent: () => client.startStream(connId),
    }
  },

  [Command.Info]: async ({ node }) => json(Command.InfoOk, await node.info()),

  [Command.Health]: ({ node }) => json(Command.HealthOk, node.health()),

  [Command.Handshake]: async ({ node }, payload) =>
    json(Command.HandshakeOk, await answerHandshake(node, payload)),

  [Command.ResolveHostname]: async ({ node }, payload) => {
    const hostname = nameIn(payload)
    return json(Command.ResolveHostnameOk, named(await node.resolve(hostname), hostname.toLowerCase()))
  },

  [Command.SetHostname]: async (client, payload) => {
    await client.node.setHostname(nameIn(payload))
    await client.saveHostname()
    return json(Command.SetHostnameOk, named(client.node.address, client.node.hostname))
  },
}

function named(address: Address, hostname: string): Record<string, unknown> {
  return { node_id: address.node, address, hostname }
}

function json(command: number, value: Record<string, unknown>): Reply {
  return { message: encodeMessage(command, utf8(JSON.stringify(value))) }
}

function nameIn(payload: Uint8Array): string {
  const name = decodeUtf8(payload)
  if (name === undefined) throw new DriverError('DAEMON_REFUSED', 'a hostname is not UTF-8')
  return name
}
