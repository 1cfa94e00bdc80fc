import { randomBytes } from 'node:crypto'
import { readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** The object to place under a name that only one process may own. */
export interface Claim {
  /** Places it at `path`. From then on {@link isLive} must be true for `path`. */
  place(path: string): Promise<void>
  /** Removes it from `path`. */
  withdraw(path: string): Promise<void>
  /** Whether the object at `path` has a live owner; false if there is none, or if its owner is dead. */
  isLive(path: string): Promise<boolean>
}

/** The number of characters that a claim appends to the claimed name. */
export const CLAIM_SUFFIX_LENGTH = 7

/**
 * Acquires the name `path` unless a live owner has it. The object of a dead owner is replaced atomically. Resolves with
 * whether the name was acquired. At most one of several concurrent processes succeeds.
 *
 * A lock file would remain if its process dies, and removing a stale one is the same race again. So the live object
 * itself is the lock. It is first placed beside the name, under a claim of its own. Then all other claims are checked,
 * and the name itself last. The later of two concurrent claims sees the earlier one alive. A process that sees a
 * rival withdraws its claim, waits for a random time, and tries again.
 */
export async function acquireName(path: string, claim: Claim): Promise<boolean> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if (await claim.isLive(path)) return false
    const claimPath = `${path}-${randomBytes(3).toString('hex')}`
    await claim.place(claimPath)
    try {
      if (!(await hasRival(path, claimPath, claim))) {
        await rename(claimPath, path)
        return true
      }
    } catch (error) {
      await claim.withdraw(claimPath)
      throw error
    }
    await claim.withdraw(claimPath)
    await delay(Math.random() * BACKOFF_MS * attempt)
  }
  return false
}

const MAX_ATTEMPTS = 40
const BACKOFF_MS = 5

/** Checks the other claims first and the name last: a rival that renames its claim meanwhile is seen in one of them. */
async function hasRival(path: string, ownClaim: string, claim: Claim): Promise<boolean> {
  for (const rival of await claimsOf(path)) {
    if (rival === ownClaim) continue
    if (await claim.isLive(rival)) return true
    // A claim is alive from the beginning, and its name is random: a dead claim stays dead.
    await unlink(rival).catch(() => {})
  }
  return claim.isLive(path)
}

async function claimsOf(path: string): Promise<string[]> {
  const prefix = `${basename(path)}-`
  const names = await readdir(dirname(path))
  return names
    .filter(name => name.startsWith(prefix) && /^[0-9a-f]{6}$/.test(name.slice(prefix.length)))
    .map(name => join(dirname(path), name))
}
