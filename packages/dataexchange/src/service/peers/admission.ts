import { PluginError } from '../../errors.ts'
import { type Address, parseAddress } from '../../pilot/address.ts'
import type { TrustChecker } from '../../plugin/service.ts'

/** A frame that asks to be stored. */
export interface AcceptRequest {
  /** The sender. */
  readonly address: Address
  /** The name of the frame's type: `TEXT`, `FILE`, ...; a file that comes in chunks (FILESTREAM) is a `FILE` too. */
  readonly type: string
  /** Bytes of the payload, or of the whole file, as the sender declares them. */
  readonly size: number
  /** The file's name, for FILE. */
  readonly filename?: string
  /** The sender's id of the message, where it gave one (section 5). */
  readonly messageId?: string
  /** The id of the message that this one answers, where the sender gave one. */
  readonly replyTo?: string
}

/**
 * Decides about one frame: true, or the reason to refuse it, which the sender is told. Anything else, such as the
 * undefined of a hook that forgot to return, refuses too.
 */
export type AcceptHook = (request: AcceptRequest) => true | string | Promise<true | string>

/** Who may send. */
export interface AdmissionRules {
  /**
   * Addresses (`N:NNNN.HHHH.LLLL`) and networks (`N:*`) that may send; all others may not.
   * @default everybody may
   */
  allow?: readonly string[] | undefined
  /** Addresses and networks that may not send, whatever `allow` says. @default nobody */
  deny?: readonly string[] | undefined
  /**
   * Asked for every frame that the lists let pass; for a TRACE, then also for the frame inside; for a TAGGED only
   * for that; for a file that comes in chunks once, before the first of them.
   * @default every frame is accepted
   */
  accept?: AcceptHook | undefined
}

/**
 * Tells whether a frame may be stored: by the lists, by the host's trust checker where it has one, and by
 * the hook, in this order.
 */
export class Admission {
  readonly #allow: AddressList | undefined
  readonly #deny: AddressList
  readonly #accept: AcceptHook | undefined

  /** @throws {PluginError} CONFIG_INVALID for an entry that is neither address nor network */
  constructor({ allow, deny = [], accept }: AdmissionRules) {
    this.#allow = allow && new AddressList(allow)
    this.#deny = new AddressList(deny)
    this.#accept = accept
  }

  /** The reason to refuse the frame, or undefined where it may be stored. What the hook throws is thrown. */
  async refusal(request: AcceptRequest, trust: TrustChecker | undefined): Promise<string | undefined> {
    const { address } = request
    if (this.#deny.has(address) || this.#allow?.has(address) === false) return 'this sender may not send here'
    if (trust?.isTrusted(address.node) === false) return 'this sender is not trusted'
    if (this.#accept === undefined) return undefined
    const decision: unknown = await this.#accept(request)
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
