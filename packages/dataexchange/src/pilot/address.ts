import { AddressError } from '../errors.ts'

/** Bytes of an address on the wire: `[u16 network][u32 node]`. */
export const ADDRESS_SIZE = 6

/** The node number that stands for every node of a network. */
export const BROADCAST_NODE = 0xffff_ffff

/** A 48-bit virtual address `[address.layout]`. Immutable. */
export class Address {
  /** Network, 0 to 65,535. */
  readonly network: number
  /** Node, 0 to 2^32 - 1. */
  readonly node: number

  /** @throws {AddressError} ADDRESS_INVALID if a number is out of range */
  constructor(network: number, node: number) {
    if (!isWhole(network, 0xffff)) throw new AddressError(`network ${network} is not 0 to 65535`)
    if (!isWhole(node, 0xffff_ffff)) throw new AddressError(`node ${node} is not 0 to 4294967295`)
    this.network = network
    this.node = node
  }

  /** True for the broadcast address of a network `[address.broadcast]`. */
  get isBroadcast(): boolean {
    return this.node === BROADCAST_NODE
  }

  /** True if `other` is the same address. */
  equals(other: Address): boolean {
    return this.network === other.network && this.node === other.node
  }

  /** The canonical text, `N:NNNN.HHHH.LLLL` `[address.text]`. */
  toString(): string {
    return `${this.network}:${hex4(this.network)}.${hex4(this.node >>> 16)}.${hex4(this.node & 0xffff)}`
  }

  /** The same as {@link toString}. */
  toJSON(): string {
    return this.toString()
  }
}

/** An address and a port. */
export interface SocketAddress {
  readonly address: Address
  readonly port: number
}

/**
 * Parses `N:NNNN.HHHH.LLLL` in upper or lower case `[address.text]` `[address.lower]`. The original's `ParseAddr`.
 *
 * @throws {AddressError} ADDRESS_INVALID; the message names the wrong part
 */
export function parseAddress(text: string): Address {
  const fault = (why: string) =>
    new AddressError(`${JSON.stringify(text)} is not an address: ${why}; expected N:NNNN.HHHH.LLLL`)

  const colon = text.indexOf(':')
  if (colon < 0) throw fault('the colon after the network is missing')
  const decimal = text.slice(0, colon)
  if (!/^\d+$/.test(decimal)) throw fault(`the network ${JSON.stringify(decimal)} is not a decimal number`)
  const network = Number(decimal)
  if (network > 0xffff) throw fault(`the network ${decimal} is over 65535`)

  const groups = text.slice(colon + 1).split('.')
  if (groups.length !== 3) throw fault(`it has ${groups.length} hexadecimal groups after the colon, not 3`)
  const bad = groups.find(group => !/^[0-9a-fA-F]{4}$/.test(group))
  if (bad !== undefined) throw fault(`${JSON.stringify(bad)} is not 4 hexadecimal digits`)
  const [again, high, low] = groups.map(group => Number.parseInt(group, 16)) as [number, number, number]
  if (again !== network) throw fault(`the network is ${network} before the colon and ${again} after it`)

  return new Address(network, high * 0x1_0000 + low)
}

/**
 * Parses `N:NNNN.HHHH.LLLL:PORT` `[address.port]`.
 *
 * @throws {AddressError} ADDRESS_INVALID
 */
export function parseSocketAddress(text: string): SocketAddress {
  const colon = text.lastIndexOf(':')
  const port = text.slice(colon + 1)
  if (!/^\d{1,5}$/.test(port) || Number(port) > 0xffff) {
    throw new AddressError(`${JSON.stringify(text)} does not end in a port, :0 to :65535`)
  }
  return { address: parseAddress(text.slice(0, Math.max(colon, 0))), port: Number(port) }
}

/** The text of a socket address, `N:NNNN.HHHH.LLLL:PORT`. */
export function formatSocketAddress({ address, port }: SocketAddress): string {
  return `${address}:${port}`
}

/** Encodes `address` as 6 bytes. */
export function encodeAddress(address: Address): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, address.network)
  view.setUint32(2, address.node)
  return bytes
}

/** Decodes the address in the first 6 of `bytes`. The caller checks the length. */
export function decodeAddress(bytes: Uint8Array): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ADDRESS_SIZE)
  return new Address(view.getUint16(0), view.getUint32(2))
}

function hex4(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, '0')
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max
}
