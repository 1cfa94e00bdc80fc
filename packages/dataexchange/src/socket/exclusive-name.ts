import { randomBytes } from 'node:crypto'
import { readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What is to stand under a name that only one process may have. */
export interface Claim {
  /** Puts it at `path`; from that moment {@link isLive} must hold there. */
  place(path: string): Promise<void>
  /** Takes it away from `path` again. */
  withdraw(path: string): Promise<void>
  /** True where what stands at `path` has a living owner; false for nothing and for what a dead one left. */
  isLive(path: string): Promise<boolean>
}

/** Characters that a claim adds to the name claimed. */
export const CLAIM_SUFFIX_LENGTH = 7

/**
 * Takes the name `path` unless a living owner has it; what a dead one left is replaced, in one step. Resolves
 * to whether it was taken. Of any number of processes that try at once, at most one succeeds.
 *
 * A lock file could be left behind by a process that dies, and removing a stale one is the same race again.
 * So the live thing itself is the lock: it is first placed beside the name, under a claim of its own, then
 * all other claims are looked at, the name itself last. Of two that claim at once, the later one sees the
 * earlier one alive. Whoever sees another steps back, waits a random moment, and tries again.
 */
export async function takeName(path: string, claim: Claim): Promise<boolean> {
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

/** Other claims first, the name last: a rival that renames its claim meanwhile is seen in one of the two. */
async function hasRival(path: string, ownClaim: string, claim: Claim): Promise<boolean> {
  for (const rival of await claimsOf(path)) {
    if (rival === ownClaim) continue
    if (await claim.isLive(rival)) return true
    // Claims are alive from their first moment, and their names random: a dead one is dead for good.
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
