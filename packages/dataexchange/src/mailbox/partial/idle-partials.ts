import type { PartialEntry } from './partial-folder.ts'

/** Of the partial files `entries` that nobody is going on with, the oldest; undefined where there are none. */
export function oldestIdle(entries: Iterable<PartialEntry>): PartialEntry | undefined {
  let oldest: PartialEntry | undefined
  for (const entry of entries) {
    if (!entry.isOpen && (oldest === undefined || entry.modified < oldest.modified)) oldest = entry
  }
  return oldest
}

/** Of those, the oldest of the owner who has most of them: the one that is to go where something has to. */
export function dispensable(entries: Iterable<PartialEntry>): PartialEntry | undefined {
  const byOwner = new Map<string | undefined, PartialEntry[]>()
  for (const entry of entries) {
    if (entry.isOpen) continue
    const own = byOwner.get(entry.owner)
    if (own) own.push(entry)
    else byOwner.set(entry.owner, [entry])
  }
  return oldestIdle([...byOwner.values()].reduce((most, own) => (own.length > most.length ? own : most), []))
}
