import { viewOf } from '../bytes.ts'
import { DriverError } from '../errors.ts'
import type { LocalNode } from './local-node.ts'

/**
 * Answers HANDSHAKE, `[u8 request][u32 node id, if the request is about a node]...`. The nodes of one user on one
 * machine always trust each other. pilotctl asks for trust before it dials, and looks for a registry if it gets no
 * answer.
 *
 * @throws {DriverError} DAEMON_REFUSED for a request that would change trust, and for a node that does not run;
 * DAEMON_NOT_PILOT if the payload is too short
 */
export async function answerHandshake(
  node: LocalNode,
  payload: Uint8Array,
): Promise<Record<string, unknown>> {
  const request = payload[0]
  switch (request) {
    case Handshake.Pending:
      return { pending: [] }
    case Handshake.Trusted:
      return { trusted: (await node.peers()).map(({ address }) => trusted(address.node)) }
    case Handshake.Request: {
      const id = nodeIdIn(payload)
      if (!(await isTrusted(node, id))) throw refusal(`no node ${id} runs on this machine`)
      return { node_id: id, status: 'sent' }
    }
    case Handshake.IsTrusted: {
      const id = nodeIdIn(payload)
      return { node_id: id, trusted: await isTrusted(node, id) }
    }
    default:
      throw refusal('the nodes of an embedded daemon always trust each other; this cannot be changed')
  }
}

/** Requests of HANDSHAKE. Approve (2), reject (3) and revoke (6) are refused. */
const Handshake = { Request: 1, Pending: 4, Trusted: 5, IsTrusted: 7 } as const

function trusted(id: number): Record<string, unknown> {
  return { node_id: id, mutual: true, network: 0, approved_at: 0, public_key: '' }
}

async function isTrusted(node: LocalNode, id: number): Promise<boolean> {
  return id === node.address.node || (await node.peers()).some(({ address }) => address.node === id)
}

function nodeIdIn(payload: Uint8Array): number {
  if (payload.length < 5) {
    throw new DriverError('DAEMON_NOT_PILOT', 'a handshake request has no node id')
  }
  return viewOf(payload).getUint32(1)
}

function refusal(reason: string): DriverError {
  return new DriverError('DAEMON_REFUSED', reason)
}
