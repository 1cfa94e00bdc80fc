import { PluginError } from '../../errors.ts'
import { type Address, parseAddress } from '../../pilot/address.ts'
import type { TrustChecker } from '../../plugin/service.ts'

/** A frame that the accept hook decides on. */
export interface AcceptRequest {
  /** The sender. */
  readonly address: Address
  /** Name of the frame's type: `TEXT`, `FILE`, ... A file in chunks (FILESTREAM) is a `FILE`, too. */
  readonly type: string
  /** Declared size in bytes of the payload, or of the whole file. */
  readonly size: number
  /** Name of the file; FILE only. */
  readonly filename?: string
  /** The sender's id of the message, if it set one `[tagged.header-keys]`. */
  readonly messageId?: string
  /** Id of the message that this one replies to, if the sender set one. */
  readonly replyTo?: string
}

/**
 * Decides on one frame: true accepts it, a text refuses it and is sent to the sender. Any other value refuses it, too,
 * such as the undefined of a hook without a return.
 */
export type AcceptHook = (request: AcceptRequest) => true | string | Promise<true | string>

/** Rules of who may send. */
export interface AdmissionRules {
  /**
   * Addresses (`N:NNNN.HHHH.LLLL`) and networks (`N:*`) that may send. All others are refused.
   *
   * @default every sender
   */
  allow?: readonly string[] | undefined
  /** Addresses and networks that are refused, also if `allow` has them. @default none */
  deny?: readonly string[] | undefined
  /**
   * Called for every frame that the lists admit. Called for a TRACE and then for its inner frame, for a TAGGED only for
   * its inner frame, and for a file in chunks once, before the first chunk. An error of the hook refuses the frame.
   *
   * @default accepts every frame
   */
  accept?: AcceptHook | undefined
}

/**
 * Decides whether a frame is admitted: by the lists, then by the host's trust checker if there is one, then by the hook.
 */
export class Admission {
  readonly #allow: AddressList | undefined
  readonly #deny: AddressList
  readonly #accept: AcceptHook | undefined

  /** @throws {PluginError} CONFIG_INVALID if an entry is neither an address nor a network */
  constructor({ allow, deny = [], accept }: AdmissionRules) {
    this.#allow = allow && new AddressList(allow)
    this.#deny = new AddressList(deny)
    this.#accept = accept
  }

  /**
   * Resolves with the reason to refuse a frame of `address`, or undefined if it is admitted. Calls `describe` only if
   * there is a hook. Rejects with the hook's own error.
   */
  async refusal(
    address: Address,
    trust: TrustChecker | undefined,
    describe: () => Omit<AcceptRequest, 'address'>,
  ): Promise<string | undefined> {
    if (this.#deny.has(address) || this.#allow?.has(address) === false) return 'this sender may not send here'
    if (trust?.isTrusted(address.node) === false) return 'this sender is not trusted'
    if (this.#accept === undefined) return undefined
    const decision: unknown = await this.#accept({ address, ...describe() })
    if (decision === true) return undefined
    return typeof decision === 'string' && decision !== '' ? decision : 'not accepted'
  }
}

class AddressList {
  readonly #addresses = new Set<string>()
  readonly #networks = new Set<number>()

  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const network = Number(/^(\d{1,5}):\*$/.exec(entry)?.[1] ?? Number.NaN)
      if (network <= LARGEST_NETWORK) this.#networks.add(network)
      else this.#addresses.add(parseEntry(entry).toString())
    }
  }

  has(address: Address): boolean {
    if (this.#networks.has(address.network)) return true
    return this.#addresses.size > 0 && this.#addresses.has(address.toString())
  }
}

const LARGEST_NETWORK = 0xffff

function parseEntry(entry: string): Address {
  try {
    return parseAddress(entry)
  } catch (cause) {
    const message = `${JSON.stringify(entry)} is neither an address N:NNNN.HHHH.LLLL nor a network N:*`
    throw new PluginError('CONFIG_INVALID', message, { cause })
  }
}
