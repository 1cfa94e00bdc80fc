/** What a name in the folder of partial files says. */
export interface PartialName {
  /** The transfer's id, as 32 lower-case hex digits. */
  readonly id: string
  /** Whose the partial file is, where its name tells; see {@link ownersPartialName}. */
  readonly owner: string | undefined
}

/** `owner` in a form that fits into file names. */
export function ownerTag(owner: string): string {
  return owner.replace(/[^A-Za-z0-9.]/g, '-')
}

/**
 * The name of an owner's partial file while `<hex transfer id>` (section 4) belongs to another: nobody writes
 * into what somebody else has sent.
 */
export function ownersPartialName(id: string, tag: string): string {
  return `${id}-${tag}`
}

/** The name of the file that tells whose `<hex transfer id>` is, also after a restart. */
export function ownerFileName(id: string): string {
  return `${id}${OWNER_SUFFIX}`
}

/** Undefined for what is no partial file. */
export function parsePartialName(name: string): PartialName | undefined {
  const [, id, owner] = PARTIAL_NAME.exec(name) ?? []
  return id === undefined ? undefined : { id, owner }
}

/** Whether `name` is one of {@link ownerFileName}. */
export function isOwnerFileName(name: string): boolean {
  return OWNER_FILE_NAME.test(name)
}

const OWNER_SUFFIX = '.owner'
const PARTIAL_NAME = /^([0-9a-f]{32})(?:-([A-Za-z0-9.-]+))?$/
const OWNER_FILE_NAME = /^[0-9a-f]{32}\.owner$/
