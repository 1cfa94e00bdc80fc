/** The parts of a partial file's name. */
export interface PartialName {
  /** Transfer id, 32 lower-case hex digits. */
  readonly id: string
  /** Tag of the owner, if the name contains it; see {@link ownedPartialName}. */
  readonly owner: string | undefined
}

/** Turns an owner's address into a tag for file names. */
export function ownerTag(owner: string): string {
  return owner.replace(/[^A-Za-z0-9.]/g, '-')
}

/** The name of an owner's partial file while `<transfer id>` belongs to another owner. */
export function ownedPartialName(id: string, tag: string): string {
  return `${id}-${tag}`
}

/** The name of the file with the owner's tag for the partial file `<transfer id>`. */
export function ownerFileName(id: string): string {
  return `${id}${OWNER_SUFFIX}`
}

/** Parses the name of a partial file `[stream.receive-partial]`. Undefined if `name` is not one. */
export function parsePartialName(name: string): PartialName | undefined {
  const [, id, owner] = PARTIAL_NAME.exec(name) ?? []
  return id === undefined ? undefined : { id, owner }
}

/** Whether `name` is an {@link ownerFileName}. */
export function isOwnerFileName(name: string): boolean {
  return OWNER_FILE_NAME.test(name)
}

const OWNER_SUFFIX = '.owner'
const PARTIAL_NAME = /^([0-9a-f]{32})(?:-([A-Za-z0-9.-]+))?$/
const OWNER_FILE_NAME = /^[0-9a-f]{32}\.owner$/
