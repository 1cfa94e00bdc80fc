import { ByteCollector, concat, decodeUtf8, utf8, viewOf } from '../bytes.ts'
import { DriverError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import { ADDRESS_SIZE, type Address, decodeAddress, encodeAddress, type SocketAddress } from './address.ts'

/** Commands of the daemon's socket that data exchange uses. */
export const Command = {
  Bind: 0x01,
  BindOk: 0x02,
  Dial: 0x03,
  DialOk: 0x04,
  Accept: 0x05,
  Send: 0x06,
  Recv: 0x07,
  Close: 0x08,
  CloseOk: 0x09,
  Error: 0x0a,
  Info: 0x0d,
  InfoOk: 0x0e,
  Handshake: 0x0f,
  HandshakeOk: 0x10,
  ResolveHostname: 0x11,
  ResolveHostnameOk: 0x12,
  SetHostname: 0x13,
  SetHostnameOk: 0x14,
  Health: 0x21,
  HealthOk: 0x22,
  Cancel: 0x2b,
  Unbind: 0x37,
  UnbindOk: 0x38,
} as const

/** Size of a message's header, `[u32 length][u8 command]` `[ipc.framing]`. The length counts from the command byte. */
export const IPC_HEADER_SIZE = 5

/** One message on the daemon's socket. */
export interface IpcMessage {
  command: number
  /** A view of the bytes read. Copy it to keep it. */
  payload: Uint8Array
}

/** The payload of ACCEPT, decoded `[ipc.accept]`. */
export interface Accepted {
  localPort: number
  connId: number
  remote: SocketAddress
}

/** A message as pieces to write. Does not copy the payload. */
export function encodeMessage(command: number, ...payload: Uint8Array[]): Uint8Array[] {
  const header = new Uint8Array(IPC_HEADER_SIZE)
  const view = viewOf(header)
  view.setUint32(0, 1 + payload.reduce((sum, piece) => sum + piece.length, 0))
  view.setUint8(4, command)
  return [header, ...payload]
}

/** Splits the bytes of a daemon's socket into messages. Chunks may end anywhere `[ipc.split]`. */
export class IpcDecoder {
  readonly #partial = new ByteCollector()
  /** Number of bytes missing of the current field, a length or a message. */
  #missing = LENGTH_SIZE
  #state: 'length' | 'message' = 'length'
  #collecting = false

  /**
   * Consumes `chunk` and returns the messages that it completes. Payloads may be views of `chunk`.
   *
   * @throws {DriverError} DAEMON_NOT_PILOT if a length is zero `[ipc.no-command]` or over 1 MiB `[ipc.max-message]`
   */
  push(chunk: Uint8Array): IpcMessage[] {
    const messages: IpcMessage[] = []
    let rest = chunk
    while (rest.length > 0) {
      const piece = rest.subarray(0, this.#missing)
      this.#missing -= piece.length
      rest = rest.subarray(piece.length)
      if (this.#missing > 0 || this.#collecting) {
        this.#partial.append(piece)
        this.#collecting = true
      }
      if (this.#missing > 0) break
      const field = this.#collecting ? this.#partial.take() : piece
      this.#collecting = false
      this.#complete(field, messages)
    }
    return messages
  }

  #complete(field: Uint8Array, messages: IpcMessage[]): void {
    if (this.#state === 'length') {
      this.#missing = checkedLength(viewOf(field).getUint32(0))
      this.#state = 'message'
    } else {
      messages.push({ command: field[0]!, payload: field.subarray(1) })
      this.#missing = LENGTH_SIZE
      this.#state = 'length'
    }
  }
}

const LENGTH_SIZE = 4

/** Encodes a port as `[u16]`. */
export function encodePort(port: number): Uint8Array {
  const bytes = new Uint8Array(2)
  viewOf(bytes).setUint16(0, port)
  return bytes
}

/** Encodes a connection id as `[u32]`. */
export function encodeConnId(connId: number): Uint8Array {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setUint32(0, connId)
  return bytes
}

/** Encodes the payload of DIAL. */
export function encodeDial(address: Address, port: number): Uint8Array {
  return concat([encodeAddress(address), encodePort(port)])
}

/** Encodes the payload of ACCEPT. */
export function encodeAccept({ localPort, connId, remote }: Accepted): Uint8Array {
  return concat([
    encodePort(localPort),
    encodeConnId(connId),
    encodeAddress(remote.address),
    encodePort(remote.port),
  ])
}

/** Encodes the payload of ERROR. */
export function encodeError(code: number, message: string): Uint8Array {
  return concat([encodePort(code), utf8(message)])
}

/** Decodes a port. @throws {DriverError} DAEMON_NOT_PILOT if the payload is too short, as all decoders here do */
export function decodePort(payload: Uint8Array): number {
  return need(payload, 2).getUint16(0)
}

/** Decodes the connection id at the start of DIAL-OK, SEND, RECV, CLOSE and CLOSE-OK. */
export function decodeConnId(payload: Uint8Array): number {
  return need(payload, 4).getUint32(0)
}

/** Decodes the payload of DIAL. */
export function decodeDial(payload: Uint8Array): SocketAddress {
  const view = need(payload, ADDRESS_SIZE + 2)
  return { address: decodeAddress(payload), port: view.getUint16(ADDRESS_SIZE) }
}

/** Decodes the payload of ACCEPT. */
export function decodeAccept(payload: Uint8Array): Accepted {
  const view = need(payload, 6 + ADDRESS_SIZE + 2)
  return {
    localPort: view.getUint16(0),
    connId: view.getUint32(2),
    remote: { address: decodeAddress(payload.subarray(6)), port: view.getUint16(6 + ADDRESS_SIZE) },
  }
}

/** Decodes the payload of ERROR `[ipc.error]`. */
export function decodeError(payload: Uint8Array): { code: number; message: string } {
  const code = need(payload, 2).getUint16(0)
  return { code, message: decodeUtf8(payload.subarray(2)) ?? 'error with a message that is not UTF-8' }
}

/** Decodes the JSON object of the replies to INFO, HEALTH, RESOLVE-HOSTNAME and SET-HOSTNAME. */
export function decodeJson(payload: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decodeUtf8(payload) ?? '')
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Falls through to the error below.
  }
  throw new DriverError('DAEMON_NOT_PILOT', 'the daemon’s reply is not a JSON object')
}

function checkedLength(length: number): number {
  if (length >= 1 && length <= FIXED_LIMITS.ipcMessage.value) return length
  throw new DriverError(
    'DAEMON_NOT_PILOT',
    `a message on the socket has ${length} bytes; 1 to ${FIXED_LIMITS.ipcMessage.value} are allowed`,
  )
}

function need(payload: Uint8Array, size: number): DataView {
  if (payload.length < size) {
    throw new DriverError('DAEMON_NOT_PILOT', `a message has ${payload.length} bytes, but needs ${size}`)
  }
  return viewOf(payload)
}
