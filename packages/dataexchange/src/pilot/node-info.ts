import { Address, parseAddress } from './address.ts'

/** A daemon's answer to INFO `[ipc.info]`. A field that the daemon leaves out is empty or zero. */
export interface NodeInfo {
  readonly nodeId: number
  readonly address: Address
  readonly hostname: string
  readonly uptimeSecs: number
  /** Version of the daemon. */
  readonly version: string
  /** Names of protocol extensions that the daemon supports. */
  readonly features: readonly string[]
  /** The whole answer, with the fields that have no property here. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** Reads the JSON of INFO-OK. Accepts missing and malformed fields, because daemons differ. */
export function nodeInfoFrom(raw: Record<string, unknown>): NodeInfo {
  const address = addressFrom(raw) ?? new Address(0, 0)
  return {
    nodeId: isNodeId(raw.node_id) ? raw.node_id : address.node,
    address,
    hostname: typeof raw.hostname === 'string' ? raw.hostname : '',
    uptimeSecs: typeof raw.uptime_secs === 'number' ? raw.uptime_secs : 0,
    version: typeof raw.version === 'string' ? raw.version : '',
    features: Array.isArray(raw.features) ? raw.features.filter(feature => typeof feature === 'string') : [],
    raw,
  }
}

/** The address in a daemon's answer: its field `address`, else `node_id` in network 0. */
export function addressFrom(raw: Record<string, unknown>): Address | undefined {
  if (typeof raw.address === 'string') {
    try {
      return parseAddress(raw.address)
    } catch {
      // Falls back to the node id.
    }
  }
  return isNodeId(raw.node_id) ? new Address(0, raw.node_id) : undefined
}

function isNodeId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff
}
