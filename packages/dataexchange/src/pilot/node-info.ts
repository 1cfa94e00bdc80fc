import { Address, parseAddress } from './address.ts'

/** What a daemon tells about its node (INFO, section 8). Where it leaves a field out, that is empty or zero. */
export interface NodeInfo {
  readonly nodeId: number
  readonly address: Address
  readonly hostname: string
  readonly uptimeSecs: number
  /** The daemon's version. */
  readonly version: string
  /** What the daemon can do beyond the first version of the protocol. */
  readonly features: readonly string[]
  /** The answer as it came, with all that is not above. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** Reads the JSON of INFO-OK. Missing and misshapen fields are no error: daemons differ. */
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

/** The address that `address`, else `node_id` (of network 0), names in a daemon's answer. */
export function addressFrom(raw: Record<string, unknown>): Address | undefined {
  if (typeof raw.address === 'string') {
    try {
      return parseAddress(raw.address)
    } catch {
      // The node id, where there is one, is as good.
    }
  }
  return isNodeId(raw.node_id) ? new Address(0, raw.node_id) : undefined
}

function isNodeId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff
}
